#!/usr/bin/env python3
"""varve and PyTorch: what torch saves comes back byte for byte, what varve assembles torch loads.

Skips itself where torch is not installed. On PATH: varve, git-varve, assemble.
"""
import collections
import io
import json
import os
import pickle
import sys
import tempfile
import zipfile

try:
    import torch
except ImportError as e:
    print(f"1..0 # SKIP no torch: {e}")
    sys.exit(0)

from lib import *

NEW = int(torch.__version__.split(".")[0]) >= 2
SAMPLE = io.BytesIO()
torch.save(torch.zeros(1), SAMPLE)
# Older archives keep storages in the order of their keys as text; tensors then come in that order.
NUMERIC = b"/.format_version" in SAMPLE.getvalue()
# The loader that executes nothing; that of 1.13 does not know numbers with a fraction yet.
LOAD = {"weights_only": True} if NEW else {}


def rand(*shape):
    return torch.randn(*shape)


# --- assembling ---

def flat(obj, path=""):
    """Every leaf by its path; tensors as (type, shape, bytes)."""
    if isinstance(obj, torch.Tensor):
        if obj.is_sparse:
            return {**flat(obj._indices(), path + ".i"), **flat(obj._values(), path + ".v")}
        t = obj.detach().contiguous().flatten()
        data = t.view(torch.uint8).numpy().tobytes() if t.numel() else b""
        return {path: (type(obj).__name__, str(obj.dtype), tuple(obj.shape), obj.requires_grad, data)}
    if isinstance(obj, dict):
        out = {path + "{}": type(obj).__name__}
        for k, v in obj.items():
            out.update(flat(v, f"{path}.{k!r}"))
        return out
    if isinstance(obj, (list, tuple)):
        out = {path + "[]": (type(obj).__name__, len(obj))}
        for i, v in enumerate(obj):
            out.update(flat(v, f"{path}.{i}"))
        return out
    return {path: obj}


def members(path):
    with zipfile.ZipFile(path) as z:
        return {n: z.read(n) for n in z.namelist()}


def load(path):
    return torch.load(path, **LOAD)


def assembled(what, frame, donor, *keep, same_bytes=True, want=None, exact=True):
    """FRAME's file with DONOR's tensors; `want` is what torch should then load, DONOR itself if None."""
    with tempfile.TemporaryDirectory() as d:
        for sub, obj in (("frame", frame), ("donor", donor)):
            os.mkdir(f"{d}/{sub}")
            torch.save(obj, f"{d}/{sub}/m.pt")
        os.mkdir(f"{d}/out")
        out = f"{d}/out/m.pt"
        r = run("assemble", f"{d}/frame/m.pt", f"{d}/donor/m.pt", out, *keep)
        if r.returncode:
            ok(False, what, r.stderr)
            return
        try:
            got = load(out)
        except Exception as e:
            ok(False, what + ": torch loads it", e)
            return
        got, want = flat(got), flat(donor if want is None else want)
        ok(got == want, what + ": torch loads what is wanted", {k for k in got.keys() | want.keys() if got.get(k) != want.get(k)})
        if exact:
            a, b = members(out), members(f"{d}/donor/m.pt")
            if not same_bytes:
                a.pop("m/.data/serialization_id", None), b.pop("m/.data/serialization_id", None)
            ok(list(a) == list(b) and a == b, what + ": its members are those that torch writes",
               [k for k in a.keys() | b.keys() if a.get(k) != b.get(k)][:20] or (list(a), list(b)))
            if same_bytes:
                ok(sha(out) == sha(f"{d}/donor/m.pt"), what + ": byte for byte")
            else:
                ok(os.path.getsize(out) == os.path.getsize(f"{d}/donor/m.pt"), what + ": its size as well")


def refused(what, frame, donor, *keep):
    with tempfile.TemporaryDirectory() as d:
        for sub, obj in (("frame", frame), ("donor", donor)):
            os.mkdir(f"{d}/{sub}")
            torch.save(obj, f"{d}/{sub}/m.pt")
        r = run("assemble", f"{d}/frame/m.pt", f"{d}/donor/m.pt", f"{d}/out.pt", *keep)
        ok(r.returncode == 2, what, (r.returncode, r.stderr))
        print("# " + r.stderr.strip())


def net():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))


def train(model, steps=2):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model(rand(5, 4)).square().mean().backward()
        optimizer.step()
    return {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "loss": 0.5}


def tied(tie=True):
    m = torch.nn.ModuleDict({"e": torch.nn.Embedding(6, 4), "d": torch.nn.Linear(4, 6, bias=False)})
    if tie:
        m["d"].weight = m["e"].weight
    return m.state_dict()


