"""Writes the checkpoint `whole` beside it with torch.distributed.checkpoint, by two processes, and `named`.

usage: make_whole.py [FOLDER]     (torch 2.13)

named has a line for each tensor that .metadata names: name, file, offset and bytes of its archive, type, shape of
what is there, as PyTorch says. Fields are parted by tabs.
"""
import io
import os
import pickle
import shutil
import sys
import tempfile
import warnings

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

TYPES = {torch.float32: "f32", torch.bfloat16: "bf16", torch.int64: "i64"}


def write(rank, rendezvous):
    warnings.simplefilter("ignore")
    dist.init_process_group("gloo", init_method="file://" + rendezvous, rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    torch.manual_seed(5)
    state = {"w": distribute_tensor(torch.randn(5, 3), mesh, [Shard(0)]),
             "deep": {"b": distribute_tensor(torch.randn(4).bfloat16(), mesh, [Replicate()])},
             "ids": torch.arange(3), "step": 7}
    dcp.save(state, checkpoint_id="whole")  # relative: the pickle has it
    dist.destroy_process_group()


def named():
    with open("whole/.metadata", "rb") as f:
        meta = pickle.load(f)
    for index, p in meta.storage_data.items():
        tensor = meta.state_dict_metadata[index.fqn]
        if not hasattr(tensor, "chunks"):
            continue
        chunk = next(c for c in tensor.chunks if c.offsets == index.offset)
        with open("whole/" + p.relative_path, "rb") as f:
            f.seek(p.offset)
            there = torch.load(io.BytesIO(f.read(p.length)))
        part = ",".join(":" if n == of else f"{at}:{at + n}" for at, n, of in zip(chunk.offsets, chunk.sizes, tensor.size))
        assert there.shape == chunk.sizes and there.dtype == tensor.properties.dtype
        yield (index.fqn + ("" if chunk.sizes == tensor.size else f"[{part}]"), p.relative_path, str(p.offset), str(p.length),
               TYPES[there.dtype], "[" + ",".join(map(str, there.shape)) + "]")


if __name__ == "__main__":
    here = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(__file__))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        mp.spawn(write, (d + "/rendezvous",), nprocs=2)
        shutil.copytree("whole", os.path.join(here, "whole"), dirs_exist_ok=True)
        with open(os.path.join(here, "named"), "w", encoding="utf-8", newline="\n") as out:
            for row in named():
                out.write("\t".join(row) + "\n")
        os.chdir(here)
