#!/usr/bin/env python3
"""Measures varve beside Git LFS (and DVC where it is installed) on the same files, in one run.

usage: bench.py [--only NAME,...] [--series DIR] [--gib N] [--runs N] [--keep DIR]

Parts: series solo casts speed memory status growth tensors kept locate merge. Prints Markdown. Times are medians of --runs
after one warm-up; CPU is user + system of all child processes; the two tools take turns, so that a
slow minute of the machine hits both. --series names a folder with NAME-bf16.safetensors files of
consecutive checkpoints; without it a series is trained with demo/train.py. Needs python3-numpy, git,
git-lfs.
"""
import argparse, hashlib, json, math, os, resource, shutil, statistics, struct, subprocess, sys, tempfile, threading, time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OPT = None
ENV = dict(os.environ, VARVE_MEASURE="0")


# --- running things ---

def sh(*cmd, cwd=None, check=True, env=None, out=False):
    p = subprocess.run([str(c) for c in cmd], cwd=cwd, env=env or ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if check and p.returncode:
        sys.exit(f"{cmd}: {p.stderr.decode()}")
    return p.stdout if out else p


def timed(*cmd, cwd=None, env=None):
    """Wall and CPU seconds of one command."""
    a, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    sh(*cmd, cwd=cwd, env=env)
    t, b = time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN)
    return t, b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime


def turns(setups, runs):
    """Runs each of {name: (prepare, command, cwd, env)} in turn; medians of (wall, cpu) by name."""
    got = {n: [] for n in setups}
    for i in range(runs + 1):
        for n, (prepare, cmd, cwd, env) in setups.items():
            prepare()
            os.sync()
            r = timed(*cmd, cwd=cwd, env=env)
            if i:
                got[n].append(r)
    return {n: tuple(statistics.median(x[k] for x in v) for k in (0, 1)) for n, v in got.items()}


def median_wall(n, *cmd, cwd=None, env=None):
    return statistics.median(timed(*cmd, cwd=cwd, env=env)[0] for _ in range(n))


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for r in rows:
        print("| " + " | ".join(f"{x:.3f}" if isinstance(x, float) else str(x) for x in r) + " |")
    print(flush=True)


def tree_bytes(path):
    return sum(f.stat().st_size for f in Path(path).rglob("*") if f.is_file() and not f.is_symlink())


# --- repositories ---

def repo(path, tool, pattern="*.safetensors"):
    path.mkdir(parents=True)
    sh("git", "init", "-q", "-b", "main", cwd=path)
    if tool == "varve":
        sh("varve", "init", "-q", cwd=path)
        sh("varve", "track", "-q", pattern, cwd=path)
    elif tool == "lfs":
        sh("git", "lfs", "install", "--local", cwd=path)
        sh("git", "lfs", "track", pattern, cwd=path)
    elif tool == "dvc":
        sh("dvc", "init", "-q", cwd=path)
    if tool in ("varve", "lfs"):
        sh("git", "add", ".gitattributes", cwd=path)
    sh("git", "commit", "-qm", "start", "--allow-empty", cwd=path)
    return path


ADD = {"varve": ("varve", "add", "-q"), "lfs": ("git", "add"), "git add": ("git", "add"), "dvc": ("dvc", "add", "-q")}
STORE = {"varve": ".git/varve/packs", "lfs": ".git/lfs/objects", "dvc": ".dvc/cache"}


def tools():
    return ["varve", "lfs"] + (["dvc"] if shutil.which("dvc") else [])


def commit(path, tool, name, message):
    r = timed(*ADD[tool], name, cwd=path)
    if tool == "dvc":
        sh("git", "add", name + ".dvc", ".gitignore", cwd=path)
    sh("git", "commit", "-qm", message, cwd=path)
    return r


# --- data ---

