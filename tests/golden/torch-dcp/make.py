"""Writes the files beside it with torch.distributed.checkpoint, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (torch 2.13)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line `file ! code`
for each finding. Fields are parted by tabs. A tensor's name is the number of its archive in the file, by .metadata.
"""
import io
import os
import pickle
import shutil
import struct
import sys
import tempfile
import warnings
import zipfile

import torch
import torch.distributed.checkpoint as dcp

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
warnings.simplefilter("ignore")
TYPES = {torch.float32: "f32", torch.bfloat16: "bf16", torch.int64: "i64", torch.bool: "bool"}
table = []


def member(data, name):
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        at = z.getinfo(name).header_offset
        return at + 30 + sum(struct.unpack("<HH", data[at + 26:at + 30])), z.getinfo(name).file_size


def save(file, state, *findings):
    flat, _ = dcp._nested_dict.flatten_state_dict(state)
    with tempfile.TemporaryDirectory() as d:
        dcp.save(state, checkpoint_id=d)
        with open(d + "/.metadata", "rb") as f:
            places = pickle.load(f).storage_data
        with open(d + "/__0_0.distcp", "rb") as f:
            data = f.read()
        shutil.copy(d + "/__0_0.distcp", os.path.join(here, file))
    order = sorted((p.offset, index.fqn, p.length) for index, p in places.items())
    for number, (off, name, length) in enumerate(order):
        t = flat[name]
        if not isinstance(t, torch.Tensor):
            continue
        at, n = member(data[off:off + length], "archive/data/0")
        assert data[off + at:off + at + n] == t.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        table.append((file, str(number), TYPES[t.dtype], "[" + ",".join(map(str, t.shape)) + "]", "-", str(off + at), str(n)))
    for code in findings:
        table.append((file, "!", code))


torch.manual_seed(5)
model = {"w": torch.randn(4, 3), "b": torch.randn(5).bfloat16(), "deep": {"ids": torch.arange(6).reshape(2, 3)},
         "mask": torch.tensor([True, False]), "step": 7, "text": "hello", "lr": {"now": 0.5}}
save("model.distcp", model)
changed = dict(model, w=torch.randn(4, 3), mask=torch.tensor([True, True]))
save("changed.distcp", changed)
save("two.distcp", {"a": torch.randn(2), "b": torch.randn(2)})

with open(os.path.join(here, "expected"), "w", encoding="utf-8", newline="\n") as out:
    for row in table:
        out.write("\t".join(row) + "\n")
