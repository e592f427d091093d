#!/usr/bin/env python3
"""varve convert: what it writes is loaded by the tools that own the formats, and has the values that they would give.

Skips itself where NumPy or safetensors are not installed, and a part where its tool is not. On PATH: varve, git-varve.
"""
import importlib
import json
import os
import sys
import tempfile

try:
    import numpy as np
    from safetensors.numpy import load_file, save_file
except ImportError as e:
    print(f"1..0 # SKIP no NumPy or safetensors: {e}")
    sys.exit(0)

from lib import *
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["JAX_PLATFORMS"] = "cpu"


def tool(name):
    """The module; None, and a line that says so, where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        print(f"# no {name}: {e}")
        return None


rng = np.random.default_rng(7)


def rand(*shape):
    return rng.standard_normal(shape).astype("f4")


def convert(*words):
    r = run("varve", "convert", "-q", *words)
    ok(not r.returncode, "convert " + " ".join(words), r.stderr)
    return not r.returncode


def same(got, want):
    return got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()


def model():
    """As exporters name tensors, in every type that all formats have."""
    t = {"net.0.weight": rand(8, 96), "net.0.bias": rand(8), "net.1.weight": rand(3, 5, 2, 2), "half": rand(4, 32).astype("f2"),
         "double": rand(5).astype("f8"), "steps": np.array([7], "i8"), "ids": np.arange(6, dtype="i4").reshape(2, 3)}
    t["net.0.weight"][3] = 0
    return t


def formats(t):
    """The same tensors, by each tool."""
    def says(name, get):
        if convert("m.safetensors", "-o", name):
            got = get(name)
            ok(set(got) == set(t), f"{name}: its names", sorted(got))
            bad = [k for k in t if k in got and not same(np.asarray(got[k]), t[k])]
            ok(not bad, f"{name}: its values", bad)
            convert(name, "-o", "back.safetensors")
            back = load_file("back.safetensors")
            ok(set(back) == set(t) and all(same(back[k], t[k]) for k in t), f"{name}: and back")
    says("a.safetensors", load_file)
    says("a.npz", lambda p: dict(np.load(p)))
    flax = tool("flax.serialization")
    if flax:
        def restored(p):
            with open(p, "rb") as f:
                return flax.msgpack_restore(f.read())
        says("a.msgpack", restored)
    torch, h5py, gguf, onnx = tool("torch"), tool("h5py"), tool("gguf"), tool("onnx")
    if torch:
        says("a.pt", lambda p: {k: v.numpy() for k, v in torch.load(p, weights_only=True).items()})
    if h5py:
        def datasets(p):
            with h5py.File(p) as f:
                return {k: f[k][()] for k in f}
        says("a.h5", datasets)
        with h5py.File("a.h5") as f:
            ok(f.attrs["varve"] == f"from safetensors sha256:{sha('m.safetensors')}".encode(), "a.h5 says where it comes from")
    if gguf:
        says("a.gguf", lambda p: {x.name: x.data.reshape([int(n) for n in reversed(x.shape)])
                                  for x in gguf.GGUFReader(p).tensors})
    if onnx:
        says("a.onnx", lambda p: {x.name: onnx.numpy_helper.to_array(x) for x in onnx.load(p).graph.initializer})
    return torch, h5py, gguf, onnx


def types_in_hdf5(h5py):
    t = {f"g/{d}": np.arange(6).astype(d).reshape(2, 3) for d in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?")}
    t["scalar"] = np.array(2.5, "f4")
    t.update({f"many/n{i}": np.full(3, i, "f4") for i in range(300)})
    save_file(t, "types.safetensors")
    if not convert("types.safetensors", "-o", "types.h5"):
        return
    with h5py.File("types.h5") as f:
        ok(all(same(f[k][()], v) for k, v in t.items()), "h5py reads every type")
        ok(len(f["many"]) == 300 and sorted(f) == ["g", "many", "scalar"], "and walks the groups")
    with h5py.File("types.h5", "a") as f:
        f["many/more"], f["new/group"] = rand(4), rand(2)
        f["g/f4"][...] = 9
        del f["many/n7"]
    with h5py.File("types.h5") as f:
        ok(len(f["many"]) == 300 and (f["g/f4"][()] == 9).all() and same(f["g/i8"][()], t["g/i8"]), "and changes the file")
    convert("-d", "bf16", "types.safetensors", "-o", "bf16.h5")
    with h5py.File("bf16.h5") as f:
        ok((f["g/f4"].astype("f4")[()] == t["g/f4"]).all(), "and bf16 as numbers")


def keras_weights():
    keras = tool("keras")
    if not keras:
        return
    def layers():
        return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(),
                                 keras.layers.Flatten(), keras.layers.Dense(5)])
    a, b = layers(), layers()
    for w in a.weights:
        w.assign(rand(*w.shape))
    a.save_weights("k.weights.h5")
    if convert("k.weights.h5", "-o", "k.safetensors") and convert("k.safetensors", "-o", "k2.weights.h5"):
        b.load_weights("k2.weights.h5")
        ok(all((np.asarray(x.numpy()) == y.numpy()).all() for x, y in zip(a.weights, b.weights)), "Keras loads weights that came by safetensors")


def flax_tree():
    """A network's parameters by way of safetensors, with fewer of them, and more: into the tree that Flax expects."""
    flax = tool("flax.serialization")
    if not flax:
        return
    tree = {"params": {f"layer_{i}": {"kernel": rand(4, 3), "bias": rand(3)} for i in range(20)}, "step": np.array(9, "i4")}
    with open("f.msgpack", "wb") as f:
        f.write(flax.to_bytes(tree))
    if convert("f.msgpack", "-o", "f.safetensors") and convert("f.safetensors", "-o", "f2.msgpack"):
        with open("f2.msgpack", "rb") as f:
            back = flax.from_bytes(tree, f.read())
        ok(all(same(np.asarray(back["params"][k][n]), v) for k, d in tree["params"].items() for n, v in d.items()), "Flax restores its tree")


