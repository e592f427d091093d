#!/bin/sh
# convert: the same tensors in every format that can be made, casts, patterns, where a file comes from.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
varve track -q '*.npz' '*.pt' '*.gguf' '*.onnx' '*.h5' '*.msgpack'
python3 - <<'P'
import json, struct
import numpy as np
r = np.random.default_rng(3)
t = {"net.0.weight": r.standard_normal((40, 30)).astype("f4"), "net.0.bias": r.standard_normal(40).astype("f4"),
     "steps": np.array([7], "i8")}
t["net.0.bias"][:6] = [np.inf, -np.inf, np.nan, 0, -0.0, 65519.99]
np.savez("w.npz", **t)
head, body = {}, b""
for k, v in t.items():
    head[k] = {"dtype": {"f": "F32", "i": "I64"}[v.dtype.kind], "shape": list(v.shape), "data_offsets": [len(body), len(body) + v.nbytes]}
    body += v.tobytes()
h = json.dumps(head).encode()
open("m.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + body)
P
touch -d '10 seconds ago' m.safetensors; git add .; git commit -q -m one
for f in a.safetensors a.npz a.pt a.gguf a.onnx a.h5 a.msgpack; do
	out varve convert m.safetensors -o "$f" && err "^$f: .*, 3 tensors" && varve diff --no-index --exit-code --json m.safetensors "$f" >"$T/d"
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(d["changed"] + d["added"] + d["removed"] + d["renamed"] != 0)' "$T/d"; ok "$f has the same tensors"
	varve convert -q "$f" -o b.safetensors && varve convert -q "$f" -o b2.safetensors && cmp -s b.safetensors b2.safetensors; ok "and back, twice the same"
done
sum=$(sum m.safetensors); grep -qa "from safetensors sha256:$sum" a.safetensors && grep -qa "from safetensors sha256:$sum" a.gguf && grep -qa "from safetensors sha256:$sum" a.onnx && grep -qa "from safetensors sha256:$sum" a.h5; ok "they say where they come from"
python3 - <<'P'
import numpy as np
a, b = np.load("a.npz"), np.load("w.npz")
assert sorted(a) == sorted(b) and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)
P
ok "NumPy reads its own"
out varve convert --dtype f16 m.safetensors -o h.npz && python3 - <<'P'
import numpy as np
a, b = np.load("h.npz"), np.load("w.npz")
with np.errstate(over="ignore"):
    for k in ("net.0.weight", "net.0.bias"):
        want = b[k].astype("f2")
        assert a[k].dtype == np.float16 and ((a[k].view("u2") == want.view("u2")) | (np.isnan(a[k]) & np.isnan(want))).all(), k
assert a["steps"].dtype == np.int64 and a["steps"].tobytes() == b["steps"].tobytes()
P
ok "--dtype f16 rounds as NumPy does, and leaves integers"
out varve convert -d bf16 m.safetensors -o h.safetensors && varve convert -q -d f32 h.safetensors -o w.npz2 -f npz && varve convert -q -d bf16 w.npz2 -o h2.safetensors
varve cat -q --raw h.safetensors net.0.weight >"$T/1"; varve cat -q --raw h2.safetensors net.0.weight >"$T/2"; cmp -s "$T/1" "$T/2" && [ "$(stat -c %s "$T/1")" = 2400 ]; ok "bf16 to f32 and back"
touch -d '10 seconds ago' h.safetensors; out varve add --json h.safetensors && json 'd["files"][0]["stored"] < 700'; ok "a cast beside its original costs next to nothing"
python3 - <<'P'
import json, struct
import numpy as np
r = np.random.default_rng(4)
t = {"w": r.standard_normal((5, 64)).astype("f4"), "w.scale": np.ones(2, "f4"), "v": r.standard_normal(64).astype("f2"), "odd": r.standard_normal((2, 33)).astype("f4")}
def save(name, t):
    head, body = {}, b""
    for k, v in t.items():
        head[k] = {"dtype": {"f4": "F32", "f2": "F16"}[v.dtype.str[1:]], "shape": list(v.shape), "data_offsets": [len(body), len(body) + v.nbytes]}
        body += v.tobytes()
    h = json.dumps(head).encode()
    open(name, "wb").write(struct.pack("<Q", len(h)) + h + body)
