#!/usr/bin/env python3
"""varve and HDF5: what h5py and Keras save comes back byte for byte, what varve assembles they load.

Skips itself where h5py is not installed, and Keras' part where Keras is not. On PATH: varve, git-varve, assemble.
"""
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as e:
    print(f"1..0 # SKIP no h5py: {e}")
    sys.exit(0)

from lib import *
os.environ.setdefault("KERAS_BACKEND", "torch")
try:
    import keras
    KERAS = ""
except ImportError as e:
    KERAS = str(e)

VERSIONS = ["earliest", "v108", "v110", "latest"]


def rand(*shape):
    return np.random.default_rng().standard_normal(shape).astype("f4")


# --- files ---

def layers(path, libver, n=60, block=0):
    with h5py.File(path, "w", libver=libver, userblock_size=block) as f:
        for i in range(n):
            g = f.create_group(f"model/layer {i}")
            g["kernel"] = rand(3, 4)
            g["bias"] = rand(4)
            for k in range(12):
                g["bias"].attrs[f"note {k}"] = f"{k}" * 40
        f["tied"] = f["model/layer 0/kernel"]


def many(path, libver, n=6000):
    """Groups so large that their B-trees have levels, and heaps blocks of blocks."""
    with h5py.File(path, "w", libver=libver) as f:
        g = f.create_group("g")
        g["w"] = rand(2)
        for i in range(n):
            g[f"name {i} " + "long " * 30] = g["w"]


def compact(path, libver):
    with h5py.File(path, "w", libver=libver) as f:
        for i in range(20):
            p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            p.set_layout(h5py.h5d.COMPACT)
            d = h5py.Dataset(h5py.h5d.create(f.id, f"c{i}".encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5,)), p))
            d[...] = rand(5)


KINDS = {
    "plain": dict(shape=(5, 7), chunks=(2, 3)),
    "gzip": dict(shape=(9, 8), chunks=(4, 8), compression="gzip", shuffle=True, fletcher32=True),
    "whole": dict(shape=(6, 6), chunks=(6, 6), compression="gzip"),
    "grows": dict(shape=(90, 2), chunks=(1, 2), maxshape=(None, 2)),
    "wide": dict(shape=(2, 90), chunks=(2, 1), maxshape=(3, None), compression="gzip"),
    "both": dict(shape=(10, 20), chunks=(2, 3), maxshape=(None, None)),
    "long": dict(shape=(1030,), chunks=(1,)),
}


def chunks(path, libver):
    with h5py.File(path, "w", libver=libver) as f:
        for name, how in KINDS.items():
            f.create_dataset(name, data=rand(*how["shape"]), **{k: v for k, v in how.items() if k != "shape"})
        d = f.create_dataset("far", (200000,), "f4", chunks=(1,), maxshape=(None,))
        d[3] = d[150000] = d[199999] = 1.5


