#!/usr/bin/env python3
"""varve and Flax: what Flax saves comes back byte for byte and is restored; what varve merges Flax restores.

Skips itself where Flax is not installed. On PATH: varve, git-varve.
"""
import os
import sys
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
try:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import serialization
except ImportError as e:
    print(f"1..0 # SKIP no flax: {e}")
    sys.exit(0)

from lib import Repo, end, ok


def rand(*shape, dtype="float32", seed=1):
    return jax.random.normal(jax.random.key(seed), shape).astype(dtype)


def network(seed, width=8):
    return {"params": {"encoder": {"kernel": rand(16, width, seed=seed), "bias": rand(width, seed=seed + 1)},
                       "head": {"kernel": rand(width, 4, dtype="bfloat16", seed=seed + 2)}}, "step": 100}


def same(a, b):
    """Restored trees: types, shapes and bytes."""
    la, ta = jax.tree_util.tree_flatten(a)
    lb, tb = jax.tree_util.tree_flatten(b)
    return ta == tb and all(type(x) is type(y) and np.asarray(x).dtype == np.asarray(y).dtype and
                            np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in zip(la, lb))


def commit(file, tree):
    repo.commit(file, serialization.to_bytes(tree))


def trees():
    yield "network", network(1), 3
    names = ["float16", "float32", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int8", "int32", "uint8", "uint16", "bool",
             "complex64"]
    yield "types", {n: rand(3, 5, dtype=n) for n in names}, len(names)
    yield "shapes", {"scalar": jnp.float32(2), "empty": jnp.zeros((0, 7)), "deep": {str(i): rand(1, 2, 1, i) for i in range(9)}}, 11
    yield "many", {f"layer_{i}": {"kernel": rand(4, 4, seed=i), "bias": rand(300)} for i in range(200)}, 400
    yield "others", {"w": rand(4), "rate": np.float64(1e-3), "z": 1j, "text": "x" * 300, "list": [rand(2), rand(3)]}, 3
    try:
        import optax
        params = network(5)["params"]
        state = optax.adam(1e-3).init(params)
        yield "optimizer", {"params": params, "state": state}, 3 + 1 + 6
    except ImportError:
        pass
    limit, serialization.MAX_CHUNK_SIZE = serialization.MAX_CHUNK_SIZE, 1 << 10
    yield "chunks", {"large": np.asarray(rand(40, 40)), "small": np.asarray(rand(4, 4))}, 1
    serialization.MAX_CHUNK_SIZE = limit


def there_and_back():
    for name, tree, n in trees():
        file = f"{name}.msgpack"
        commit(file, tree)
        data = repo.read(file)
        text = repo.git("show", f"HEAD:{file}")
        ok("\nformat msgpack\n" in text and "\nfinding " not in text, f"{name}: git has a manifest", text[:400])
        ok(text.count("\ntensor ") == n, f"{name}: with its {n} tensors", text[:2000])
        os.remove(f"{repo.path}/{file}")
        repo.git("checkout", "--", file)
        ok(repo.read(file) == data, f"{name}: comes back byte for byte")
        ok(same(serialization.msgpack_restore(repo.read(file)), serialization.msgpack_restore(data)), f"{name}: is restored")


def merge():
    """One side changes values, the other the shape of another tensor."""
    base, ours, theirs = network(1), network(1), network(1)
    ours["params"]["encoder"]["bias"] = rand(8, seed=50)
    theirs["params"]["head"]["kernel"] = rand(300, 300, seed=51)
    commit("m.msgpack", base)
    repo.git("switch", "-q", "-c", "side")
    commit("m.msgpack", theirs)
    repo.git("switch", "-q", "main")
    commit("m.msgpack", ours)
    r = repo.run("git", "merge", "-q", "--no-edit", "side")
    ok(not r.returncode, "a merge of two sides that changed different tensors", r.stdout + r.stderr)
    ours["params"]["head"]["kernel"] = theirs["params"]["head"]["kernel"]
    ok(repo.read("m.msgpack") == serialization.to_bytes(ours), "is the file that Flax would have saved")


with tempfile.TemporaryDirectory() as d:
    repo = Repo(f"{d}/r", "*.msgpack")
    there_and_back()
    merge()
end()
