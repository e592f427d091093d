#!/usr/bin/env python3
"""LoRA adapters: varve merge --lora beside PEFT's merge_and_unload, and --extract-lora beside a truncated SVD of torch.

Skips itself where PEFT is not installed. On PATH: varve, git-varve.
"""
import json
import os
import sys
import tempfile

try:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from safetensors.torch import load_file, save_file
    from torch import nn
    from transformers.pytorch_utils import Conv1D
except ImportError as e:
    print(f"1..0 # SKIP no peft: {e}")
    sys.exit(0)

from lib import end, ok, run


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.v_proj = nn.Linear(96, 64, bias=False), nn.Linear(96, 64)
        self.up, self.norm = nn.Linear(64, 200), nn.LayerNorm(64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 96)
        self.layers = nn.ModuleList(Block() for _ in range(12))
        self.conv = Conv1D(72, 48)


def net(seed, dtype=torch.float32):
    torch.manual_seed(seed)
    return Net().to(dtype)


def fill(model, seed):
    """Adapters begin with B = 0: as trained ones all are numbers."""
    g = torch.Generator().manual_seed(seed)
    for n, p in model.named_parameters():
        if "lora_" in n:
            p.data = (0.2 * torch.randn(p.shape, generator=g)).to(p.dtype)


ADAPTERS = {
    "plain": dict(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
    "rslora, all linear": dict(r=4, lora_alpha=5, use_rslora=True, target_modules=["q_proj", "v_proj", "up"]),
    "patterns": dict(r=8, lora_alpha=16, target_modules=["q_proj", "up"], rank_pattern={"layers.1.q_proj": 3, "up": 5},
                     alpha_pattern={"layers.1.q_proj": 7, "layers.11.up": 3}),
    "fan_in_fan_out": dict(r=6, lora_alpha=6, target_modules=["conv"], fan_in_fan_out=True),
    "embedding": dict(r=5, lora_alpha=10, target_modules=["embed", "up"]),
}


def apart(a, b, ulp):
    """The largest difference, in steps of the type at the size of what was added up."""
    return max(float(((a[k].double() - b[k].double()).abs() / (ulp * (1 + b[k].double().abs()))).max()) for k in b)


def applied(work, what, config, dtype, ulp):
    base = net(1, dtype)
    save_file(base.state_dict(), f"{work}/base.safetensors", {"format": "pt"})
    peft = get_peft_model(base, LoraConfig(bias="none", **config))
    fill(peft, 2)
    peft.save_pretrained(f"{work}/adapter")
    theirs = PeftModel.from_pretrained(net(1, dtype), f"{work}/adapter").merge_and_unload().state_dict()
    r = run("varve", "merge", "-q", f"{work}/base.safetensors", "--lora", f"{work}/adapter", "-o", f"{work}/o.safetensors")
    if r.returncode:
        ok(False, what, r.stderr)
        return
    ours = load_file(f"{work}/o.safetensors")
    far = apart(ours, theirs, ulp)
    changed = sum(not torch.equal(theirs[k], net(1, dtype).state_dict()[k]) for k in theirs)
    ok(sorted(ours) == sorted(theirs) and changed > 0 and far < 2 and all(ours[k].dtype == theirs[k].dtype for k in ours), what,
       f"{far:.2f} steps apart, {changed} tensors changed")
    r = run("varve", "merge", "--verify", f"{work}/o.safetensors", f"{work}/base.safetensors", f"{work}/adapter")
    ok(r.returncode == 0, f"{what}: replayed bit for bit", r.stderr)


def two_adapters(work):
    """Added one after the other, the second half as strong."""
    base = net(1)
    save_file(base.state_dict(), f"{work}/base.safetensors", {"format": "pt"})
    want = {k: v.double() for k, v in base.state_dict().items()}
    for i, by in ((1, 1), (2, 0.5)):
        peft = get_peft_model(net(1), LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj"]))
        fill(peft, 10 + i)
        peft.save_pretrained(f"{work}/two{i}")
        merged = peft.merge_and_unload().state_dict()
        want = {k: v + by * (merged[k].double() - base.state_dict()[k].double()) for k, v in want.items()}
    r = run("varve", "merge", "-q", f"{work}/base.safetensors", "--lora", f"{work}/two1", "--lora", f"{work}/two2:0.5", "-o",
            f"{work}/two.safetensors")
    ours = load_file(f"{work}/two.safetensors") if r.returncode == 0 else {}
    far = apart(ours, want, 2.0**-23) if ours else 99
    ok(far < 8, "two adapters, one of them scaled", r.stderr or far)


def extracted(work, rank, noise):
    """The error is that of the best matrices of that rank, as torch's SVD finds them; PEFT reads and applies the adapter."""
    base, g = net(1), torch.Generator().manual_seed(5)
    tuned = {k: v.clone() for k, v in base.state_dict().items()}
    # Of weights that are (in, out) no file says so.
    linear = [k for k, v in tuned.items() if v.ndim == 2 and "embed" not in k and "conv" not in k]
    for k in linear:
        m, n = tuned[k].shape
        tuned[k] += 0.05 * torch.randn(m, 6, generator=g) @ torch.randn(6, n, generator=g) + noise * torch.randn(m, n, generator=g)
    tuned["layers.0.norm.bias"] += 1
    save_file(base.state_dict(), f"{work}/base.safetensors", {"format": "pt"})
    save_file(tuned, f"{work}/tuned.safetensors", {"format": "pt"})
    what = f"rank {rank}, noise {noise}"
    r = run("varve", "merge", "--json", "--extract-lora", str(rank), f"{work}/base.safetensors", f"{work}/tuned.safetensors", "-o",
            f"{work}/out-{rank}-{noise}")
    if r.returncode:
        ok(False, what, r.stderr)
        return
    said = json.loads(r.stdout)
    lost = best = whole = 0.0
    a = load_file(f"{work}/out-{rank}-{noise}/adapter_model.safetensors")
    for k in linear:
        d = tuned[k].double() - base.state_dict()[k].double()
        name = f"base_model.model.{k[:-7]}.lora_"
        s = torch.linalg.svdvals(d)
        whole += float((d**2).sum())
        best += float((s[rank:]**2).sum())
        lost += float(((d - a[name + "B.weight"].double() @ a[name + "A.weight"].double())**2).sum())
    lost, best = (lost / whole)**0.5, (best / whole)**0.5
    ok(lost <= best * 1.002 + 1e-6, f"{what}: as near as the SVD", f"{lost} not {best}")
    ok(abs(said["error"] - lost) < 1e-3 and said["left_out"] == 1 and said["tensors"] == len(linear), f"{what}: it says so", said)
    theirs = PeftModel.from_pretrained(net(1), f"{work}/out-{rank}-{noise}").merge_and_unload().state_dict()
    r = run("varve", "merge", "-q", f"{work}/base.safetensors", "--lora", f"{work}/out-{rank}-{noise}", "-o", f"{work}/back.safetensors")
    ours = load_file(f"{work}/back.safetensors") if r.returncode == 0 else {}
    far = apart(ours, theirs, 2.0**-23) if ours else 99
    ok(far < 8, f"{what}: PEFT applies it as varve does", r.stderr or far)


def main():
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        for what, config in ADAPTERS.items():
            applied(work, what, config, torch.float32, 2.0**-22)
        applied(work, "plain, bf16", ADAPTERS["plain"], torch.bfloat16, 2.0**-7)
        two_adapters(work)
        for rank, noise in ((6, 0.0), (6, 0.02), (2, 0.02), (16, 0.05), (72, 0.01)):
            extracted(work, rank, noise)
    end()


main()
