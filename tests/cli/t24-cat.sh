#!/bin/sh
# cat: one tensor as .npy or raw bytes.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
python3 - <<'P'
import json, struct
types = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1}
off, head, body = 0, {}, b""
for k, (t, w) in enumerate(types.items()):
    data = bytes(i % 2 if t == "BOOL" else (k * 40 + i) % 120 for i in range(6 * w))
    head[t] = {"dtype": t, "shape": [2, 3], "data_offsets": [off, off + len(data)]}; off += len(data); body += data
head["scalar"] = {"dtype": "F32", "shape": [], "data_offsets": [off, off + 4]}; body += struct.pack("<f", 1.5); off += 4
head["one"] = {"dtype": "F32", "shape": [3], "data_offsets": [off, off + 12]}; body += struct.pack("<3f", 1, 2, 3); off += 12
head["none"] = {"dtype": "F32", "shape": [0, 4], "data_offsets": [off, off]}
h = json.dumps(head).encode(); open("m.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + body)
P
touch -d '10 seconds ago' m.safetensors; git add .; git commit -q -m one
# npy NAME DESCR SHAPE: is it a version 1.0 file, aligned, with the bytes of the model?
npy() {
	varve cat -q m.safetensors "$1" >"$T/a.npy" && varve cat --raw HEAD:m.safetensors "$1" >"$T/raw" && python3 - "$T/a.npy" "$T/raw" "$2" "$3" "$1" <<'P'
import ast, json, struct, sys
b, raw = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
n = struct.unpack("<H", b[8:10])[0]
head = ast.literal_eval(b[10:10 + n].decode())
assert b[:8] == b"\x93NUMPY\x01\x00" and (10 + n) % 64 == 0 and b[9 + n:10 + n] == b"\n", b[:16]
assert head == {"descr": sys.argv[3], "fortran_order": False, "shape": ast.literal_eval(sys.argv[4])}, head
m = open("m.safetensors", "rb").read(); k = struct.unpack("<Q", m[:8])[0]
a, z = json.loads(m[8:8 + k])[sys.argv[5]]["data_offsets"]
assert b[10 + n:] == raw == m[8 + k + a:8 + k + z]
P
}
for t in F64:'<f8' F32:'<f4' F16:'<f2' BF16:'<u2' I64:'<i8' I32:'<i4' I16:'<i2' I8:'|i1' U8:'|u1' BOOL:'|b1' F8_E4M3:'|u1'; do
	npy "${t%%:*}" "${t#*:}" '(2, 3)'; ok "${t%%:*} is ${t#*:}"
done
npy scalar '<f4' '()'; ok "a scalar"
npy one '<f4' '(3,)'; ok "one dimension"
npy none '<f4' '(0, 4)'; ok "no elements"
out varve cat m.safetensors BF16 && err "no bf16; these are its bits, as '<u2'"; ok "what NumPy lacks is told"
out varve cat m.safetensors F32 && [ ! -s "$T/err" ]; ok "what it has is not"
varve cat -q -o "$T/f.npy" m.safetensors F32 && varve cat m.safetensors F32 | cmp -s - "$T/f.npy"; ok "-o FILE"
[ -z "$(ls -A "$T" | grep varve-tmp)" ]; ok "and nothing else beside it"
out varve cat --json -o "$T/f.npy" m.safetensors one; json 'd["dtype"] == "f32" and d["shape"] == [3] and d["bytes"] == 12 and d["name"] == "one"'; ok "--json -o FILE"
status_is 129 varve cat --json m.safetensors one; ok "--json needs -o"
varve cat -o /dev/null m.safetensors one 2>/dev/null && [ -c /dev/null ]; ok "a device is written to, not replaced"
status_is 128 varve cat m.safetensors nope && err 'varve: no tensor "nope"' && err '^hint: .varve show m.safetensors. lists'; ok "no such tensor"
status_is 128 varve cat -o "$T/no/such" m.safetensors one && err "$T/no" && one_line; ok "no such folder"
status_is 128 varve cat HEAD~9:m.safetensors one && one_line; ok "no such version"
status_is 129 varve cat && err 'usage: varve cat'; ok "usage"
varve cat m.safetensors | cmp -s - m.safetensors; ok "without a tensor, the whole file"
if command -v script >/dev/null; then
	script -qec 'varve cat m.safetensors one' /dev/null >"$T/out" 2>&1 </dev/null; said 'no terminal'; ok "a terminal is refused"
fi
varve cat --raw HEAD:m.safetensors one >"$T/raw"; cd "$T" && varve cat --raw r/m.safetensors one | cmp -s - "$T/raw"; ok "outside of git"
git -C r show HEAD:m.safetensors >text; status_is 128 varve cat text one && err 'is a manifest' && one_line; ok "a manifest alone has no values"
plan_end
