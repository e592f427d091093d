#!/bin/sh
# merge: methods, recipes, versions, folders, dry runs, records that are verified, what is refused.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
python3 - <<'P'
import json, os, struct
import numpy as np
r = np.random.default_rng(3)
def save(name, tensors, meta=None):
    head, body = {"__metadata__": meta} if meta else {}, b""
    for k, v in tensors.items():
        head[k] = {"dtype": {"f4": "F32", "i8": "I64"}[v.dtype.str[1:]], "shape": list(v.shape), "data_offsets": [len(body), len(body) + v.nbytes]}
        body += v.tobytes()
    h = json.dumps(head).encode()
    open(name, "wb").write(struct.pack("<Q", len(h)) + h + body)
base = {"model.embed.weight": r.standard_normal((40, 30)).astype("f4"), "steps": np.array([7], "i8")}
for i in range(3):
    base[f"model.layers.{i}.mlp.weight"] = r.standard_normal((64, 33)).astype("f4")
base["lm_head.weight"] = r.standard_normal((40, 30)).astype("f4")
save("base.safetensors", base, {"format": "pt"})
for n in "abc":
    save(n + ".safetensors", {k: v + (.1 * r.standard_normal(v.shape)).astype(v.dtype) for k, v in base.items()}, {"format": "pt", "who": n})
odd = dict(base); odd["lm_head.weight"] = np.zeros((41, 30), "f4"); save("odd.safetensors", odd)
odd = dict(base); del odd["steps"]; save("less.safetensors", odd)
odd = dict(base); odd["lm_head.weight"] = base["lm_head.weight"].copy(); odd["lm_head.weight"][3, 3] = np.nan; save("nan.safetensors", odd)
for s in (1, -1):
    odd["lm_head.weight"] = base["lm_head.weight"].copy(); odd["lm_head.weight"][3, 3] = s * np.inf; save("inf%+d.safetensors" % s, odd)
