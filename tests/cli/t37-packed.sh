#!/bin/sh
# Tensors inside compressed bytes: shown, compared, read, converted; kept and restored with their file only.
. "$(dirname "$0")/lib.sh"

save() { # save FILE BIG SMALL: an archive whose arrays are compressed, and one beside it that is not
	python3 - "$@" <<'P'
import io, sys, zipfile
import numpy as np
big, small = float(sys.argv[2]), float(sys.argv[3])
t = {"net.big": np.arange(300000, dtype="f4").reshape(600, 500) + np.float32(big), "f": np.asfortranarray(np.arange(6.).reshape(2, 3)),
     "plain": np.full(4, small, "f4")}
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for k, a in t.items():
        b = io.BytesIO()
        np.save(b, a)
        z.writestr(zipfile.ZipInfo(k + ".npy"), b.getvalue(), 0 if k == "plain" else 8)
P
	touch -d '10 seconds ago' "$1"
}
new_repo "$T/r"
varve track -q '*.npz'
save m.npz 0 1; one=$(sum m.npz); git add .; git commit -q -m one; git tag v1
save m.npz 5 1; two=$(sum m.npz); git add .; git commit -q -m two; git tag v2
git show HEAD:m.npz >"$T/m"; grep -q '^packed "net.big" f32 \[600,500\] - deflate 128$' "$T/m" && grep -q '^packed "f" f64 \[2,3\] \[1,2\] deflate 128$' "$T/m"; ok "the manifest names them"
grep -q '^tensor "plain" f32 \[4\] ' "$T/m" && ! grep -q '^finding' "$T/m"; ok "what is stored is a tensor as ever"
out varve show m.npz; said 'net.big *f32 \[600,500\] *300,000 *1.20 MB *compressed' && said ' 300,010 parameters'; ok "show"
out varve show --json m.npz; json '[(t["name"], t["packed"], t["elements"], t["bytes"]) for t in d["tensors"]] == [("net.big", "deflate", 300000, 1200000), ("f", "deflate", 6, 48), ("plain", None, 4, 16)]'; ok "show --json"
out varve diff --json v1 v2; json 'len(d["files"][0]["items"]) == 1'; json '(lambda i: i["name"] == "net.big" and i["change"] == "changed" and i["delta"]["changed"] == 300000 and i["delta"]["max_abs"] == 5)(d["files"][0]["items"][0])'; ok "diff measures their values"
out varve log --names --json m.npz; json '[n["name"] for n in d["commits"][0]["names"]] == ["net.big"]'; ok "log"
out varve blame --json m.npz; json 'dict((t["name"], t["commit"]) for t in d["tensors"]) == dict([("net.big", "'"$(git rev-parse v2)"'"), ("f", "'"$(git rev-parse v1)"'"), ("plain", "'"$(git rev-parse v1)"'")])'; ok "blame"
for tensor in net.big f; do
	varve cat -q v1:m.npz "$tensor" >"$T/$tensor.npy"; python3 - "$T/$tensor.npy" "$tensor" <<'P'
import sys
import numpy as np
a = np.load(sys.argv[1])
want = np.arange(300000, dtype="f4").reshape(600, 500) if sys.argv[2] == "net.big" else np.arange(6.).reshape(2, 3)
assert a.dtype == want.dtype and np.array_equal(a, want)
P
	ok "cat $tensor"
done
out varve convert v1:m.npz -o c.safetensors && varve convert -q c.safetensors -o c.npz && python3 - <<'P'
import numpy as np
a = np.load("c.npz")
assert sorted(a) == ["f", "net.big", "plain"] and a["net.big"][599, 499] == 299999 and a["f"].tolist() == [[0, 1, 2], [3, 4, 5]]
P
ok "convert"
# The same values, compressed otherwise.
python3 - <<'P'
import zipfile
with zipfile.ZipFile("m.npz") as a, zipfile.ZipFile("z.npz", "w") as z:
    for i in a.infolist():
        z.writestr(zipfile.ZipInfo(i.filename), a.read(i), i.compress_type, 1)
P
out varve diff --no-index --json m.npz z.npz; json 'all(i["delta"]["changed"] == 0 for i in d["files"][0]["items"]) and len(d["files"][0]["items"]) > 0'; ok "the same values in other bytes: none differ"

status_is 128 varve restore v1 -t net.big m.npz && err 'tensor "net.big" is compressed: it can only be restored with the whole file' && one_line && same m.npz "$two"; ok "restore of one is refused"
out varve restore v1 m.npz; same m.npz "$one"; ok "the whole file comes back"
save m.npz 5 9; varve add -q m.npz; git commit -q -m three; out varve restore v2 -t 'f' -t plain m.npz; same m.npz "$two"; ok "tensors beside it, and ones that are the same"
git reset -q --hard

# Two sides: a compressed one here, a plain one there.
git checkout -q -b here v1; save m.npz 7 1; git commit -q -am here
git checkout -q -b there v1; save m.npz 0 3; git commit -q -am there
git checkout -q here; out git merge -q --no-edit there; python3 - <<'P'
import numpy as np
a = np.load("m.npz")
assert a["net.big"][0, 0] == 7 and a["plain"].tolist() == [3] * 4
P
ok "a merge takes compressed ones as they are, and the others one by one"
git checkout -q -b other v1; save m.npz 8 1; git commit -q -am other
! git merge -q --no-edit here >"$T/out" 2>&1 && out varve status; git merge --abort; ok "two that differ in a compressed one conflict"
python3 -c 'import numpy as np; np.savez_compressed("all.npz", w=np.ones(9), v=np.zeros(3))'; out varve show all.npz; said 'merges *as a whole file'; ok "with nothing else the file is merged whole"

# An archive that lies.
python3 - <<'P'
import io, zipfile
import numpy as np
for name, cut in (("lie.npz", 4), ("true.npz", 0)):
    b = io.BytesIO()
    np.save(b, np.arange(1000, dtype="f4") + cut)
    d = b.getvalue()
    with zipfile.ZipFile(name, "w") as z:
        z.writestr(zipfile.ZipInfo("w.npy"), d, 8)
    if cut:
        raw = bytearray(open(name, "rb").read())
        raw[700] ^= 0xff
        open(name, "wb").write(raw)
P
status_is 0 varve diff --no-index --json true.npz lie.npz; json '"delta" not in d["files"][0]["items"][0]'; ok "one that does not inflate is not measured"
status_is 128 varve cat -q lie.npz w && err 'tensor "w": ' && one_line; ok "nor read"
plan_end