def views():
    base = rand(6, 8)
    return {"whole": base, "t": base.t(), "rows": base[1:3], "every": base[::2, ::3], "one": base[2, 3], "none": base[4:4],
            "other": rand(3, 4).t(), "wide": rand(1, 3).expand(2, 3)}


def saves(t):
    """Some versions have types that they cannot save."""
    try:
        torch.save(t, io.BytesIO())
        return True
    except KeyError:
        return False


def types():
    names = ["float16", "bfloat16", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64", "complex128"]
    names += [n for n in ("float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64") if hasattr(torch, n)]
    return {n: t for n, t in ((n, rand(3, 2).abs().mul(10).to(getattr(torch, n))) for n in names) if saves(t)}


def attribute():
    t = rand(2, 3)
    t.note = "kept"
    return {"noted": t, "plain": rand(1)}


def big():
    return {"w": collections.OrderedDict((f"layer.{i}.weight", rand(1, 2)) for i in range(1003)), "step": 2**40}


def same_set():
    for name, make in {
            "a state dict": lambda: net().state_dict(), "a checkpoint": lambda: train(net()), "tied weights": tied,
            "views": views, "types": types, "many tensors": big, "an attribute": attribute,
            "odd shapes": lambda: {"e": torch.empty(0), "s": torch.tensor(torch.randn(())), "d": rand(1, 2, 1, 2)},
            "parameters": lambda: {"w": torch.nn.Parameter(rand(2, 2)), "f": torch.nn.Parameter(rand(3), requires_grad=False)},
            "a list": lambda: [rand(2), (rand(1), rand(2, 2)), {"k": rand(3)}], "one tensor": lambda: rand(4),
            "sparse": lambda: {"s": torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 2]]), rand(2), (3, 3)), "f": rand(2)},
    }.items():
        if name == "an attribute" and not NEW:
            continue  # this torch's weights-only loader does not know the function
        assembled(name, make(), make())


def other_set():
    s = net().state_dict()
    more = collections.OrderedDict(s)
    more._metadata = s._metadata
    more["3.weight"], more["3.bias"] = rand(5, 2), rand(5)
    assembled("tensors come", s, more, same_bytes=False, exact=NUMERIC)
    assembled("tensors go", more, s, same_bytes=False)

    def plain(**kw):
        return {"step": 7, "model": dict(kw), "name": "x"}
    a, b, c = rand(3), rand(2, 2), rand(4, 4)
    assembled("one between two", plain(a=a, c=c), plain(a=a, b=b, c=c), same_bytes=False)
    assembled("another shape", plain(a=a, b=b), plain(a=rand(2, 3), b=rand(4)), same_bytes=False)
    assembled("another type", plain(a=a, b=b), plain(a=a.to(torch.bfloat16), b=b.to(torch.int64)), same_bytes=False)
    assembled("empty and scalar", plain(a=a, b=b), plain(a=torch.empty(0, 3), b=torch.tensor(1.5)), same_bytes=False)
    if hasattr(torch, "float8_e5m2"):
        assembled("a type without a legacy storage", plain(a=a, b=b), plain(a=a.to(torch.float8_e5m2), b=b), same_bytes=False)
        assembled("and back", plain(a=a.to(torch.float8_e5m2), b=b), plain(a=a, b=b), same_bytes=False)
    assembled("a parameter of another shape", {"w": torch.nn.Parameter(rand(2))}, {"w": torch.nn.Parameter(rand(3, 3))},
              same_bytes=False)
    assembled("nothing is left but the rest", plain(a=a), {"step": 7, "name": "x"}, same_bytes=False)
    assembled("a list grows", [a, "x", [b]], [a, "x", [b, c]], same_bytes=False)
    assembled("a list shrinks", [a, [b, c]], [a, [b]], same_bytes=False)
    assembled("batches of the pickler", {"w": {str(i): rand(1) for i in range(1000)}},
              {"w": {str(i): rand(1) for i in range(2000)}}, same_bytes=False, exact=NUMERIC)
    assembled("many come", {"w": {"0": rand(1)}}, {"w": {str(i): rand(i % 3) for i in range(1200)}}, same_bytes=False, exact=NUMERIC)

    # An optimizer's state of parameters that were added: a dictionary each, under the parameter's number.
    def optim(n):
        return {"state": {i: {"step": torch.tensor(1.0), "exp_avg": rand(2)} for i in range(n)}, "groups": [{"lr": 0.1}]}
    assembled("state of more parameters", optim(2), optim(4), same_bytes=False)
    assembled("and of fewer", optim(4), optim(2), same_bytes=False)

    m = train(net())
    donor = train(net())
    want = {**m, "model": collections.OrderedDict(donor["model"])}
    assembled("one layer of another", m, donor, "model.", want=want, exact=False)

    base = rand(6, 8)
    shared = {"whole": base, "rows": base[1:3], "free": a}
    assembled("a view goes, its storage stays", shared, {"whole": base, "free": a}, same_bytes=False)
    assembled("a view becomes its own", shared, {"whole": base, "rows": rand(3, 3), "free": a}, same_bytes=False)
    refused("tied weights that differ", tied(), tied(False))
    refused("a list would move up", [a, b, c], {"0": a, "2": c})
    refused("a tuple grows", (a,), (a, b))
    if NEW:
        refused("quantised bytes have no name", {"q": torch.quantize_per_tensor(rand(4), 0.1, 0, torch.qint8)}, {"q": rand(4)})