def casts(torch):
    """Each bf16 and many an f32, to each narrower type, as PyTorch casts them."""
    from safetensors.torch import load_file as load_torch
    bits = np.concatenate([np.arange(1 << 16, dtype="u4") << 16, rng.integers(0, 1 << 32, 1 << 18, "u4"),
                           (np.arange(1 << 16, dtype="u4") << 16) | 0x8000])
    x = bits.view("f4")
    save_file({"x": x}, "x.safetensors")
    for name, dt in (("f16", torch.float16), ("bf16", torch.bfloat16), ("f8_e4m3", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        if not convert("-d", name, "x.safetensors", "-o", "y.safetensors"):
            continue
        got, want = load_torch("y.safetensors")["x"], torch.from_numpy(x).to(dt)
        raw = torch.uint8 if got.element_size() == 1 else torch.int16
        equal = (got.view(raw) == want.view(raw)) | (got.float().isnan() & want.float().isnan())
        ok(got.dtype == dt and bool(equal.all()), f"{name} as PyTorch casts", [hex(b) for b in bits[~equal.numpy()][:5]])
        convert("-d", "f32", "y.safetensors", "-o", "z.safetensors")
        back, wide = load_file("z.safetensors")["x"], want.float().numpy()
        ok(((back == wide) | (np.isnan(back) & np.isnan(wide))).all(), f"{name} to f32")


def int8(t):
    if not convert("-d", "int8", "m.safetensors", "-o", "i.npz"):
        return
    got = np.load("i.npz")
    for k, v in t.items():
        if v.dtype.kind != "f" or v.dtype == np.float64 or v.ndim < 2:
            ok(same(got[k], v), f"int8: {k} stays")
            continue
        rows = v.astype("f4").reshape(len(v), -1)
        top = np.abs(rows).max(axis=1)
        scale = np.where(top == 0, np.float32(1), top / np.float32(127)).astype("f4")
        q = np.rint(rows / scale[:, None]).astype("i1").reshape(v.shape)
        ok(same(got[k + ".scale"], scale) and same(got[k], q), f"int8: {k} as NumPy computes it")
        off = np.abs(got[k].astype("f8").reshape(rows.shape) * scale[:, None] - rows)
        ok((off <= scale[:, None] * 0.500001).all(), f"int8: {k} is off by half a step at most", off.max())


def q8_0(t, gguf):
    import gguf.quants
    big = dict(t, wide=(rand(16, 4096) * np.exp(rand(16, 4096) * 4)).astype("f4"), odd=rand(4, 33), v16=rand(64).astype("f2"))
    big["wide"][0, :64] = 0
    save_file(big, "big.safetensors")
    if not convert("-d", "q8_0", "big.safetensors", "-o", "q.gguf"):
        return
    q8 = gguf.GGMLQuantizationType.Q8_0
    for x in gguf.GGUFReader("q.gguf").tensors:
        v = big[x.name]
        shape = [int(n) for n in reversed(x.shape)]
        if v.dtype in (np.float32, np.float16) and v.ndim > 1 and v.shape[-1] % 32 == 0:
            want = gguf.quants.quantize(v.astype("f4"), q8)
            ok(x.tensor_type == q8 and shape == list(v.shape) and x.data.tobytes() == want.tobytes(), f"q8_0: {x.name} as gguf quantises it")
            deq = gguf.quants.dequantize(x.data, q8)
            step = np.abs(v.astype("f4").reshape(-1, 32)).max(axis=1, keepdims=True) / 127
            ok((np.abs(deq.reshape(-1, 32) - v.astype("f4").reshape(-1, 32)) <= step * 0.57 + 4e-6).all(), f"q8_0: {x.name} dequantised")
        else:
            want = v.astype("f4") if v.dtype == np.float16 and v.ndim < 2 else v
            ok(same(x.data.reshape(shape), want), f"q8_0: {x.name} stays {want.dtype}")


def add_costs(repo, name, most):
    os.utime(f"r/{name}", (1e9, 1e9))
    r = repo.run("varve", "add", "--json", name)
    stored = json.loads(r.stdout)["files"][0]["stored"] if not r.returncode else -1
    size = os.path.getsize(f"r/{name}")
    print(f"# {name}: {size} bytes cost {stored}")
    ok(0 <= stored <= size * most, f"{name} costs next to nothing", r.stderr)


def quantised_by_torch(repo, v):
    """PyTorch's own int8, by rows and whole, of f32 and of bf16."""
    torch = tool("torch")
    if not torch:
        return
    import warnings
    from safetensors.torch import save_file as save
    warnings.simplefilter("ignore")
    f = {k: torch.from_numpy(x) for k, x in v.items()}
    save({k: x.bfloat16() for k, x in f.items()}, "r/torch.safetensors")
    repo.git("add", "torch.safetensors")
    for name, t in (("m-torch", f), ("torch-of-bf16", {k: x.bfloat16().float() for k, x in f.items()})):
        scale = {k: x.abs().amax(1) / 127 for k, x in t.items()}
        zero = torch.zeros(128, dtype=torch.long)
        save({k: torch.quantize_per_channel(x, scale[k], zero, 0, torch.qint8).int_repr() for k, x in t.items()}, f"r/{name}.safetensors")
        add_costs(repo, f"{name}.safetensors", 0.02)
        whole = {k: float(x.abs().max()) / 127.5 for k, x in t.items()}
        save({k: torch.quantize_per_tensor(x, whole[k], 0, torch.qint8).int_repr() for k, x in t.items()}, f"r/{name}-whole.safetensors")
        add_costs(repo, f"{name}-whole.safetensors", 0.02)


def storage():
    """What a copy in another type costs beside its original."""
    repo = Repo(os.path.abspath("r"), "*.safetensors")
    repo.run("varve", "track", "-q", "*.h5", "*.gguf", "*.npz")
    v = {f"l{i}.weight": rand(128, 256) * 0.02 for i in range(6)}
    save_file(v, "r/m.safetensors")
    repo.git("add", "m.safetensors")
    for name, words, most in (("c.h5", [], 0.01), ("c.npz", [], 0.02), ("bf16.safetensors", ["-d", "bf16"], 0.01), ("f16.npz", ["-d", "f16"], 0.02),
                              ("int8.safetensors", ["-d", "int8"], 0.03), ("q8.gguf", ["-d", "q8_0"], 0.01)):
        repo.run("varve", "convert", "-q", *words, "m.safetensors", "-o", name)
        add_costs(repo, name, most)
    quantised_by_torch(repo, v)


EXPORT = """
import os, sys, torch
from safetensors.torch import load_file
t = load_file(os.environ["VARVE_INPUT"])
net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
net.load_state_dict(t)
x = torch.arange(12, dtype=torch.float32).reshape(2, 6)
torch.onnx.export(net.eval(), (x,), os.environ["VARVE_OUTPUT"], input_names=["x"], dynamo=sys.argv[1] == "new", external_data=True)
"""


def exporter(torch, which):
    """torch.onnx.export on an older version; ONNX Runtime computes what PyTorch does."""
    ort = tool("onnxruntime")
    if not ort:
        return
    old, new = ({k: rand(*s) for k, s in (("0.weight", (5, 6)), ("0.bias", (5,)), ("2.weight", (2, 5)), ("2.bias", (2,)))} for _ in range(2))
    for i, t in enumerate((old, new)):
        save_file(t, "r/net.safetensors")
        os.utime("r/net.safetensors", (1e9, 1e9 + i))
        git("add", ".", cwd="r")
        git("commit", "-q", "--allow-empty", "-m", f"{which} {i}", cwd="r")
    with open("export.py", "w") as f:
        f.write(EXPORT)
    name = f"r/{which}.onnx"
    r = run("varve", "convert", "--json", "--with", f"'{sys.executable}' {os.getcwd()}/export.py {which}", "--env", "PYTHONWARNINGS",
            "HEAD~1:net.safetensors", "-o", f"{which}.onnx", cwd="r")
    ok(not r.returncode, f"torch.onnx.export, the {which} one, on an older version", r.stderr[-2000:])
    if r.returncode:
        return
    x = np.arange(12, dtype="f4").reshape(2, 6)
    want = np.maximum(x @ old["0.weight"].T + old["0.bias"], 0) @ old["2.weight"].T + old["2.bias"]
    got = ort.InferenceSession(name, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    ok(np.allclose(got, want, atol=1e-4), "ONNX Runtime computes with that version", (got, want))
    with open(name + ".lineage.json") as f:
        d = json.load(f)
    blob = git("cat-file", "-p", "HEAD~1:net.safetensors", cwd="r")
    ok(d["output"]["sha256"] == sha(name) == json.loads(r.stdout)["sha256"], "the record names the file")
    ok(f"sha256 {d['inputs'][0]['sha256']}" in blob and d["inputs"][0]["root"] in blob, "and the version", blob[:400])
    ok(all(sha(f"r/{b['file']}") == b["sha256"] for b in d["beside"]), "and what lies beside it")
    print(f"# beside: {[b['file'] for b in d['beside']]}")


os.environ["PATH"] = ":".join(os.path.abspath(p) for p in os.environ["PATH"].split(":"))
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    os.environ["HOME"] = folder
    tensors = model()
    save_file(tensors, "m.safetensors", {"about": "a test"})
    torch, h5py, gguf, onnx = formats(tensors)
    flax_tree()
    if h5py:
        types_in_hdf5(h5py)
        keras_weights()
    if torch:
        casts(torch)
    int8(tensors)
    if gguf:
        q8_0(tensors, gguf)
    storage()
    if torch:
        exporter(torch, "old")
        if tool("onnxscript"):
            exporter(torch, "new")
    os.chdir("/")
end()