def chunk_values(repo, name):
    """Every chunk that was written is told, and a few of each dataset are what h5py reads."""
    told = {t["name"] for t in json.loads(run("varve", "show", "--json", name, cwd=repo).stdout)["tensors"]}
    with h5py.File(f"{repo}/{name}") as f:
        count = sum(f[k].id.get_num_chunks() for k in f)
        ok(len(told) == count, f"{name}: as many as there are chunks", (len(told), count))
        wrong = []
        for k in f:
            d = f[k]
            some = [t for t in told if t == k or t.startswith(k + "[")]
            for t in (some[0], some[-1], some[len(some) // 2]):
                at = [int(x) for x in t[len(k) + 1:-1].split(",")] if t != k else [0] * d.ndim
                r = subprocess.run(("varve", "cat", "-q", name, t), cwd=repo, capture_output=True)
                have, want = np.load(io.BytesIO(r.stdout)), d[tuple(slice(o, o + n) for o, n in zip(at, d.chunks))]
                if have.shape != d.chunks or not np.array_equal(have[tuple(map(slice, want.shape))], want):
                    wrong.append(t)
        ok(not wrong, f"{name}: chunks are what h5py reads", wrong)


def contents(path):
    """Every dataset by each of its paths."""
    found = {}

    def group(g, at, above):
        for name in g:
            o = g.get(name)
            if isinstance(o, h5py.Dataset):
                found[at + name] = (o.dtype.str, o.shape, o[()].tobytes())
            elif o is not None and o.id not in above:
                group(o, at + name + "/", above + [o.id])
    with h5py.File(path) as f:
        group(f, "", [f.id])
    return found


# --- assembling ---

def assembled(what, make, name):
    """One file's elements in another's frame."""
    with tempfile.TemporaryDirectory() as d:
        for sub in ("frame", "donor", "out"):
            os.mkdir(f"{d}/{sub}")
        make(f"{d}/frame/{name}")
        make(f"{d}/donor/{name}")
        r = run("assemble", f"{d}/frame/{name}", f"{d}/donor/{name}", f"{d}/out/{name}")
        ok(not r.returncode, what + ": assembled", r.stderr)
        if not r.returncode:
            got, want = contents(f"{d}/out/{name}"), contents(f"{d}/donor/{name}")
            ok(got == want, what + ": h5py reads what is wanted", [k for k in want if got.get(k) != want[k]][:5])
            ok(os.path.getsize(f"{d}/out/{name}") == os.path.getsize(f"{d}/frame/{name}"), what + ": its size")


# --- through git ---

def comes_back(repo, name, make, fmt, words, load):
    """Added, removed, restored, and loaded by its own tool."""
    make(f"{repo}/{name}")
    was, want = sha(f"{repo}/{name}"), load(f"{repo}/{name}")
    git("add", name, cwd=repo)
    git("commit", "-q", "-m", name, cwd=repo)
    text = git("show", f"HEAD:{name}", cwd=repo)
    ok(f"\nformat {fmt}\n" in text, f"{name}: git has a manifest", text[:300])
    for w in words:
        ok(w in text, f"{name}: {w}", text[:2000])
    os.unlink(f"{repo}/{name}")
    git("checkout", "-q", "--", name, cwd=repo)
    ok(sha(f"{repo}/{name}") == was, f"{name}: comes back byte for byte")
    ok(load(f"{repo}/{name}") == want, f"{name}: loads as before")


def dense():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(64, name="first"), keras.layers.Dense(2, name="last")])


def trained(path):
    """With an optimizer's state, as training leaves it."""
    m = dense()
    m.compile("adam", "mse")
    m.fit(rand(8, 4), rand(8, 2), verbose=0)
    m.save(path)


def keras_load(path):
    return [w.tobytes() for w in keras.models.load_model(path, compile=False).get_weights()]


def keras_files(repo):
    first = ('tensor "layers/dense/vars/0" f32 [4,64] ', 'tensor "optimizer/vars/')
    comes_back(repo, "m.keras", trained, "keras", first, keras_load)
    comes_back(repo, "m.h5", trained, "hdf5", ("first/kernel",), keras_load)

    def weights(path):
        dense().save_weights(path)

    def load_weights(path):
        m = dense()
        m.load_weights(path)
        return [w.tobytes() for w in m.get_weights()]
    comes_back(repo, "m.weights.h5", weights, "hdf5", ('tensor "layers/dense/vars/0" f32 [4,64] ',), load_weights)
    with tempfile.TemporaryDirectory() as d:
        a, b = dense(), dense()
        for m, sub in ((a, "a"), (b, "b")):
            os.mkdir(f"{d}/{sub}")
            m.save(f"{d}/{sub}/m.keras")
        r = run("assemble", f"{d}/a/m.keras", f"{d}/b/m.keras", f"{d}/m.keras")
        ok(not r.returncode, "one model's weights in another's archive", r.stderr)
        ok(keras_load(f"{d}/m.keras") == keras_load(f"{d}/b/m.keras"), "Keras loads them")