save("q.safetensors", t)
t["odd"][1, 2] = np.nan
save("nan.safetensors", t)
P
out varve convert -d int8 q.safetensors -o i8.npz && err 'i8.npz: npz, 6 tensors' && python3 - <<'P'
import numpy as np
q = np.load("i8.npz")
assert sorted(q) == ["odd", "odd.scale", "v", "w", "w.scale", "w.scale_1"], sorted(q)
assert q["w"].dtype == np.int8 and q["w"].shape == (5, 64) and q["w.scale_1"].shape == (5,) and q["v"].dtype == np.float16 and (q["w.scale"] == 1).all()
assert (np.abs(q["w"]).max(axis=1) == 127).all()
P
ok "int8 with scales, under names that are free"
out varve convert -d q8_0 q.safetensors -t w -t v -t odd -o q.gguf && varve show --json q.gguf >"$T/out" && json '[(t["name"], t["dtype"], t["shape"]) for t in d["tensors"]] == [("w", "u8", [5, 2, 34]), ("v", "f32", [64]), ("odd", "f32", [2, 33])]' && grep -qa 'as q8_0' q.gguf; ok "q8_0 where rows are blocks, vectors as f32"
python3 - <<'P'
import json, random, struct
random.seed(3)
n = 64 * 1024
head = json.dumps({"net.weight": {"dtype": "F32", "shape": [64, 1024], "data_offsets": [0, n * 4]}}).encode()
open("big.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + struct.pack(f"<{n}f", *(random.gauss(0, .02) for _ in range(n))))
P
varve track -q '*.gguf' && varve add -q big.safetensors && git commit -qm big
for t in 'int8 safetensors 65536' 'q8_0 gguf 69632'; do
	set -- $t; out varve convert -q -d "$1" big.safetensors -o "big-$1.$2" && varve add --json "big-$1.$2" >"$T/out" && json "d['files'][0]['bytes_new'] >= $3 and d['files'][0]['stored'] < $3 // 50"; ok "$1 of what is stored costs less than a fiftieth of itself"
	git commit -qm "$1" && sha256sum "big-$1.$2" >"$T/1" && rm "big-$1.$2" && varve restore -q HEAD -- "big-$1.$2" && sha256sum -c "$T/1" >/dev/null 2>&1; ok "and is restored"
done
python3 - <<'P'
import struct
s = lambda t: struct.pack("<Q", len(t)) + t
kv = s(b"general.architecture") + struct.pack("<I", 8) + s(b"llama") + s(b"general.file_type") + struct.pack("<II", 4, 0) + \
     s(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + s(b"<s>") + s(b"</s>") + s(b"split.count") + struct.pack("<IH", 2, 1)
info = s(b"w") + struct.pack("<IQIQ", 1, 8, 0, 0)
head = b"GGUF" + struct.pack("<IQQ", 3, 1, 4) + kv + info
open("kv.gguf", "wb").write(head + bytes(-len(head) % 32) + bytes(32))
P
out varve convert -q kv.gguf -o kv2.gguf && grep -qa 'general.architecture.*llama' kv2.gguf && grep -qa 'tokenizer.ggml.tokens' kv2.gguf && grep -qa general.file_type kv2.gguf && grep -qa split.count kv2.gguf && varve show --json kv2.gguf >"$T/out" && json 'd["parameters"] == 8'; ok "GGUF of GGUF keeps its keys"
out varve convert -q -d f16 kv.gguf -o kv3.gguf && grep -qa 'tokenizer.ggml.tokens' kv3.gguf && ! grep -qa general.file_type kv3.gguf; ok "but for the type that has changed"
out varve convert -q m.safetensors -o kv4.gguf && ! grep -qa general.architecture kv4.gguf; ok "of another format it has none"
status_is 128 varve convert -d int8 nan.safetensors -o no.npz && err "tensor 'odd': element 35 is not finite" && one_line && [ ! -e no.npz ]; ok "what int8 cannot say is told"
status_is 129 varve convert -d int8 q.safetensors -o no.gguf && err "q8_0 is GGUF's"; ok "int8 is not GGUF's"
status_is 129 varve convert -d q8_0 q.safetensors -o no.npz; ok "q8_0 is nobody else's"
out varve convert -q -d f8_e4m3 q.safetensors -o f8.safetensors && varve convert -q -d f32 f8.safetensors -o f9.safetensors && varve convert -q -d f8_e4m3 f9.safetensors -o f10.safetensors && varve cat -q --raw f8.safetensors w >"$T/1" && varve cat -q --raw f10.safetensors w >"$T/2" && cmp -s "$T/1" "$T/2" && [ "$(stat -c %s "$T/1")" = 320 ]; ok "f8 to f32 and back"
out varve convert -t 'net.*' -t steps HEAD:m.safetensors -o p.npz -q && [ "$(python3 -c 'import numpy; print(len(numpy.load("p.npz").files))')" = 3 ]; ok "patterns, an old version"
out varve convert --json -t '*.bias' m.safetensors -o p.npz && json 'd == {"file": "p.npz", "format": "npz", "tensors": 1, "bytes": d["bytes"]}'; ok "--json"
status_is 128 varve convert -t 'nosuch*' m.safetensors -o q.npz && err "no tensor matches 'nosuch" && [ ! -e q.npz ]; ok "a pattern that matches nothing"
status_is 128 varve convert -d bf16 m.safetensors -o q.npz && err 'NumPy has no type bf16' && [ ! -e q.npz ]; ok "a type that the format has not: nothing is written"
status_is 129 varve convert m.safetensors -o q.tflite && err 'no format has this ending'; ok "a format that is not made"
status_is 129 varve convert m.safetensors -o q.npz -d i16 && err 'f32, f16, bf16'; ok "a type that is not cast to"
status_is 129 varve convert m.safetensors; ok "no -o"
echo hello >text; status_is 128 varve convert text -o q.npz && err 'no tensors are seen'; ok "a file without tensors"
varve convert -q m.safetensors -f npz -o - >s.npz && python3 -c 'import numpy; assert len(numpy.load("s.npz").files) == 3'; ok "to standard output"
plan_end