os.mkdir("folder"); os.rename("c.safetensors", "folder/model.safetensors")
for f in ("config.json", "tokenizer.json", "merges.txt", "notes.md", "model.safetensors.index.json"): open("folder/" + f, "w").write(f)
P
cat >"$T/show.py" <<'P'
import json, struct, sys
import numpy as np
def load(name):
    raw = open(name, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return head.pop("__metadata__", {}), {k: np.frombuffer(raw[8 + n:][v["data_offsets"][0]:v["data_offsets"][1]],
        {"F32": "f4", "I64": "i8", "BF16": "u2"}[v["dtype"]]).reshape(v["shape"]) for k, v in head.items()}
P
py() { PYTHONPATH="$T" python3 -c "from show import *; $1"; }
touch -d '10 seconds ago' ./*.safetensors; git add .; git commit -q -m one

out varve merge a.safetensors b.safetensors -o o.safetensors && err '^o.safetensors: linear of 2 models, 6 tensors' &&
	py 'm, t = load("o.safetensors"); a = load("a.safetensors")[1]; b = load("b.safetensors")[1]; assert m["who"] == "a" and m["format"] == "pt"; assert all((t[k] == ((a[k].astype("f8") + b[k]) / 2).astype("f4")).all() for k in t if k != "steps"), 1; assert t["steps"][0] == 7'; ok "the average; whole numbers are the first one's; metadata stays"
py 'r = json.loads(load("o.safetensors")[0]["varve.merge"]); assert r["record"] == 1 and [i["path"] for i in r["inputs"]] == ["a.safetensors", "b.safetensors"] and r["recipe"]["merge_method"] == "linear"' &&
	py "r = json.loads(load('o.safetensors')[0]['varve.merge']); assert r['inputs'][0]['sha256'] == '$(sum a.safetensors)'"; ok "the record names inputs by SHA-256"
status_is 0 varve merge --verify o.safetensors && grep -q '^o.safetensors: bit for bit what its recipe makes' "$T/out"; ok "--verify finds the inputs in the store"
VARVE_THREADS=1 varve merge -q -m ties -b base.safetensors --density 0.5,0.3 --weight 1,0.4 a.safetensors b.safetensors -o 1.safetensors &&
	VARVE_THREADS=7 varve merge -q -m ties -b base.safetensors --density 0.5,0.3 --weight 1,0.4 a.safetensors b.safetensors -o 2.safetensors && cmp -s 1.safetensors 2.safetensors; ok "any number of threads makes the same file"
py 'raw = bytearray(open("1.safetensors", "rb").read()); raw[-1] ^= 1; open("3.safetensors", "wb").write(raw)'
status_is 1 varve merge --verify 3.safetensors && grep -q 'not what its recipe makes' "$T/out"; ok "--verify sees one bit"
status_is 1 varve merge --json --verify 3.safetensors && json 'd["same"] is False and d["method"] == "ties" and len(d["inputs"]) == 3 and d["varve"]'; ok "--verify --json"
cp -r . "$T/copy"; rm -rf "$T/copy/.git"; mkdir "$T/away"; mv "$T/copy/base.safetensors" "$T/away"
(cd "$T/copy" && export GIT_CEILING_DIRECTORIES="$T" && status_is 128 varve merge --verify 1.safetensors && err 'a.safetensors, of sha256:.* is not in the store: name' &&
	status_is 0 varve merge --verify 1.safetensors b.safetensors a.safetensors ../away/base.safetensors); ok "outside of git the inputs are given"
status_is 128 varve merge --verify a.safetensors && err 'a.safetensors: it has no record of a merge'; ok "a file without a record"

out varve merge -m slerp -t 0 a.safetensors b.safetensors -d f32 -o s.safetensors && py 'a = load("a.safetensors")[1]; s = load("s.safetensors")[1]; assert all(abs(a[k] - s[k]).max() < 1e-6 for k in s)'; ok "slerp at 0 is the first"
out varve merge -m nearswap -b base.safetensors -t 0.05 a.safetensors --dtype bf16 -o s.safetensors && py 't = load("s.safetensors")[1]; assert t["lm_head.weight"].dtype.str == "<u2" and t["steps"].dtype.str == "<i8"'; ok "--dtype"
out varve merge --json -m dare_ties -b base.safetensors --set density=0.5 --set rescale=false --lambda 0.5 --seed 4 a.safetensors b.safetensors folder -o d.safetensors && json 'd["file"] == "d.safetensors" and d["method"] == "dare_ties" and d["tensors"] == 6 and d["copied"] == 1 and d["layers"] == 3 and len(d["inputs"]) == 4 and d["recipe"]["seed"] == 4 and d["recipe"]["parameters"]["rescale"] is False'; ok "--json; --set; --seed; a folder"
varve merge -q -m dare_ties -b base.safetensors --set density=0.5 --set rescale=false --lambda 0.5 --seed 5 a.safetensors b.safetensors folder -o e.safetensors && ! cmp -s d.safetensors e.safetensors && varve merge -q --verify e.safetensors; ok "another seed makes another file, which verifies"
varve merge -q HEAD:a.safetensors base.safetensors -o - >p.safetensors && varve merge -q --verify p.safetensors; ok "a version; standard output"

cat >r.yaml <<'Y'
merge_method: ties
base_model: base.safetensors
models:
  - model: a.safetensors
    parameters: {weight: [0, 0.5, 1], density: 0.5}
  - model: folder          # another
    parameters:
      weight:
        - filter: mlp
          value: 0.3
        - value: 0.7
      density: 0.4
parameters: {normalize: true, int8_mask: true}
dtype: float32
tokenizer_source: folder
Y
out varve merge r.yaml -o new/ && cmp -s new/tokenizer.json folder/tokenizer.json && [ -e new/config.json ] && [ -e new/merges.txt ] && [ ! -e new/notes.md ] && [ ! -e new/model.safetensors.index.json ] && varve merge -q --verify new/model.safetensors; ok "a recipe into a folder, with the tokenizer; it verifies"
cat >slices.yaml <<'Y'
slices:
  - sources: [{model: a.safetensors, layer_range: [0, 2]}]
  - sources: [{model: b.safetensors, layer_range: [1, 3]}]
merge_method: passthrough
Y
out varve merge slices.yaml -o big.safetensors && py 't = load("big.safetensors")[1]; a, b = load("a.safetensors")[1], load("b.safetensors")[1]; assert len(t) == 7 and (t["model.layers.3.mlp.weight"] == b["model.layers.2.mlp.weight"]).all() and (t["model.layers.1.mlp.weight"] == a["model.layers.1.mlp.weight"]).all() and (t["lm_head.weight"] == b["lm_head.weight"]).all() and (t["model.embed.weight"] == a["model.embed.weight"]).all()' && varve merge -q --verify big.safetensors; ok "layers stacked by slices"
out varve merge --json -n slices.yaml && json 'd["file"] is None and d["layers"] == 4 and d["tensors"] == 7'; ok "--dry-run"

for i in 1 2 3; do
	py "raw = bytearray(open('a.safetensors', 'rb').read()); raw[-3] ^= $i; open('a.safetensors', 'wb').write(raw)"
	touch -d "$((9 - i)) seconds ago" a.safetensors; git commit -q -am "step $i"
done
out varve merge --json --last 3 a.safetensors -o avg.safetensors && json 'len(d["inputs"]) == 3 and d["method"] == "linear"' && varve merge -q HEAD:a.safetensors HEAD~1:a.safetensors HEAD~2:a.safetensors -o avg2.safetensors && py 'a, b = load("avg.safetensors")[1], load("avg2.safetensors")[1]; assert all(a[k].tobytes() == b[k].tobytes() for k in b)'; ok "the average of the last three versions"
out varve merge --json --last 3 --ema 0.5 HEAD:a.safetensors -o ema.safetensors && json '[m["parameters"]["weight"] for m in d["recipe"]["models"]] == [0.5, 0.25, 0.25]' && varve merge -q --verify ema.safetensors; ok "--ema: each older one weighs less"
status_is 129 varve merge --last 9 a.safetensors -o x.safetensors && err 'a.safetensors has 4 versions, not 9'; ok "fewer versions than that"
status_is 129 varve merge --last 2 a.safetensors b.safetensors -o x.safetensors && status_is 129 varve merge --ema 0.5 a.safetensors -o x.safetensors && status_is 129 varve merge --last 2 --ema 2 a.safetensors -o x.safetensors && err '\-\-ema takes a number between 0 and 1'; ok "--last and --ema belong together"

no() { # no STATUS TEXT WORD...: it says so in one line, and writes nothing
	want=$1 text=$2
	shift 2
	status_is "$want" varve merge "$@" -o x.safetensors && err "$text" && { [ "$want" = 129 ] || one_line; } && [ ! -e x.safetensors ] && ! ls .*varve* ./*tmp* >/dev/null 2>&1
	ok "refused: $text"
}
no 128 'tensor "lm_head.weight" of odd.safetensors has another shape than .* of a.safetensors' a.safetensors odd.safetensors
no 128 'less.safetensors has no tensor "steps"' a.safetensors less.safetensors
no 128 'less.safetensors has no tensor "steps", which a.safetensors has' less.safetensors a.safetensors
no 128 'nan.safetensors: tensor "lm_head.weight" has a NaN' a.safetensors nan.safetensors
no 128 'tensor "lm_head.weight": linear makes a NaN of it' -m linear inf+1.safetensors inf-1.safetensors
no 129 'linear takes no base' -b base.safetensors a.safetensors b.safetensors
no 129 'ties needs a base model' -m ties a.safetensors b.safetensors
no 129 'slerp needs the parameter t' -m slerp a.safetensors b.safetensors
no 129 'slerp takes 2 models, not 1' -m slerp -t 0.5 a.safetensors
no 129 "no merge method 'tise'" -m tise a.safetensors b.safetensors
no 129 "linear has no parameter 'density'" --density 0.5 a.safetensors b.safetensors
no 129 'weight: 3 values for 2 models' --weight 1,2,3 a.safetensors b.safetensors
no 129 "weight: 'x' is not a number" --weight x a.safetensors b.safetensors
no 129 "set takes NAME=VALUE" --set weight a.safetensors b.safetensors
no 129 'the weights add up to 0' --weight 1,-1 a.safetensors b.safetensors
no 128 'density has to be from 0 to 1' -m ties -b base.safetensors --density 2 a.safetensors b.safetensors
no 128 'the type has to be' -d i8 a.safetensors b.safetensors
no 128 'nosuch.safetensors' a.safetensors nosuch.safetensors
no 128 'this folder has no model.safetensors' a.safetensors new/..//.git
no 128 'r.yaml: no tensors are seen in this file' a.safetensors r.yaml
no 129 'only --seed goes with a recipe' --weight 1 r.yaml
printf 'merge_method: linear\nmodels:\n- model: a.safetensors\n  parameters: {wieght: 1}\n' >bad.yaml
no 128 "bad.yaml:4:16: no method has a parameter 'wieght'" bad.yaml
status_is 129 varve merge a.safetensors b.safetensors && err 'and -o OUT'; ok "no -o"
status_is 129 varve merge a.safetensors b.safetensors -o x.ckpt && err 'merge writes a folder, or a file that ends with' && [ ! -e x.ckpt ]; ok "a format that is not written"
out varve merge a.safetensors b.safetensors -o x.npz && varve merge -q a.safetensors b.safetensors -o y.safetensors && py 'a, b = np.load("x.npz"), load("y.safetensors")[1]; assert sorted(a.files) == sorted(b) and all((a[k] == b[k]).all() for k in b)'; ok "npz, by its ending"
for i in pt gguf onnx h5 msgpack; do varve merge -q -d f32 a.safetensors b.safetensors -o x.$i && varve diff --json --exact y.safetensors x.$i >"$T/out" && json 'all(t["rel_l2"] in (0, None) for t in d["tensors"]) if isinstance(d, dict) and "tensors" in d else True'; ok "$i, by its ending"; done
printf 'merge_method: linear\nmodels: [{model: self.yaml}, {model: a.safetensors}]\n' >self.yaml
rm -f x.safetensors; no 128 'self.yaml: no tensors are seen in this file' self.yaml

# --- adapters ---
py 'import os; os.mkdir("ad")'
cat >>"$T/show.py" <<'P'
def save(name, tensors):
    head, body = {}, b""
    for k, v in tensors.items():
        head[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [len(body), len(body) + v.nbytes]}
        body += v.tobytes()
    h = json.dumps(head).encode()
    open(name, "wb").write(struct.pack("<Q", len(h)) + h + body)
def adapter(rank, module, more=(), **config):
    r = np.random.default_rng(1)
    t = {f"base_model.model.{module}.lora_{x}.weight": r.standard_normal(s).astype("f4") for x, s in (("A", (rank, 33)), ("B", (64, rank)))}
    save("ad/adapter_model.safetensors", {**t, **{k: np.zeros(1, "f4") for k in more}})
    json.dump({"peft_type": "LORA", "r": 4, "lora_alpha": 8, **config}, open("ad/adapter_config.json", "w"))
    return list(t.values())
P
py 'adapter(4, "model.layers.1.mlp")'
out varve merge --json a.safetensors --lora ad:0.5 -o l.safetensors && json 'd["method"] == "lora" and d["tensors"] == 6 and d["copied"] == 5 and d["recipe"]["models"][0]["parameters"]["scale"] == 1' &&
	py 'A, B = adapter(4, "model.layers.1.mlp"); m, t = load("l.safetensors"); a = load("a.safetensors")[1]; k = "model.layers.1.mlp.weight"; assert np.abs(t[k] - (a[k] + B.astype("f8") @ A)).max() < 1e-5; assert all((t[x] == a[x]).all() for x in a if x != k); assert m["who"] == "a"'; ok "--lora adds scale * alpha / r * B A to its tensor, and to no other"
varve merge -q --verify l.safetensors ad; ok "it is made again from the adapter's weights"
out varve merge --json --extract-lora 4 a.safetensors l.safetensors -o back && json 'd["folder"] == "back" and d["rank"] == 4 and d["tensors"] == 1 and d["left_out"] == 0 and d["error"] < 1e-4' && varve merge -q a.safetensors --lora back -o again.safetensors &&
	py 's, t = load("l.safetensors")[1], load("again.safetensors")[1]; assert all(np.abs(s[k].astype("f8") - t[k]).max() < 1e-4 for k in s)'; ok "--extract-lora finds it, and adding that gives the model"
out varve merge --extract-lora 2 base.safetensors a.safetensors -o back2 && err 'back2: rank 2 of 4 matrices, .* of the change is lost' && err '1 changed tensor is left out, "model.embed.weight" first'; ok "what an adapter cannot have is counted"
no 129 'a rank has to be from 1 to' --extract-lora 5000 a.safetensors b.safetensors
no 129 'a rank has to be from 1 to' --extract-lora 0 a.safetensors b.safetensors
no 128 'nan.safetensors.* NaN' --extract-lora 2 a.safetensors nan.safetensors
mkdir mine; status_is 128 varve merge --extract-lora 2 a.safetensors nan.safetensors -o mine && [ -d mine ] && [ -z "$(ls -A mine)" ]; ok "a folder that was there stays"
no 128 'a.safetensors and a.safetensors differ in no matrix' --extract-lora 4 a.safetensors a.safetensors
no 129 'takes a base and what became of it' --extract-lora 4 a.safetensors
no 129 'lora goes with -o, --dtype' --extract-lora 4 -m ties a.safetensors b.safetensors
no 129 'lora takes one model' --lora ad a.safetensors b.safetensors
no 129 'lora takes ADAPTER or ADAPTER:SCALE' --lora ad:x a.safetensors
no 129 'named twice' --lora ad --lora ad a.safetensors
no 129 'lora is had by --lora ADAPTER' -m lora -b base.safetensors ad
no 128 'nosuch: no such adapter on disk' --lora nosuch a.safetensors
py 'adapter(4, "model.layers.9.mlp")'; no 128 'a.safetensors has no tensor "model.layers.9.mlp.weight", which an adapter in ad changes' --lora ad a.safetensors
py 'adapter(3, "model.layers.1.mlp")'; no 128 'is not of rank 4, as its adapter_config.json says' --lora ad a.safetensors
py 'adapter(4, "model.layers.1.mlp", use_dora=True)'; no 128 'ad/adapter_config.json: "use_dora" is not done' --lora ad a.safetensors
py 'adapter(4, "model.layers.1.mlp", ["base_model.model.lm_head.weight"])'; no 128 'ad: tensor "base_model.model.lm_head.weight" is no part of a LoRA' --lora ad a.safetensors
py 'adapter(4, "lm_head")'; no 128 'of ad does not fit "lm_head.weight" of a.safetensors' --lora ad a.safetensors
echo '{' >ad/adapter_config.json; no 128 'ad/adapter_config.json:' --lora ad a.safetensors
plan_end
