#!/usr/bin/env python3
"""Writes <torch version>/*.pt and, beside each, what torch itself says about its tensors.

One line per tensor: name, type, shape, SHA-256 of its contiguous bytes. An empty text: no tensor is
to be found, the file stays opaque bytes. Run once per version of torch; the files are then kept for ever.
"""
import collections
import hashlib
import os
import sys

import numpy
import torch

TYPES = {
    "bool": "bool", "uint8": "u8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint16": "u16", "uint32": "u32", "uint64": "u64", "float16": "f16", "bfloat16": "bf16",
    "float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128",
    "float8_e4m3fn": "f8_e4m3", "float8_e5m2": "f8_e5m2", "float8_e8m0fnu": "f8_e8m0",
    "float8_e4m3fnuz": "f8_e4m3fnuz", "float8_e5m2fnuz": "f8_e5m2fnuz",
}


def line(name, t):
    t = t.detach()
    data = t.contiguous().flatten().view(torch.uint8).numpy().tobytes() if t.numel() else b""
    dims = ",".join(str(d) for d in t.shape)
    return f"{name or 'tensor'} {TYPES[str(t.dtype)[6:]]} [{dims}] {hashlib.sha256(data).hexdigest()}\n"


def walk(obj, path, out):
    """Names as varve makes them: keys and indices, joined by dots."""
    def below(key):
        return f"{path}.{key}" if path else str(key)

    if isinstance(obj, torch.Tensor):
        if obj.is_sparse:
            walk(obj._indices(), below("1.0"), out)
            walk(obj._values(), below("1.1"), out)
        elif not obj.is_quantized:
            out.append(line(path, obj))
    elif isinstance(obj, dict):
        for k, v in obj.items():
            walk(v, below(k), out)
    elif isinstance(obj, (list, tuple)):
        for i, v in enumerate(obj):
            walk(v, below(i), out)
    elif isinstance(obj, torch.nn.Module):
        walk(obj.__dict__, path, out)


def rand(*shape):
    return torch.randn(*shape)


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(6, 4)
        self.decoder = torch.nn.Linear(4, 6, bias=False)
        self.decoder.weight = self.embedding.weight


def net():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))


def checkpoint():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        model(rand(5, 4)).square().mean().backward()
        optimizer.step()
    return {"epoch": 3, "step": 70000, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
            "loss": 0.125, "best": None, "done": False, "seed": 2**40 + 1, "name": "größe"}


def views():
    base = rand(6, 8)
    other = rand(3, 4)
    return {"whole": base, "transposed": base.t(), "rows": base[1:3], "columns": base[:, 2:5], "every": base[::2, ::3],
            "only.transposed": other.t(), "expanded": rand(1, 3).expand(2, 3), "one": base[2, 3],
            "nothing": base[4:4], "unit": base[:1, :, None]}


def types():
    out = {}
    for name in TYPES:
        dt = getattr(torch, name, None)
        if dt is None or (name.startswith("uint") and name != "uint8" and not hasattr(torch, "uint16")):
            continue
        out[name] = rand(3, 2).abs().mul(10).to(dt)
    return out


def odd():
    shared = [1, 2]
    return {"a": {"b": rand(2)}, "a.b": rand(3), 7: rand(1), (1, 2): 3, "array": numpy.arange(3), "scalar": numpy.float64(2),
            "bytes": b"\x00\xff", "set": {1}, "shared": [shared, shared], "size": torch.Size([1, 2]),
            "device": torch.device("cpu"), "dtype": torch.float16, "complex": 1j, "counter": collections.Counter("aab"),
            "big": 2**100, "negative": -3, "long": -2**33, "": rand(2, 2)}


def attribute():
    t = rand(2, 3)
    t.note = "kept"
    return {"noted": t, "plain": rand(1)}


SAMPLES = {
    "state": lambda: net().state_dict(),
    "checkpoint": checkpoint,
    "tied": lambda: Tied().state_dict(),
    "views": views,
    "types": types,
    "shapes": lambda: {"empty": torch.empty(0), "empty2": torch.empty(3, 0, 2), "scalar": torch.tensor(2.5),
                       "unit": rand(1, 1, 1), "deep": rand(1, 2, 1, 2, 1, 1, 2, 1)},
    "parameter": lambda: {"w": torch.nn.Parameter(rand(2, 2)), "frozen": torch.nn.Parameter(rand(3), requires_grad=False)},
    "list": lambda: [rand(2), (rand(1), rand(2, 2)), {"k": rand(3)}],
    "tensor": lambda: rand(4),
    "quantized": lambda: {"q": torch.quantize_per_tensor(rand(4), 0.1, 0, torch.qint8), "f": rand(2)},
    "sparse": lambda: {"s": torch.eye(3).to_sparse(), "f": rand(2)},
    "module": net,
    "odd": odd,
    "attribute": attribute,
    "many": lambda: {"f": rand(2), "list": list(range(1001)), "map": {str(i): i for i in range(1002)},
                     "ordered": collections.OrderedDict((i, None) for i in range(1001)),
                     "full": dict.fromkeys(range(1000)), "fulls": [None] * 1000,
                     "fullo": collections.OrderedDict((i, None) for i in range(1000))},
}


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), torch.__version__.split("+")[0])
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(1)
    for name, make in SAMPLES.items():
        obj, lines = make(), []
        torch.save(obj, os.path.join(folder, name + ".pt"))
        if name != "odd":
            walk(obj, "", lines)
        else:
            # "a.b" is there twice: the second is told apart.
            lines = [line("a.b", obj["a"]["b"]), line("a.b~2", obj["a.b"]), line("7", obj[7]), line("", obj[""])]
        with open(os.path.join(folder, name + ".txt"), "w") as f:
            f.writelines(lines)
    state, lines = net().state_dict(), []
    torch.save(state, os.path.join(folder, "legacy.pt"), _use_new_zipfile_serialization=False)
    walk(state, "", lines)
    with open(os.path.join(folder, "legacy.txt"), "w") as f:
        f.writelines(lines)


if __name__ == "__main__":
    sys.exit(main())
