#!/bin/sh
# scan: verdicts with reason and offset, for files in git and outside of it; JSON, SARIF, exit statuses.
script=$0
case $script in /*) ;; *) script=$PWD/$script ;; esac
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
python3 - <<'P'
import io, json, os, pickle, struct, zipfile
class E:
    def __reduce__(self): return (os.system, ("echo hi",))
class M:
    def __reduce__(self): return (json.JSONDecoder, ())
w = lambda name, data: open(name, "wb").write(data)
w("evil.pkl", pickle.dumps(E()))
w("old.bin", pickle.dumps(E(), protocol=0))
w("odd.pkl", pickle.dumps(M()))
w("plain.pkl", pickle.dumps({"a": [1, 2.5, "x"]}))
w("words.txt", b"cos\nine of an angle\ncreate table os\nsystem\n")
head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
w("m.safetensors", struct.pack("<Q", len(head)) + head + bytes(8))
def archive(name, *members, method=zipfile.ZIP_STORED):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", method) as z:
        for n, data in members:
            z.writestr(zipfile.ZipInfo(n), data, method)
    w(name, b.getvalue())
    return b.getvalue()
archive("up.zip", ("a/../../x", b"x"), ("b\\c", b""), ("ok/x", b""))
archive("bomb.zip", ("zeros", bytes(40 << 20)), method=zipfile.ZIP_DEFLATED)
inner = archive("in.zip", ("q.bin", pickle.dumps(E())))
for i in range(3):
    inner = archive("nest.zip", ("%d.zip" % i, inner), method=zipfile.ZIP_DEFLATED)
archive("deep.zip", ("4.zip", archive("x.zip", ("3.zip", inner))))
os.unlink("x.zip")
b = bytearray(archive("crc.npz", ("a.npy", b"\x93NUMPY\x01\x00v\x00" + (b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" + b" " * 117)[:117] + b"\n" + bytes(8))))
b[b.index(b"\n") + 1] ^= 1
w("crc.npz", b)
P
# is FILE VERDICT STATUS [TEXT]
is() {
	st=0; varve scan "$1" >"$T/out" 2>"$T/err" || st=$?
	[ "$st" = "$3" ] && head -n 1 "$T/out" | grep -q "^$1: $2 (" && { [ -z "${4-}" ] || grep -q -- "$4" "$T/out"; }
	ok "$1 is $2${4:+: $4}"
}
is evil.pkl dangerous 1 'offset 2[0-9]: pickle-global: posix.system'
is old.bin dangerous 1 'pickle-global: posix.system'
is odd.pkl suspicious 0 'suspicious  offset [0-9]*: pickle-global: json.decoder.JSONDecoder'
is plain.pkl safe 0
is words.txt safe 0
is m.safetensors safe 0
is up.zip dangerous 1 'unsafe-path: a/../../x'
grep -q 'unsafe-path: b' "$T/out" && ! grep -q 'ok/x' "$T/out"; ok "a backslash too, and no more"
is bomb.zip dangerous 1 'zip-bomb: zeros: [0-9]* bytes claim to be 41943040'
is nest.zip dangerous 1 '2.zip: 1.zip: 0.zip: q.bin: posix.system'
is deep.zip suspicious 0 'limit: .*too deep inside archives'
is crc.npz suspicious 0 'crc: a.npy: not the CRC-32'
st=0; varve scan --strict -q odd.pkl >"$T/out" || st=$?
[ $st = 1 ]; ok "--strict: suspicious fails"
out varve scan --strict --allow 'json.*' odd.pkl && head -n 1 "$T/out" | grep -q safe; ok "--allow: known here"
st=0; varve scan --allow 'json.*' evil.pkl >"$T/out" || st=$?
[ $st = 1 ]; ok "and nothing else"
st=0; varve scan --json evil.pkl m.safetensors >"$T/out" || st=$?
[ $st = 1 ] && python3 - "$T/out" <<'P'
import json, sys
a, b = json.load(open(sys.argv[1]))
assert (a["path"], a["format"], a["verdict"]) == ("evil.pkl", "pickle", "dangerous"), a
f, = a["findings"]
assert f["code"] == "pickle-global" and f["severity"] == "dangerous" and f["detail"] == "posix.system" and 20 < f["offset"] < 40
assert b == {"path": "m.safetensors", "format": "safetensors", "verdict": "safe", "findings": []}, b
P
ok "--json"
st=0; varve scan --sarif evil.pkl odd.pkl >"$T/out" || st=$?
[ $st = 1 ] && python3 - "$T/out" <<'P'
import json, sys
s = json.load(open(sys.argv[1]))
run, = s["runs"]
assert s["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "varve"
assert [(r["ruleId"], r["level"]) for r in run["results"]] == [("pickle-global", "error"), ("pickle-global", "warning")]
place = run["results"][0]["locations"][0]["physicalLocation"]
assert place["artifactLocation"]["uri"] == "evil.pkl" and place["region"]["byteOffset"] > 20
P
ok "--sarif"

# In git: all of it, a folder of it, an old version; from below.
varve track -q '*.pkl' && mkdir d && mv plain.pkl d/ && cp evil.pkl e.pkl && touch -d '10 seconds ago' ./*.pkl d/*.pkl
git add .gitattributes ./*.pkl d && git commit -q -m one
st=0; varve scan >"$T/out" || st=$?
[ $st = 1 ] && grep -q '^d/plain.pkl: safe' "$T/out" && grep -q '^4 files: 1 safe, 1 suspicious, 2 dangerous$' "$T/out"; ok "all models of the repository"
out varve scan d && [ "$(cat "$T/out")" = 'd/plain.pkl: safe (pickle)' ]; ok "those of a folder"
(cd d && varve scan ..) >"$T/out"; grep -q '^4 files' "$T/out"; ok "from below"
git rm -q e.pkl && git commit -q -m two
st=0; varve scan HEAD~1:e.pkl >"$T/out" || st=$?
[ $st = 1 ] && grep -q '^HEAD~1:e.pkl: dangerous' "$T/out"; ok "an old version"
st=0; (cd / && varve scan "$T/r/evil.pkl") >"$T/out" || st=$?
[ $st = 1 ]; ok "outside of a repository"
mkdir -p "$T/dl/b" "$T/dl/.git" && cp odd.pkl "$T/dl/b/x" && cp m.safetensors "$T/dl/a" && cp evil.pkl "$T/dl/.git/e" && ln -s "$T/r/evil.pkl" "$T/dl/l"
out sh -c 'cd / && varve scan "$1"' sh "$T/dl" && [ "$(grep -c ': s' "$T/out")" = 2 ] && grep -q "^$T/dl/a: safe (safetensors)" "$T/out" &&
	grep -q "^$T/dl/b/x: suspicious" "$T/out" && grep -q '^2 files: 1 safe, 1 suspicious, 0 dangerous$' "$T/out"
ok "a folder outside of a repository: all in it, links and git's own not followed"
cp m.safetensors d/new; st=0; varve scan --all --json . >"$T/out" || st=$?
[ $st = 1 ] && json '{"./d/new", "./d/plain.pkl", "./evil.pkl"} <= {f["path"] for f in d} and not any(".git/" in f["path"] for f in d)'
ok "--all: files that git does not have"
rm d/new
st=0; varve scan nosuch 2>"$T/err" || st=$?
[ $st = 128 ] && [ "$(wc -l <"$T/err")" = 1 ] && grep -q nosuch "$T/err"; ok "a file that is not there"
st=0; (cd / && varve scan) 2>"$T/err" || st=$?
[ $st = 128 ]; ok "no repository to scan"
# Operators that are nobody's own: tests/golden/*/make.py.
golden=$(cd "$(dirname "$script")/../golden" && pwd); cd "$T" || exit
cp "$golden/tflite/edit-custom.tflite" "$golden/tflite/edit-flex.tflite" "$golden/tflite/image.tflite" "$golden/onnx/nested.onnx" "$golden/onnx/symbols.onnx" .
is edit-custom.tflite suspicious 0 'suspicious  offset 956: custom-op: Maker$'
[ "$(grep -c custom-op "$T/out")" = 1 ]; ok "once, though it is there twice"
is edit-flex.tflite dangerous 1 'dangerous   offset [0-9]*: tf-op: ReadFile$'
grep -q 'suspicious  offset [0-9]*: custom-op: FlexErf$' "$T/out"; ok "another of TensorFlow's is suspicious"
is image.tflite safe 0
is nested.onnx suspicious 0 'suspicious  offset 462: custom-op: test.Odd$'
is symbols.onnx safe 0
python3 - <<'P'
f = lambda n, data: (bytes([n << 3 | 2]) if n < 16 else bytes([(n << 3 | 2) & 127 | 128, n >> 4])) + bytes([len(data)]) + data
node = f(1, b"x") + f(2, b"y") + f(4, b"Odd") + f(7, b"test")
def model(*more):
    return b"\x08\x08" + f(7, f(1, node) + f(2, b"g") + f(5, bytes.fromhex("08021001") + f(8, b"w") + f(9, bytes(8)))) + b"".join(f(25, m) for m in more)
body = f(7, f(1, b"x") + f(2, b"y") + f(4, b"Relu"))
open("own.onnx", "wb").write(model(f(1, b"Odd") + f(4, b"x") + f(5, b"y") + body + f(10, b"test")))
open("other.onnx", "wb").write(model(f(1, b"Odd") + f(4, b"x") + f(5, b"y") + f(7, f(1, b"x") + f(2, b"y") + f(4, b"Even") + f(7, b"test")) + f(10, b"test")))
P
is own.onnx safe 0
is other.onnx suspicious 0 'custom-op: test.Even$'
! grep -q test.Odd "$T/out"; ok "but not the model's own function"
out varve show --graph own.onnx && grep -q '^test.Odd  *x  *→  y$' "$T/out" && grep -q '^function  *test.Odd  *x  *→  y$' "$T/out" && grep -q '^  Relu  *x  *→  y$' "$T/out"; ok "show --graph lists what a function is made of"
out varve show --json own.onnx && json 'd["graph"]["operators"] == {"Relu": 1, "test.Odd": 1} and [n["op"] for n in d["graph"]["nodes"]] == ["test.Odd", "function", "Relu"]'; ok "which is none of the operators"
plan_end