def keras_graphs():
    """Layers, activations, inputs and the optimizer are those of the model that Keras loads."""
    k = keras.layers
    x = y = keras.Input((16, 16, 3), name="image")
    for i in range(3):
        y = k.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{i}")(y)
        y = k.BatchNormalization(name=f"norm{i}")(y)
    y = k.Add(name="sum")([y, k.Conv2D(8, 1, name="skip")(x)])
    y = k.Dense(2, activation="softmax", name="end")(k.GlobalAveragePooling2D(name="mean")(k.LeakyReLU(name="leak")(y)))
    functional = keras.Model(x, y, name="net")
    recurrent = keras.Sequential([keras.Input((None, 5)), k.GRU(4, return_sequences=True), k.LSTM(3), k.Dense(1, activation="gelu")])
    models = {"functional": functional, "sequential": dense(), "recurrent": recurrent,
              "mobile": keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=3, alpha=0.35)}
    for name, m in models.items():
        m.compile(keras.optimizers.RMSprop(0.01), keras.losses.MeanSquaredError())
        for suffix in (".keras", ".h5"):
            with tempfile.TemporaryDirectory() as d:
                m.save(d + "/m" + suffix)
                shown = json.loads(run("varve", "show", "--json", d + "/m" + suffix).stdout)
                loaded = keras.models.load_model(d + "/m" + suffix, compile=False)
            g = shown["graph"]
            layers = loaded._layers if isinstance(loaded, keras.Sequential) else loaded.layers
            want = [(type(n).__name__, n.name) for n in layers]
            have = [(n["op"], n["name"]) for n in g["nodes"] if not n["depth"]]
            ok(have == want, f"{name}{suffix}: {len(want)} layers are Keras' own", f"{have}\n{want}")
            said = [getattr(getattr(n, "activation", None), "__name__", None) for n in layers]
            want = [None if a == "linear" else a for n, a in zip(layers, said)]
            have = [n["activation"] if a else None for n, a in zip(g["nodes"], said)]
            ok(have == want, f"{name}{suffix}: activations", f"{have}\n{want}")
            shape = [v["shape"] for v in g["inputs"]]
            ok(shape == [list(t.shape) for t in loaded.inputs], f"{name}{suffix}: inputs", shape)
            if name != "sequential" and not isinstance(loaded, keras.Sequential):
                froms = [[t._keras_history.operation.name for node in n._inbound_nodes for t in node.input_tensors] for n in layers]
                ok([n["inputs"] for n in g["nodes"]] == froms, f"{name}{suffix}: what layers get", froms[:5])
            if suffix == ".h5":  # saving this form takes the optimizer out of what Keras states later
                ok((g["optimizer"] or "").startswith("RMSprop (learning_rate 0.01"), f"{name}: the optimizer", g["optimizer"])


def merge(repo):
    """Two sides that each change one dataset."""
    def save(**change):
        with h5py.File(f"{repo}/n.h5", "w") as f:
            for k in "abc":
                f[k] = np.full(64, change.get(k, 0), "f4")
        os.utime(f"{repo}/n.h5", (1e9, 1e9 + sum(change.values())))
        git("add", "n.h5", cwd=repo)
        git("commit", "-q", "--allow-empty", "-m", str(change), cwd=repo)
    save()
    git("switch", "-q", "-c", "side", cwd=repo)
    save(a=1)
    git("switch", "-q", "main", cwd=repo)
    save(b=2)
    r = run("git", "merge", "-q", "--no-edit", "side", cwd=repo)
    ok(not r.returncode, "a merge of two sides that changed different datasets", r.stdout + r.stderr)
    with h5py.File(f"{repo}/n.h5") as f:
        ok([float(f[k][0]) for k in "abc"] == [1, 2, 0], "has both changes")


def through_git():
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(HOME=d, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid",
                          GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid")
        repo = f"{d}/r"
        run("git", "init", "-q", "-b", "main", repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.h5", "*.keras", cwd=repo)
        git("add", ".", cwd=repo)
        git("commit", "-q", "-m", "track", cwd=repo)
        kernel = ('tensor "model/layer 59/kernel" f32 [3,4] ',)
        for v in VERSIONS:
            comes_back(repo, f"layers-{v}.h5", lambda p, v=v: layers(p, v), "hdf5", kernel, contents)
        comes_back(repo, "block.h5", lambda p: layers(p, "latest", block=1024), "hdf5", kernel, contents)
        for v in ("earliest", "latest"):
            comes_back(repo, f"many-{v}.h5", lambda p, v=v: many(p, v), "hdf5", ("name 5999 long", "name 0 long"), contents)
        for v in ("earliest", "latest"):
            comes_back(repo, f"chunks-{v}.h5", lambda p, v=v: chunks(p, v), "hdf5",
                       ('tensor "plain[2,3]" f32 [2,3] ', 'packed "gzip[4,0]" f32 [4,8] - shuffle-zlib-fletcher32 0'), contents)
            chunk_values(repo, f"chunks-{v}.h5")
        merge(repo)
        if KERAS:
            print(f"# no Keras: {KERAS}")
        else:
            keras_files(repo)
            keras_graphs()
        shutil.rmtree(repo)


print(f"# h5py {h5py.version.version}, HDF5 {h5py.version.hdf5_version}")
for version in VERSIONS:
    assembled(f"layers, {version}", lambda p, v=version: layers(p, v), "m.h5")
    assembled(f"small ones, {version}", lambda p, v=version: compact(p, v), "m.h5")
through_git()
end()
