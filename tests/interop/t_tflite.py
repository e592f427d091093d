#!/usr/bin/env python3
"""varve and TensorFlow Lite: what the converter writes comes back byte for byte and runs; a merge runs too.

Skips itself where TensorFlow is not installed. On PATH: varve, git-varve.
"""
import os
import sys
import tempfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
try:
    import numpy as np
    import tensorflow as tf
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter
except ImportError as e:
    print(f"1..0 # SKIP no tensorflow: {e}")
    sys.exit(0)

from lib import Repo, end, ok


def values(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype("f4")


def network(first, second, change=None):
    """A converted model of two layers, with values of these seeds."""
    w, v, b = values((64, 32), first), values((32, 16), second), values(16, 3)

    @tf.function
    def call(x):
        return tf.matmul(tf.nn.relu(tf.matmul(x, w)), v) + b
    c = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function(tf.TensorSpec([1, 64]))], call)
    if change:
        change(c)
    return c.convert()


def dynamic(c):
    c.optimizations = [tf.lite.Optimize.DEFAULT]


def half(c):
    dynamic(c)
    c.target_spec.supported_types = [tf.float16]


def full(c):
    dynamic(c)
    c.representative_dataset = lambda: ([values((1, 64), i)] for i in range(4))


def behind(c):
    c._experimental_use_buffer_offset = True


def result(data):
    i = Interpreter(model_content=data)
    i.allocate_tensors()
    i.set_tensor(i.get_input_details()[0]["index"], values((1, 64), 5))
    i.invoke()
    return i.get_tensor(i.get_output_details()[0]["index"]).tobytes()


def there_and_back():
    kinds = {"float": None, "dynamic": dynamic, "half": half, "full": full, "behind": behind}
    for i, (kind, change) in enumerate(kinds.items()):
        data, file = network(10 + i, 20 + i, change), f"{kind}.tflite"
        repo.commit(file, data)
        text = repo.git("show", f"HEAD:{file}")
        ok("\nformat tflite\n" in text and "\nfinding " not in text, f"{kind}: git has a manifest", text[:400])
        ok(text.count("\ntensor ") >= 3, f"{kind}: with its tensors", text)
        os.remove(f"{repo.path}/{file}")
        repo.git("checkout", "--", file)
        back = repo.read(file)
        ok(back == data, f"{kind}: comes back byte for byte")
        ok(result(back) == result(data), f"{kind}: runs")


def merge():
    repo.commit("m.tflite", network(1, 2))
    repo.git("switch", "-q", "-c", "side")
    repo.commit("m.tflite", network(7, 2))
    repo.git("switch", "-q", "main")
    repo.commit("m.tflite", network(1, 8))
    r = repo.run("git", "merge", "-q", "--no-edit", "side")
    ok(not r.returncode, "a merge of two sides that changed different tensors", r.stdout + r.stderr)
    ok(repo.read("m.tflite") == network(7, 8), "is the file that the converter would have written")


with tempfile.TemporaryDirectory() as d:
    repo = Repo(f"{d}/r", "*.tflite")
    there_and_back()
    merge()
end()