# --- through git ---

def through_git():
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(HOME=d, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid",
                          GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid")
        repo = f"{d}/r"
        run("git", "init", "-q", "-b", "main", repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.pt", cwd=repo)
        model, sums = net(), []
        for i in range(3):
            torch.save(train(model, 1), f"{repo}/m.pt")
            os.utime(f"{repo}/m.pt", (1e9 + i, 1e9 + i))
            sums.append(sha(f"{repo}/m.pt"))
            git("add", ".", cwd=repo)
            git("commit", "-q", "-m", str(i), cwd=repo)
        text = git("show", "HEAD:m.pt", cwd=repo)
        ok("\nformat torch\n" in text, "git has a manifest", text[:300])
        ok('\ntensor "model.0.weight" f32 [3,4] ' in text, "with the tensors' names")
        ok('"optimizer.state.0.exp_avg"' in text, "and the optimizer's")
        for i in range(3):
            git("checkout", "-q", f"main~{2 - i}", cwd=repo)
            ok(sha(f"{repo}/m.pt") == sums[i], f"version {i} comes back byte for byte")
        git("checkout", "-q", "main", cwd=repo)
        old = run("varve", "restore", "main~2", "--tensor", "model.0.weight", "--", "m.pt", cwd=repo)
        ok(not old.returncode, "restore of one tensor", old.stderr)
        got = torch.load(f"{repo}/m.pt")
        git("checkout", "-q", "-f", "main~2", cwd=repo)
        first = torch.load(f"{repo}/m.pt")
        git("checkout", "-q", "-f", "main", cwd=repo)
        last = torch.load(f"{repo}/m.pt")
        ok(torch.equal(got["model"]["0.weight"], first["model"]["0.weight"]), "the tensor is the old one")
        ok(torch.equal(got["model"]["2.weight"], last["model"]["2.weight"]), "another is the new one")
        merge(repo)


def merge(repo):
    """Two sides that each change one tensor."""
    def save(**change):
        state = {k: torch.zeros(64) for k in "abc"}
        for k, v in change.items():
            state[k] = torch.full((64,), float(v))
        torch.save({"epoch": 1, "model": state}, f"{repo}/n.pt")
        os.utime(f"{repo}/n.pt", (1e9, 1e9 + sum(change.values())))
        git("add", "n.pt", cwd=repo)
        git("commit", "-q", "--allow-empty", "-m", str(change), cwd=repo)
    save()
    git("switch", "-q", "-c", "side", cwd=repo)
    save(a=1)
    git("switch", "-q", "main", cwd=repo)
    save(b=2)
    r = run("git", "merge", "-q", "--no-edit", "side", cwd=repo)
    ok(not r.returncode, "a merge of two sides that changed different tensors", r.stdout + r.stderr)
    m = torch.load(f"{repo}/n.pt")["model"]
    ok([float(m[k][0]) for k in "abc"] == [1, 2, 0], "has both changes", m)
    merged = sha(f"{repo}/n.pt")
    save(a=1, b=2)
    ok(sha(f"{repo}/n.pt") == merged, "and is the file that torch would have saved")


class Scripted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.register_buffer("seen", torch.ones(2))

    def forward(self, x):
        return self.linear(x) + self.seen.sum()


def script():
    """TorchScript: its tensors are seen, one of them is brought back, and the program still runs."""
    with tempfile.TemporaryDirectory() as repo:
        git("init", "-q", "-b", "main", cwd=repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.pt", cwd=repo)
        models = []
        for i in range(2):
            models.append(torch.jit.script(Scripted()))
            models[i].save(f"{repo}/s.pt")
            os.utime(f"{repo}/s.pt", (1e9, 1e9 + i))
            git("add", "-A", cwd=repo)
            git("commit", "-q", "-m", str(i), cwd=repo)
        shown = json.loads(run("varve", "show", "--json", "s.pt", cwd=repo).stdout)
        ok({t["name"]: t["shape"] for t in shown["tensors"]} ==
           {k: list(v.shape) for k, v in models[1].state_dict().items()}, "TorchScript: its tensors", shown["tensors"])
        ok([f["code"] for f in shown["findings"]] == ["torchscript"], "and that it is a program", shown["findings"])
        r = run("varve", "restore", "HEAD~1", "--tensor", "linear.weight", "--", "s.pt", cwd=repo)
        got = torch.jit.load(f"{repo}/s.pt")
        x = torch.ones(1, 3)
        ok(not r.returncode and torch.equal(got.linear.weight, models[0].linear.weight) and
           torch.equal(got.linear.bias, models[1].linear.bias), "restore of one tensor", r.stderr)
        want = x @ models[0].linear.weight.T + models[1].linear.bias + 2
        ok(torch.allclose(got(x), want), "and the program runs with it")
        ok(run("varve", "scan", "--strict", "s.pt", cwd=repo).returncode == 0, "and is safe to load")


def distributed():
    """A checkpoint of torch.distributed, saved by one process: back byte for byte, values restored in place."""
    if not NEW:
        return
    import torch.distributed.checkpoint as dcp

    def state(seed):
        torch.manual_seed(seed)
        return {"model": {f"layer.{i}": torch.randn(8, 4) for i in range(20)}, "half": torch.randn(9).bfloat16(), "step": seed}

    def load(path):
        got = {"model": {f"layer.{i}": torch.zeros(8, 4) for i in range(20)}, "half": torch.zeros(9).bfloat16(), "step": 0}
        dcp.load(got, checkpoint_id=path)
        return got

    def same(a, b):
        return a["step"] == b["step"] and torch.equal(a["half"], b["half"]) and \
            all(torch.equal(a["model"][k], b["model"][k]) for k in a["model"])
    with tempfile.TemporaryDirectory() as repo:
        git("init", "-q", "-b", "main", cwd=repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.distcp", "*.metadata", cwd=repo)
        files = (".metadata", "__0_0.distcp")
        for seed in (3, 4):
            dcp.save(state(seed), checkpoint_id=f"{repo}/c")
            for f in files:
                os.utime(f"{repo}/c/{f}", (1e9, 1e9 + seed))
            git("add", "-A", cwd=repo)
            git("commit", "-q", "-m", str(seed), cwd=repo)
        was = [sha(f"{repo}/c/{f}") for f in files]
        text = git("show", "HEAD:c/__0_0.distcp", cwd=repo)
        ok("\nformat torch-dcp\n" in text and text.count("\ntensor ") == 21 and "\nfinding" not in text,
           "dcp: tensors in the manifest", text[:600])
        text = git("show", "HEAD:c/.metadata", cwd=repo)
        ok("\nformat torch-dcp-index\n" in text and "\nfinding" not in text, "dcp: the index is one, without a finding", text[:600])
        with open(f"{repo}/c/.metadata", "rb") as f:
            told = pickle.load(f).state_dict_metadata
        want = sorted((k, list(v.size), str(v.properties.dtype)) for k, v in told.items() if hasattr(v, "chunks"))
        names = {"f32": "torch.float32", "bf16": "torch.bfloat16"}
        whole = json.loads(run("varve", "show", "--json", "c/.metadata", cwd=repo).stdout)
        got = sorted((t["name"], t["shape"], names[t["dtype"]]) for t in whole["tensors"])
        ok(got == want and len(got) == 21, "dcp: names, shapes and types are those that the index has", str(got)[:600])
        r = run("varve", "diff", "HEAD~1:c/.metadata", "HEAD:c/.metadata", cwd=repo)
        ok("  changed  model.layer.7 " in r.stdout and " 21 tensors changed" in r.stdout, "dcp: diff by name", r.stdout + r.stderr)
        for f in files:
            os.unlink(f"{repo}/c/{f}")
        git("checkout", "-q", "--", ".", cwd=repo)
        ok([sha(f"{repo}/c/{f}") for f in files] == was, "dcp: comes back byte for byte")
        ok(same(load(f"{repo}/c"), state(4)), "dcp: loads as before")
        ok(run("varve", "scan", "--strict", "c/__0_0.distcp", cwd=repo).returncode == 0, "dcp: is safe to load")
        r = run("varve", "restore", "HEAD~1", "--tensor", "*", "--", "c/__0_0.distcp", cwd=repo)
        want = dict(state(3), step=4)
        ok(not r.returncode and same(load(f"{repo}/c"), want), "dcp: tensors of another version in this one", r.stderr)


torch.manual_seed(1)
print(f"# torch {torch.__version__}")
same_set()
other_set()
through_git()
script()
distributed()
end()