def bf16(x):
    u = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def write_model(path, tensors, dtype="BF16", width=2):
    """tensors: [(name, shape, function that yields its bytes in pieces)]"""
    head, off = {}, 0
    for name, shape, _ in tensors:
        n = int(np.prod(shape)) * width
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [off, off + n]}
        off += n
    h = json.dumps(head).encode()
    h += b" " * (-len(h) % 8)
    with open(f"{path}.new", "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h)
        for _, _, pieces in tensors:
            for p in pieces():
                f.write(p)
    os.replace(f"{path}.new", path)
    settle(path)


def put(src, dst):
    """A new file each time: git does not see another content of one size, inode and second."""
    shutil.copy(src, f"{dst}.new")
    os.replace(f"{dst}.new", dst)


def settle(path):
    """As if saved a while ago: git re-reads files that are as young as its index."""
    old = time.time() - 10
    os.utime(path, (old, old))


def trained(seed, rows, cols, delta=0.0):
    """Bytes of a bf16 matrix as training leaves it: normal, with a scale for each row; delta: a later step."""
    def pieces():
        rng, upd = np.random.default_rng(seed), np.random.default_rng(seed + 1000003)
        step = max(1, (1 << 22) // cols)
        for r in range(0, rows, step):
            n = min(step, rows - r)
            scale = 0.02 * np.exp(0.3 * rng.standard_normal((n, 1), np.float32))
            w = rng.standard_normal((n, cols), np.float32) * scale
            if delta:
                w += upd.standard_normal((n, cols), np.float32) * np.float32(delta)
            yield bf16(w).tobytes()
    return pieces


def model_file(path, size, delta=0.0):
    cols, left, tensors, i = 4096, size, [], 0
    while left > 0:
        rows = min(left // (2 * cols), [11008, 4096, 4096, 11008][i % 4])
        if rows == 0:
            break
        tensors.append((f"model.layers.{i}.weight", (rows, cols), trained(i, rows, cols, delta)))
        left -= rows * cols * 2
        i += 1
    write_model(path, tensors)


def random_file(path, size):
    rng = np.random.default_rng(7)
    with open(path, "wb") as f:
        for _ in range(size >> 24):
            f.write(rng.bytes(1 << 24))
    settle(path)


def series(work):
    if OPT.series:
        order = ["pre00700", "pre00800", "ft00200", "ft00290", "ft00300"]
        return [Path(OPT.series) / f"gpt9m-{n}-bf16.safetensors" for n in order]
    files = []
    for i in range(5):
        out = work / f"stage{i}.safetensors"
        sh(sys.executable, HERE.parent / "demo/train.py", files[-1] if files else "-", out, 300 if i == 0 else 60,
           2e-3 if i == 0 else 1e-4, "--seed", i)
        files.append(out)
    return files


# --- parts ---

def part_series(work):
    print("## Five versions of one bf16 model, committed one after another\n")
    files = series(work)
    raw = sum(f.stat().st_size for f in files)
    rows = []
    for tool in tools():
        r = repo(work / f"series-{tool}", tool)
        t = 0
        for i, f in enumerate(files):
            put(f, r / "model.safetensors")
            settle(r / "model.safetensors")
            t += commit(r, tool, "model.safetensors", f"v{i}")[0]
        size = tree_bytes(r / STORE[tool])
        rows.append((tool, f"{raw / 1e6:.1f} MB", f"{size / 1e6:.1f} MB", size / raw, t))
    table(["tool", "raw", "store", "store / raw", "add, s, sum of 5"], rows)


def part_solo(work):
    if not OPT.series:
        return
    print("## One version alone, and one pair\n")
    rows = []
    base = Path(OPT.series)
    for title, names in [("one bf16", ["pre00700-bf16"]), ("one fp32", ["ft00300-fp32"]),
                         ("fp32 ft00290 then ft00300: the second", ["ft00290-fp32", "ft00300-fp32"]),
                         ("fp32 ft00300 then its bf16: the second", ["ft00300-fp32", "ft00300-bf16"])]:
        r = repo(work / title.replace(" ", "-"), "varve")
        before = 0
        for n in names:
            src = base / f"gpt9m-{n}.safetensors"
            put(src, r / "model.safetensors")
            settle(r / "model.safetensors")
            last = before
            commit(r, "varve", "model.safetensors", n)
            before = tree_bytes(r / STORE["varve"])
        rows.append((title, src.stat().st_size, before - last, (before - last) / src.stat().st_size))
    table(["what", "raw bytes", "stored bytes", "ratio"], rows)


def part_casts(work):
    """What varve convert makes of a stored model in another type: it is coded against its original."""
    print("## Copies of a stored model in another type\n")
    src = sorted(Path(OPT.series).glob("*-fp32.safetensors"))[-1] if OPT.series else None
    r = repo(work / "casts", "varve")
    sh("varve", "track", "-q", "*.gguf", cwd=r)
    if src:
        put(src, r / "model.safetensors")
    else:
        model_file(r / "bf16.safetensors", 64 << 20)
        sh("varve", "convert", "-q", "-d", "f32", "bf16.safetensors", "-o", "model.safetensors", cwd=r)
        (r / "bf16.safetensors").unlink()
    settle(r / "model.safetensors")
    commit(r, "varve", "model.safetensors", "original")
    rows = []
    for dtype, name in (("bf16", "bf16.safetensors"), ("f16", "f16.safetensors"), ("int8", "int8.safetensors"), ("q8_0", "q8_0.gguf")):
        sh("varve", "convert", "-q", "-d", dtype, "model.safetensors", "-o", name, cwd=r)
        settle(r / name)
        got = json.loads(sh("varve", "add", "--json", name, cwd=r, out=True))["files"][0]
        rows.append((dtype, got["size"], got["stored"], f"{100 * got['stored'] / got['size']:.2f} %"))
    table(["type", "bytes of the copy", "stored bytes", "of it"], rows)


def part_speed(work):
    size = int(OPT.gib * (1 << 30))
    files = [(f"{OPT.gib:g} GiB bf16 model", lambda p: model_file(p, size)),
             (f"{OPT.gib:g} GiB bf16, next version", lambda p: model_file(p, size, 2e-4)),
             (f"{OPT.gib:g} GiB random bytes", lambda p: random_file(p, size)),
             ("8 MB bf16 model", lambda p: model_file(p, 8 << 20))]
    print(f"## Add and restore, {OPT.runs} runs, {os.cpu_count()} cores\n")
    add_rows, get_rows = [], []
    files = [f for f in files if not OPT.files or any(w in f[0] for w in OPT.files.split(","))]
    base = work / "base.safetensors"
    model_file(base, size)
    for title, make in files:
        data = work / "data.safetensors"
        make(data)
        kinds = ["varve", "lfs", "git add"] + (["dvc"] if "dvc" in tools() else [])
        setups, dirs = {}, {}
        for kind in kinds:
            d = dirs[kind] = work / f"speed-{kind.replace(' ', '')}"

            def prepare(d=d, kind=kind):
                shutil.rmtree(d, ignore_errors=True)
                tool = "varve" if kind == "git add" else kind
                repo(d, tool)
                if "next" in title and tool != "dvc":
                    put(base, d / "model.safetensors")
                    settle(d / "model.safetensors")
                    commit(d, tool, "model.safetensors", "base")
                put(data, d / "model.safetensors")
                settle(d / "model.safetensors")
            setups[kind] = (prepare, ADD[kind] + ("model.safetensors",), d, None)
        got = turns(setups, OPT.runs)
        for kind in kinds:
            w, c = got[kind]
            add_rows.append((title, "varve (git add)" if kind == "git add" else kind, w, c,
                             got["lfs"][0] / w, got["lfs"][1] / c))
        setups = {}
        for kind in ["varve", "lfs"] + (["dvc"] if "dvc" in tools() else []):
            d = dirs[kind]
            if kind == "dvc":
                sh("git", "add", "-A", cwd=d)
            sh("git", "commit", "-qm", "model", cwd=d)
            cmd = ("dvc", "checkout", "-q", "--force") if kind == "dvc" else ("git", "checkout", "-q", "--", "model.safetensors")

            def drop(d=d):
                (d / "model.safetensors").unlink(missing_ok=True)
            setups[kind] = (drop, cmd, d, None)
        got = turns(setups, OPT.runs)
        want = sh("sha256sum", data, out=True)[:64]
        for kind in got:
            assert sh("sha256sum", dirs[kind] / "model.safetensors", out=True)[:64] == want, f"{kind}: not the same bytes"
            w, c = got[kind]
            get_rows.append((title, kind, w, c, got["lfs"][0] / w, got["lfs"][1] / c))
        for d in dirs.values():
            shutil.rmtree(d, ignore_errors=True)
    print("Add:\n")
    table(["file", "tool", "wall s", "CPU s", "LFS wall / this", "LFS CPU / this"], add_rows)
    print("Restore (the file removed, then git checkout; dvc checkout links or copies from its cache):\n")
    table(["file", "tool", "wall s", "CPU s", "LFS wall / this", "LFS CPU / this"], get_rows)


class Peaks(threading.Thread):
    """Highest resident memory of processes by name, sampled from /proc while a command runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stop, self.peak = False, {}

    def run(self):
        while not self.stop:
            for p in os.listdir("/proc"):
                if p.isdigit():
                    try:
                        s = Path(f"/proc/{p}/status").read_text()
                    except OSError:
                        continue
                    name = s.split("\n", 1)[0][6:].strip()
                    if name in ("git", "varve") and "VmHWM:" in s:
                        kib = int(s.split("VmHWM:")[1].split()[0])
                        self.peak[name] = max(self.peak.get(name, 0), kib)
            time.sleep(0.005)


# The kernel's figure takes in the process that called exec: a small one here, some 10 MiB.
LARGEST = """import os, sys
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(usage.ru_maxrss)
sys.exit(status != 0)"""


def part_memory(work):
    size = int(4 * OPT.gib * (1 << 30))
    print(f"## Peak memory, {size >> 30} GiB model\n")
    d = repo(work / "memory", "varve")
    model_file(d / "model.safetensors", size)
    rows = []

    def peak(title, *cmd):
        p = Peaks()
        p.start()
        kib = int(sh(sys.executable, "-S", "-c", LARGEST, *cmd, cwd=d, out=True).split()[-1])
        p.stop = True
        p.join()
        rows.append((title, *(f"{x / 1024:.0f} MiB" for x in (p.peak.get("git", 0), p.peak.get("varve", 0), kib))))
    peak("varve add", "varve", "add", "-q", "model.safetensors")
    sh("git", "commit", "-qm", "model", cwd=d)
    peak("git status", "git", "status")
    (d / "model.safetensors").unlink()
    peak("git checkout", "git", "checkout", "-q", "--", "model.safetensors")
    sh("git", "rm", "-q", "--cached", "model.safetensors", cwd=d)
    peak("git add", "git", "add", "model.safetensors")
    peak("varve fsck", "varve", "fsck")
    table(["command", "git, seen", "varve, seen", "the largest, by the kernel"], rows)
    disk = tree_bytes(d)
    print(f"Worktree and store together: {disk / size:.3f} of the raw model.\n")


def status_pair(d, runs=20):
    off = dict(ENV, GIT_CONFIG_COUNT="2", GIT_CONFIG_KEY_0="filter.varve.clean", GIT_CONFIG_VALUE_0="",
               GIT_CONFIG_KEY_1="filter.varve.required", GIT_CONFIG_VALUE_1="false")
    a, b = [], []
    for _ in range(runs):
        a.append(timed("git", "status", cwd=d)[0])
        b.append(timed("git", "status", cwd=d, env=off)[0])
    return statistics.median(a), statistics.median(b)


def part_status(work):
    print("## git status, warm, median of 20, against the same files with the filter unset\n")
    d = repo(work / "status", "varve")
    rows = []
    for i in range(3):
        model_file(d / "model.safetensors", 64 << 20, i * 1e-4)
        commit(d, "varve", "model.safetensors", f"v{i}")
    ops = [("varve add, git commit", None), ("checkout", ("git", "checkout", "-q", "HEAD~1")),
           ("switch", ("git", "switch", "-q", "main")), ("reset --hard", ("git", "reset", "-q", "--hard", "HEAD~1")),
           ("merge", ("git", "merge", "-q", "ORIG_HEAD"))]
    for title, cmd in ops:
        if cmd:
            sh(*cmd, cwd=d)
        trace = work / "trace"
        trace.unlink(missing_ok=True)
        s = sh("git", "status", "--porcelain", cwd=d, env=dict(ENV, GIT_TRACE=str(trace)), out=True)
        filters = trace.read_text().count("varve clean") if trace.exists() else 0
        a, b = status_pair(d)
        rows.append((title, "clean" if not s else s.decode(), filters, a * 1e3, b * 1e3, a / b))
    table(["after", "status", "filter runs", "ms", "ms, filter unset", "ratio"], rows)


def small_model(path, version, tensors=12):
    rng = np.random.default_rng(3)
    base = [rng.standard_normal(16384, np.float32) * 0.02 for _ in range(tensors)]
    k = np.random.default_rng(100 + version)
    base[version % tensors] = base[version % tensors] + k.standard_normal(16384, np.float32) * 1e-3
    write_model(path, [(f"h.{i}.weight", (128, 128), lambda b=b: [bf16(b).tobytes()]) for i, b in enumerate(base)])


def part_growth(work):
    print("## Cost against the number of versions (small model, 12 tensors)\n")
    d = repo(work / "growth", "varve")
    rows, done, times = [], 0, []
    for n in (10, 100, 1000):
        times = []
        while done < n:
            small_model(d / "model.safetensors", done)
            t = timed("varve", "add", "-q", "model.safetensors", cwd=d)[0]
            t += timed("git", "commit", "-qm", f"v{done}", cwd=d)[0]
            times.append(t)
            done += 1
        first = sh("git", "rev-list", "--max-parents=0", "HEAD", cwd=d, out=True).decode().split()[0]
        oldest = sh("git", "rev-list", "--reverse", f"{first}..HEAD", cwd=d, out=True).decode().split()[0]
        sh("git", "checkout", "-q", oldest, cwd=d)
        back = timed("git", "checkout", "-q", "main", cwd=d)[0]
        old = timed("git", "checkout", "-q", oldest, cwd=d)[0]
        sh("git", "checkout", "-q", "main", cwd=d)
        rows.append((n, statistics.median(times[-10:]) * 1e3, median_wall(5, "git", "status", cwd=d) * 1e3,
                     median_wall(3, "varve", "log", "model.safetensors", cwd=d) * 1e3, old * 1e3, back * 1e3,
                     tree_bytes(d / STORE["varve"]) / n / 1e3))
    table(["versions", "add + commit, ms", "git status, ms", "varve log, ms", "checkout oldest, ms", "checkout newest, ms",
           "store kB per version"], rows)


def part_tensors(work):
    print("## A model of 50,000 tensors\n")
    d = repo(work / "many", "varve")
    rng = np.random.default_rng(1)

    def make(version):
        data = bf16(rng.standard_normal(50000 * 64).astype(np.float32) * 0.02).reshape(50000, 64)
        write_model(d / "model.safetensors", [(f"model.layers.{i // 100}.experts.{i % 100}.weight", (8, 8),
                                               lambda i=i: [data[i].tobytes()]) for i in range(50000)])
    rows = []
    adds = []
    for v in range(3):
        make(v)
        adds.append(timed("git", "add", "model.safetensors", cwd=d)[0])
        sh("git", "commit", "-qm", f"v{v}", cwd=d)
    rows.append(("git add, s", statistics.median(adds)))
    make(9)
    rows.append(("varve add, s", timed("varve", "add", "-q", "model.safetensors", cwd=d)[0]))
    sh("git", "commit", "-qm", "last", cwd=d)
    a, b = status_pair(d)
    rows.append(("git status against filter unset", a / b))
    rows.append(("varve blame, s", median_wall(3, "varve", "blame", "model.safetensors", cwd=d)))
    rows.append(("git checkout HEAD~1, s", timed("git", "checkout", "-q", "HEAD~1", cwd=d)[0]))
    table(["what", "value"], rows)


def llama_7b():
    """Names and shapes of the 291 tensors of a 7-billion-parameter Llama."""
    yield "model.embed_tokens.weight", (32000, 4096)
    for i in range(32):
        for name, shape in (("self_attn.q_proj", (4096, 4096)), ("self_attn.k_proj", (4096, 4096)), ("self_attn.v_proj", (4096, 4096)),
                            ("self_attn.o_proj", (4096, 4096)), ("mlp.gate_proj", (11008, 4096)), ("mlp.up_proj", (11008, 4096)),
                            ("mlp.down_proj", (4096, 11008)), ("input_layernorm", (4096,)), ("post_attention_layernorm", (4096,))):
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", (4096,)
    yield "lm_head.weight", (32000, 4096)


BF16 = 11  # in files of kept numbers and sketches


def tensor_key(object_id, shape):
    return object_id + struct.pack("<BBQQIB", BF16, 0, 0, 0, len(shape), 0) + b"".join(struct.pack("<Q", n) for n in shape)


def part_kept(work):
    """Manifests, kept numbers and sketches are written as docs/format says: the weights, 13.5 GB each, are not there."""
    print("## Comparing versions of 7 billion parameters (three shards, 291 tensors), without weights\n")
    d, sha = repo(work / "kept", "varve"), lambda b: hashlib.sha256(b).digest()
    shards = [list(llama_7b())[i * 97:(i + 1) * 97] for i in range(3)]
    ids = {}
    for v in range(3):
        for s, tensors in enumerate(shards):
            lines, size = [], 8
            for name, shape in tensors:
                ids[v, name] = sha(f"{v} {name}".encode())
                lines.append(f'tensor "{name}" bf16 [{",".join(map(str, shape))}] {ids[v, name].hex()}\n')
                size += 2 * math.prod(shape)
            head = ('varve 1 - this text stands for a model file; "varve checkout" puts the file itself here\nformat safetensors\n'
                    f"size {size}\nsha256 {sha(f'{v} {s}'.encode()).hex()}\n")
            body = f"\nopaque 8 {sha(f'head {v} {s}'.encode()).hex()}\n" + "".join(lines)
            text = head + f"root {sha((head + body).encode()).hex()}\n" + body
            (d / f"model-0000{s + 1}-of-00003.safetensors").write_text(text)
        sh("git", "-c", "core.hooksPath=/dev/null", "add", ".", cwd=d)
        sh("git", "-c", "core.hooksPath=/dev/null", "commit", "-qm", f"v{v}", cwd=d)
    sh("git", "config", "core.hooksPath", "/dev/null", cwd=d)
    for name in ("stats", "sketches"):
        (d / ".git/varve" / name).mkdir(parents=True)

    keys, rows = b"", b""
    for name, shape in llama_7b():
        a, b = ids[0, name], ids[1, name]
        keys += tensor_key(a, shape) + tensor_key(b, shape)
        rows += a + b + struct.pack("<Q9Q11d", 3, math.prod(shape), 9, 0, 0, 0, 0, 0, 0, 1, 9, 9, .1, .01, .99, .001, 0, 0, 1, 1, math.nan)
    magic = b"varve stats 1\n\0\0"
    key = sha(magic + keys)
    text = magic + key + struct.pack("<Q", 291) + rows
    (d / ".git/varve/stats" / key.hex()).write_bytes(text + sha(text))
    magic, rng = b"varve sketch 1\n\0", np.random.default_rng(1)
    for v in range(3):
        for tensors in shards:
            made = [(sha(tensor_key(ids[v, name], shape)), name, math.prod(shape)) for name, shape in tensors]
            text = magic + struct.pack("<Q", len(made))
            for k, name, n in made:
                sums = rng.standard_normal(64 if n < 65536 else 256) * (n / 256) ** .5
                text += k + ids[v, name] + struct.pack("<QQQQddQ", n, 0, 0, 0, 0, float(n), len(sums)) + sums.astype("<f8").tobytes()
            name = sha(magic + b"".join(k for k, _, _ in made)).hex()
            (d / ".git/varve/sketches" / name).write_bytes(text + sha(text))

    out = []
    for title, words, want in (("kept numbers", ("HEAD~2", "HEAD~1"), "measured"), ("sketches", ("HEAD~2", "HEAD"), "estimated")):
        items = json.loads(sh("varve", "diff", "--json", *words, cwd=d, out=True))["files"][0]["items"]
        assert len(items) == 291 and all(i["delta"]["estimated"] == (want == "estimated") for i in items), title
        runs = [timed("varve", "diff", *words, cwd=d) for _ in range(20)]
        out.append((title, *(statistics.median(r[k] for r in runs) * 1e3 for k in (0, 1)),
                    median_wall(20, "git", "diff", *words, cwd=d) * 1e3))
    table(["from", "varve diff, ms", "of which CPU", "git diff, ms"], out)
    kept = {n: tree_bytes(d / ".git/varve" / n) for n in ("stats", "sketches")}
    print(f"Kept for each pair {kept['stats'] / 1e3:.0f} kB, for each version {kept['sketches'] / 3e3:.0f} kB.\n")


def part_locate(work):
    """What finding the tensors of 10 GiB costs; bench_locate stands where PATH or the build folder has it."""
    import bigfiles
    print("## Locating the tensors of 10 GiB\n")
    tool = shutil.which("bench_locate") or str(Path(shutil.which("varve")).resolve().parents[1] / "bench" / "bench_locate")
    rows = []
    for what, path in bigfiles.make(str(work)):
        name, tensors, size, read, ms = sh(tool, "-n", OPT.runs, path, out=True).decode().split()
        rows.append((what, name, tensors, f"{int(size) / 2**30:.2f} GiB", f"{int(read) / 1e3:.1f} kB",
                     f"{100 * int(read) / int(size):.4f} %", float(ms)))
    table(["file", "format", "tensors", "size", "read", "of it", "ms, warm"], rows)


def part_merge(work):
    """varve merge beside mergekit, which reads the same recipes. Sizes do not matter for varve's memory: it has a bound."""
    most = 64  # MiB
    d = work / "merge"
    d.mkdir(parents=True)
    size, tool = int(OPT.gib * (1 << 30)), shutil.which(os.environ.get("MERGEKIT", "mergekit-pytorch"))
    print(f"## Merging models of {size / 2**30:.1f} GiB, bf16{'' if tool else ' (mergekit is not installed)'}\n")
    for i, m in enumerate(("base", "a", "b", "c")):
        model_file(d / f"{m}.safetensors", size, 1e-4 * i)
    rows = []
    for method, models, base, own, common in (
            ("linear", "ab", None, {"weight": 0.5}, {}), ("linear", "abc", None, {"weight": 0.5}, {}),
            ("slerp", "ab", "a", {}, {"t": 0.4}), ("ties", "ab", "base", {"weight": 0.5, "density": 0.5}, {}),
            ("ties", "abc", "base", {"weight": 0.5, "density": 0.5}, {})):
        recipe = {"merge_method": method, "parameters": common, "dtype": "bfloat16", "models": [
            {"model": f"{d}/{m}.safetensors", "parameters": own or {"weight": 1}} for m in models]}
        if base:
            recipe["base_model"] = f"{d}/{base}.safetensors"
        (d / "r.yaml").write_text(json.dumps(recipe))
        got = {}
        for name, cmd in (("varve", ["varve", "merge", "-q", "r.yaml", "-o", "o.safetensors"]),
                          ("mergekit", [tool, "r.yaml", "out"] if tool else None)):
            took = []
            for i in range(OPT.runs if cmd else 0):
                for old in ("o.safetensors", "out"):
                    shutil.rmtree(d / old, ignore_errors=True) if (d / old).is_dir() else (d / old).unlink(missing_ok=True)
                os.sync()
                t = time.perf_counter()
                kib = int(sh(sys.executable, "-S", "-c", LARGEST, *cmd, cwd=d, out=True).split()[-1])
                took.append((time.perf_counter() - t, kib / 1024))
            if took:
                got[name] = tuple(statistics.median(x[k] for x in took) for k in (0, 1))
        v, k = got["varve"], got.get("mergekit")
        if v[1] > most:
            sys.exit(f"{method}: varve took {v[1]:.0f} MiB, more than {most}")
        rows.append((f"{method}, {len(models)}", v[0], f"{v[1]:.0f} MiB") + (
            (k[0], f"{k[1]:.0f} MiB", f"{k[0] / v[0]:.1f}x", f"1/{k[1] / v[1]:.1f}") if k else ("-",) * 4))
    table(["method, models", "varve, s", "peak", "mergekit, s", "peak", "faster", "memory"], rows)
    print(f"Load at the end: {os.getloadavg()[0]:.1f} runnable on {os.cpu_count()} cores.\n")


PARTS = {"series": part_series, "solo": part_solo, "casts": part_casts, "speed": part_speed, "memory": part_memory, "status": part_status,
         "growth": part_growth, "tensors": part_tensors, "kept": part_kept, "locate": part_locate, "merge": part_merge}


def main():
    global OPT
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", default=",".join(PARTS))
    ap.add_argument("--series"), ap.add_argument("--keep")
    ap.add_argument("--files", default="", help="of the speed part: words of the files' titles")
    ap.add_argument("--gib", type=float, default=1.0), ap.add_argument("--runs", type=int, default=5)
    OPT = ap.parse_args()
    work = Path(OPT.keep or tempfile.mkdtemp(prefix="varve-bench."))
    work.mkdir(exist_ok=True)
    ENV.update(HOME=str(work), GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="bench", GIT_AUTHOR_EMAIL="b@example.invalid",
               GIT_COMMITTER_NAME="bench", GIT_COMMITTER_EMAIL="b@example.invalid")
    for v in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        ENV.pop(v, None)
    if not shutil.which("git-lfs"):
        sys.exit("git-lfs is not installed: nothing to compare with")
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    print(f"{sh('varve', 'version', out=True).decode().strip()}; {sh('git', 'lfs', 'version', out=True).decode().strip()};"
          f" {sh('git', 'version', out=True).decode().strip()}; {os.cpu_count()} cores, {cpu}\n", flush=True)
    try:
        for name in OPT.only.split(","):
            PARTS[name](work)
    finally:
        if not OPT.keep:
            shutil.rmtree(work, ignore_errors=True)


main()
