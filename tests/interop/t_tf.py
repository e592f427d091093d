#!/usr/bin/env python3
"""varve and TensorFlow: checkpoints and SavedModels come back byte for byte and load; a next version costs less.

Skips itself where TensorFlow is not installed. On PATH: varve, git-varve.
"""
import json
import os
import shutil
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
try:
    import numpy as np
    import tensorflow as tf
except ImportError as e:
    print(f"1..0 # SKIP no tensorflow: {e}")
    sys.exit(0)

from lib import Repo, end, ok

PATTERNS = ("*.index", "*.data-*", "*.pb")


def network():
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential([
        tf.keras.Input((64,)), tf.keras.layers.Dense(700, "relu"), tf.keras.layers.LayerNormalization(),
        tf.keras.layers.Dense(600, "relu"), tf.keras.layers.Dense(10)])
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(model):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((256, 64)).astype("f4")
    model.fit(x, (x[:, :10]).argmax(1), batch_size=64, epochs=1, verbose=0, shuffle=False)


def files(folder):
    """Path and bytes of all files below the folder."""
    found = {}
    for base, _, names in os.walk(f"{repo.path}/{folder}"):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, repo.path)] = f.read()
    return found


def commit(folder, what):
    repo.git("add", folder)
    repo.git("commit", "-q", "--allow-empty", "-m", what)


def disk():
    return json.loads(repo.run("varve", "du", "--json").stdout)["disk"]


def tensors(prefix):
    reader = tf.train.load_checkpoint(prefix)
    return {name: np.asarray(reader.get_tensor(name)).tobytes() for name in reader.get_variable_to_shape_map()}


def versions(folder, save, load):
    """Two versions of a folder, each removed and brought back; what TensorFlow loads from it is the same."""
    kept, cost = [], []
    for i in range(2):
        train(model)
        before = disk()
        save(f"{repo.path}/{folder}")
        commit(folder, f"{folder} {i}")
        cost.append(disk() - before)
        kept.append((files(folder), load(f"{repo.path}/{folder}")))
    raw = sum(len(b) for b in kept[1][0].values())
    print(f"# {folder}: {raw} bytes, the first costs {cost[0]}, the second {cost[1]}")
    ok(cost[1] < 0.9 * raw and cost[1] < cost[0], f"{folder}: the second version costs less", cost)
    for i, rev in ((0, "HEAD~1"), (1, "HEAD")):
        shutil.rmtree(f"{repo.path}/{folder}")
        repo.git("checkout", "-q", rev, "--", folder)
        ok(files(folder) == kept[i][0], f"{folder}: version {i} comes back byte for byte")
        ok(load(f"{repo.path}/{folder}") == kept[i][1], f"{folder}: and TensorFlow loads it")
    repo.git("reset", "-q", "--hard")
    return kept[1][0]


def manifest(path):
    return repo.git("show", f"HEAD:{path}")


def checkpoint():
    state = tf.train.Checkpoint(model=model, optimizer=model.optimizer)

    def save(folder):
        state.write(f"{folder}/ckpt")
    found = versions("ck", save, lambda folder: tensors(f"{folder}/ckpt"))
    data = next(p for p in found if ".data-" in p)
    text = manifest("ck/ckpt.index")
    ok("\nformat tf-index\n" in text and "\nfinding " not in text and "\ntensor " not in text, "the index is one", text)
    text = manifest(data)
    ok("\nformat floats\n" in text and "\nfinding " not in text and '\ntensor "at ' in text, "the data is numbers", text)


def saved_model():
    x = tf.constant(np.random.default_rng(3).standard_normal((4, 64)).astype("f4"))

    def save(folder):
        shutil.rmtree(folder, ignore_errors=True)
        model.export(folder, verbose=False)

    def load(folder):
        loaded = tf.saved_model.load(folder)
        return loaded.serve(x).numpy().tobytes()
    found = versions("sm", save, load)
    data = next(p for p in found if ".data-" in p)
    ids = [line.split()[-1] for line in manifest(data).split("\n") if line.startswith("tensor ")]
    ok(len(set(ids)) < len(ids), "what stands twice in a SavedModel is stored once", ids)


def many():
    """An index of several blocks."""
    names = [f"layer_with_a_rather_long_name_{i:05}/and/some/more/components/kernel" for i in range(9000)]
    os.mkdir(f"{repo.path}/many")
    tf.raw_ops.SaveV2(prefix=f"{repo.path}/many/m", tensor_names=names, shape_and_slices=[""] * len(names),
                      tensors=[tf.constant([float(i)]) for i in range(len(names))])
    commit("many", "many")
    text = manifest("many/m.index")
    size = os.path.getsize(f"{repo.path}/many/m.index")
    ok(size > 1 << 18 and "\nformat tf-index\n" in text and "\nfinding " not in text, f"an index of {size} bytes", text)


with tempfile.TemporaryDirectory() as d:
    repo = Repo(f"{d}/r", PATTERNS[0])
    repo.run("varve", "track", "-q", *PATTERNS[1:])
    model = network()
    checkpoint()
    saved_model()
    many()
end()
