#!/usr/bin/env python3
"""varve and ONNX: what onnx saves comes back byte for byte, what varve assembles onnx loads and checks.

Skips itself where onnx is not installed. On PATH: varve, git-varve, assemble.
"""
import collections
import glob
import json
import os
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import TensorProto as T, helper, numpy_helper
except ImportError as e:
    print(f"1..0 # SKIP no onnx: {e}")
    sys.exit(0)

from lib import *

random = np.random.default_rng(1)


def rand(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def net(constant=None, **weights):
    """y = (x · w + b) · constant, and whatever other initializers there are."""
    arrays = {"w": rand(4, 4), "b": rand(4), **weights}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["xw"], name="dot"), helper.make_node("Add", ["xw", "b"], ["s"]),
             helper.make_node("Constant", [], ["c"],
                              value=numpy_helper.from_array(rand(1) if constant is None else constant)),
             helper.make_node("Mul", ["s", "c"], ["y"])]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", T.FLOAT, ["n", 4])],
                              [helper.make_tensor_value_info("y", T.FLOAT, ["n", 4])],
                              [numpy_helper.from_array(a, n) for n, a in arrays.items() if a is not None])
    return helper.make_model(graph, producer_name="t_onnx", opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def arrays(model):
    found = {t.name: t for t in model.graph.initializer}
    found.update({n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant"})
    return {n: (t.data_type, tuple(t.dims), numpy_helper.to_array(t).tobytes()) for n, t in found.items()}


def assembled(what, frame, donor, same=True):
    with tempfile.TemporaryDirectory() as d:
        onnx.save(frame, f"{d}/frame.onnx")
        onnx.save(donor, f"{d}/donor.onnx")
        r = run("assemble", f"{d}/frame.onnx", f"{d}/donor.onnx", f"{d}/out.onnx")
        if r.returncode:
            ok(False, what, r.stderr)
            return
        got = onnx.load(f"{d}/out.onnx")
        ok(arrays(got) == arrays(donor), what + ": onnx loads what is wanted")
        if same:
            ok(sha(f"{d}/out.onnx") == sha(f"{d}/donor.onnx"), what + ": the file that onnx writes")


def assembling():
    c = rand(1)
    assembled("the same set", net(), net())
    assembled("other shapes", net(c), net(c, w=rand(40, 400), b=rand(2, 2)))
    assembled("another type", net(c), net(c, b=rand(4, dtype=np.float16)))
    assembled("tensors come", net(c), net(c, e=rand(3, dtype=np.float64), n=np.arange(5)))
    assembled("tensors go", net(c, e=rand(3)), net(c))
    assembled("one goes that is not the last", net(c, e=rand(3)), net(c, w=None, e=rand(3)))
    assembled("a constant of another shape", net(c), net(rand(1, 4)))
    assembled("a tensor of 5 MB", net(c), net(c, w=rand(1280, 1024)))


def through_git():
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(HOME=d, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid",
                          GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid")
        repo = f"{d}/r"
        run("git", "init", "-q", "-b", "main", repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.onnx", cwd=repo)
        sums, c = [], rand(1)
        for i in range(3):
            onnx.save(net(c, big=rand(64, 64)), f"{repo}/m.onnx")
            os.utime(f"{repo}/m.onnx", (1e9 + i, 1e9 + i))
            sums.append(sha(f"{repo}/m.onnx"))
            git("add", ".", cwd=repo)
            git("commit", "-q", "-m", str(i), cwd=repo)
        text = git("show", "HEAD:m.onnx", cwd=repo)
        ok("\nformat onnx\n" in text, "git has a manifest", text[:300])
        ok('\ntensor "big" f32 [64,64] ' in text and '\ntensor "c" f32 [1] ' in text, "with the tensors' names", text)
        os.remove(f"{repo}/m.onnx")
        git("checkout", "-q", "--", "m.onnx", cwd=repo)
        ok(sha(f"{repo}/m.onnx") == sums[2], "a file that was removed comes back")
        for i in range(3):
            git("checkout", "-q", f"main~{2 - i}", cwd=repo)
            ok(sha(f"{repo}/m.onnx") == sums[i], f"version {i} comes back byte for byte")
            onnx.checker.check_model(onnx.load(f"{repo}/m.onnx"), full_check=True)
        first = git("rev-parse", "main~2", cwd=repo).strip()
        git("checkout", "-q", "main", cwd=repo)
        last = arrays(onnx.load(f"{repo}/m.onnx"))
        r = run("varve", "restore", "main~2", "--tensor", "big", "--", "m.onnx", cwd=repo)
        ok(not r.returncode, "restore of one tensor", r.stderr)
        got = arrays(onnx.load(f"{repo}/m.onnx"))
        git("checkout", "-q", "-f", first, cwd=repo)
        old = arrays(onnx.load(f"{repo}/m.onnx"))
        ok(got["big"] == old["big"] and got["big"] != last["big"], "the tensor is the old one")
        ok(got["w"] == last["w"] and got["w"] != old["w"], "another is the new one")
        git("checkout", "-q", "-f", "main", cwd=repo)
        merge(repo, c)


def merge(repo, c):
    """Two sides that each change one tensor, one of them its shape."""
    zeros = {k: np.zeros((8, 8), np.float32) for k in ("w", "b", "e")}

    def save(**change):
        onnx.save(net(c, **{**zeros, **change}), f"{repo}/n.onnx")
        os.utime(f"{repo}/n.onnx", (1e9, 1e9 + len(change) + sum(a.size for a in change.values())))
        git("add", "n.onnx", cwd=repo)
        git("commit", "-q", "--allow-empty", "-m", " ".join(change) or "zeros", cwd=repo)
    one, two = np.ones((8, 8), np.float32), np.full((8, 4), 2, np.float32)
    save()
    git("switch", "-q", "-c", "side", cwd=repo)
    save(w=one)
    git("switch", "-q", "main", cwd=repo)
    save(e=two)
    r = run("git", "merge", "-q", "--no-edit", "side", cwd=repo)
    ok(not r.returncode, "a merge of two sides that changed different tensors", r.stdout + r.stderr)
    merged = sha(f"{repo}/n.onnx")
    save(w=one, e=two)
    ok(sha(f"{repo}/n.onnx") == merged, "is the file that onnx would have saved")


def seen(values, inside=()):
    """Inputs or outputs, as varve tells them: a dimension's number, its symbol, or None."""
    out = []
    for v in values:
        if v.name in inside:
            continue
        t = v.type.tensor_type if v.type.HasField("tensor_type") else None
        out.append((v.name, [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in t.shape.dim]
                    if t and t.HasField("shape") else None))
    return out


def nodes(graph, depth=0):
    for n in graph.node:
        yield (depth, ".".join(filter(None, [n.domain if n.domain != "ai.onnx" else "", n.op_type])), n.name,
               list(n.input), list(n.output))
        for a in n.attribute:
            for g in [a.g] * a.HasField("g") + list(a.graphs):
                yield from nodes(g, depth + 1)


def wrong_graph(path):
    """What varve shows of a model's graph other than onnx does; None: nothing."""
    r = run("varve", "show", "--json", path)
    if r.returncode:
        return r.stderr
    g, m = json.loads(r.stdout)["graph"], onnx.load(path, load_external_data=False)
    if not g:
        return "no graph"
    inside = {t.name for t in m.graph.initializer} if m.ir_version < 4 else ()
    pairs = {"inputs": ([(v["name"], v["shape"]) for v in g["inputs"]], seen(m.graph.input, inside)),
             "outputs": ([(v["name"], v["shape"]) for v in g["outputs"]], seen(m.graph.output)),
             "nodes": ([(n["depth"], n["op"], n["name"], n["inputs"], n["outputs"]) for n in g["nodes"]], list(nodes(m.graph))),
             "counts": (g["operators"], dict(collections.Counter(n[1] for n in nodes(m.graph)))),
             "ir": (g["facts"].get("ir"), str(m.ir_version))}
    for what, (have, want) in pairs.items():
        if have != want:
            return f"{path}: {what}: {have}, not {want}"
    return None


def graphs():
    """The models that the package tests back ends with: real networks without weights, and each operator."""
    folder = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data")
    networks = sorted(glob.glob(folder + "/light/*.onnx"))
    operators = sorted(glob.glob(folder + "/*/*/model.onnx"))
    operators = operators[::max(1, len(operators) // 150)]
    for what, paths in {"networks": networks, "operators": operators}.items():
        wrong = [w for w in map(wrong_graph, paths) if w]
        ok(len(paths) > 5 and not wrong, f"{len(paths)} graphs of {what} are what onnx sees", "\n".join(wrong[:3]))


print(f"# onnx {onnx.__version__}")
graphs()
assembling()
through_git()
end()
