#!/usr/bin/env python3
"""varve and TensorFlow Lite: what the converter writes comes back byte for byte and runs; a merge runs too.

Skips itself where TensorFlow is not installed. On PATH: varve, git-varve.
"""
import json
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

from lib import Repo, end, ok, run


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


def image(c):
    """A network with convolutions, as Keras' layers are converted, whose batch is of any size."""
    k = tf.keras
    m = k.Sequential([k.Input((8, 8, 2)), k.layers.Conv2D(4, 3, activation="relu6"), k.layers.DepthwiseConv2D(3, activation="relu"),
                      k.layers.MaxPooling2D(), k.layers.Flatten(), k.layers.Dense(5, activation="tanh"), k.layers.Dense(3, activation="softmax")])
    converter = tf.lite.TFLiteConverter.from_keras_model(m)
    if c:
        c(converter)
    return converter.convert()


def graphs():
    """Operators, inputs and outputs are those of the interpreter."""
    models = {kind: network(1, 2, change) for kind, change in {"float": None, "dynamic": dynamic, "full": full}.items()}
    models.update({"image": image(None), "image half": image(half)})
    for kind, data in models.items():
        with tempfile.NamedTemporaryFile(suffix=".tflite") as f:
            f.write(data)
            f.flush()
            g = json.loads(run("varve", "show", "--json", f.name).stdout)["graph"]
        i = Interpreter(model_content=data)
        names = {d["index"]: d["name"] for d in i.get_tensor_details()}
        ops = [(o["op_name"], [names.get(t, "") for t in o["inputs"]], [names[t] for t in o["outputs"]])
               for o in i._get_ops_details() if o["op_name"] != "DELEGATE"]
        have = [(n["op"], n["inputs"], n["outputs"]) for n in g["nodes"] if not n["depth"]]
        ok(have == ops, f"{kind}: {len(ops)} operators are the interpreter's", f"{have}\n{ops}")
        for side, details in (("inputs", i.get_input_details()), ("outputs", i.get_output_details())):
            want = [(d["name"], [None if s < 0 else int(s) for s in d["shape_signature"]]) for d in details]
            ok([(v["name"], v["shape"]) for v in g[side]] == want, f"{kind}: {side}", f"{g[side]}\n{want}")
    ok({"RELU6", "RELU"} <= set(g["activations"]), "activations that were fused into convolutions", g["activations"])


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
    graphs()
    there_and_back()
    merge()
end()
