#!/usr/bin/env python3
"""Trains a small character model with numpy on text that every Debian machine has.

usage: train.py IN OUT STEPS LR [--text licences|python] [--only NAME,...] [--seed N]
IN may be "-": start from nothing. Saves safetensors in bfloat16, as a trainer would: whole, in place.
"""
import argparse, glob, json, os, struct, sys
import numpy as np

CONTEXT, EMBED, HIDDEN, VOCAB = 16, 48, 768, 128


def text_of(kind):
    if kind == "licences":
        files = sorted(glob.glob("/usr/share/common-licenses/*"))
    else:
        files = sorted(glob.glob(os.path.join(os.path.dirname(os.__file__), "*.py")))[:60]
    parts = [open(f, encoding="ascii", errors="ignore").read() for f in files if os.path.isfile(f)]
    data = np.frombuffer("".join(parts).encode("ascii", "ignore"), np.uint8)
    return data[data < VOCAB].astype(np.int64)


def to_bf16(x):
    u = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(u):
    return (u.astype(np.uint32) << 16).view(np.float32)


def save(path, weights, step):
    header, off = {"__metadata__": {"format": "np", "step": str(step)}}, 0
    raws = {k: to_bf16(v) for k, v in weights.items()}
    for k, v in raws.items():
        header[k] = {"dtype": "BF16", "shape": list(v.shape), "data_offsets": [off, off + v.nbytes]}
        off += v.nbytes
    h = json.dumps(header).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(h)) + h)
        for v in raws.values():
            f.write(v.tobytes())


def load(path):
    b = open(path, "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    header = json.loads(b[8:8 + n])
    step = int(header.pop("__metadata__")["step"])
    w = {}
    for k, t in header.items():
        s, e = t["data_offsets"]
        w[k] = from_bf16(np.frombuffer(b[8 + n + s:8 + n + e], np.uint16)).reshape(t["shape"]).copy()
    return w, step


def fresh(rng):
    def mat(a, b):
        return (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32)
    return {"embed.weight": (rng.standard_normal((VOCAB, EMBED)) * 0.1).astype(np.float32),
            "layer.0.weight": mat(CONTEXT * EMBED, HIDDEN), "layer.0.bias": np.zeros(HIDDEN, np.float32),
            "layer.1.weight": mat(HIDDEN, HIDDEN), "layer.1.bias": np.zeros(HIDDEN, np.float32),
            "head.weight": mat(HIDDEN, VOCAB), "head.bias": np.zeros(VOCAB, np.float32)}


def forward(w, x, y):
    """Loss and gradients of one batch: two tanh layers with a residual, then softmax."""
    e = w["embed.weight"][x].reshape(len(x), -1)
    a = np.tanh(e @ w["layer.0.weight"] + w["layer.0.bias"])
    b = np.tanh(a @ w["layer.1.weight"] + w["layer.1.bias"])
    h = a + b
    z = h @ w["head.weight"] + w["head.bias"]
    z -= z.max(1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y] + 1e-9).mean()
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    g = {"head.weight": h.T @ p, "head.bias": p.sum(0)}
    dh = p @ w["head.weight"].T
    db = dh * (1 - b * b)
    g["layer.1.weight"], g["layer.1.bias"] = a.T @ db, db.sum(0)
    da = (dh + db @ w["layer.1.weight"].T) * (1 - a * a)
    g["layer.0.weight"], g["layer.0.bias"] = e.T @ da, da.sum(0)
    de = (da @ w["layer.0.weight"].T).reshape(-1, EMBED)
    g["embed.weight"] = np.zeros_like(w["embed.weight"])
    np.add.at(g["embed.weight"], x.ravel(), de)
    return loss, g


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model_in"), ap.add_argument("model_out")
    ap.add_argument("steps", type=int), ap.add_argument("lr", type=float)
    ap.add_argument("--text", default="licences", choices=["licences", "python"])
    ap.add_argument("--only", default=""), ap.add_argument("--seed", type=int, default=1)
    o = ap.parse_args()
    rng = np.random.default_rng(o.seed)
    w, step = (fresh(rng), 0) if o.model_in == "-" else load(o.model_in)
    data = text_of(o.text)
    names = [n for n in w if not o.only or any(n.startswith(p) for p in o.only.split(","))]
    m = {n: np.zeros_like(w[n]) for n in names}
    v = {n: np.zeros_like(w[n]) for n in names}
    losses = []
    for t in range(1, o.steps + 1):
        i = rng.integers(0, len(data) - CONTEXT - 1, 128)
        x = data[i[:, None] + np.arange(CONTEXT)]
        loss, g = forward(w, x, data[i + CONTEXT])
        losses.append(loss)
        for n in names:
            m[n] += 0.1 * (g[n] - m[n])
            v[n] += 0.001 * (g[n] * g[n] - v[n])
            w[n] -= o.lr * (m[n] / (1 - 0.9 ** t)) / (np.sqrt(v[n] / (1 - 0.999 ** t)) + 1e-8)
    save(o.model_out, w, step + o.steps)
    n = sum(a.size for a in w.values())
    print(f"trained {o.steps} steps on {o.text}: loss {np.mean(losses[:10]):.3f} -> {np.mean(losses[-10:]):.3f}"
          f" ({n:,} parameters)", file=sys.stderr)


main()
