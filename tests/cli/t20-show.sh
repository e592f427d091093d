#!/bin/sh
# show: the layer tree, counts, optimizer, findings; inside and outside of git.
. "$(dirname "$0")/lib.sh"

here=$PWD; cd "$T" && layers=""
for i in 0 1 2 3; do layers="$layers set=h.$i.attn.w:1 set=h.$i.attn.b:1 set=h.$i.mlp.w:1"; done
model m.safetensors n=0 elems=64 set=wte.weight:1 $layers set=ln.w:1
status_is 0 varve show m.safetensors; ok "a plain file, outside of git"
said '^m.safetensors: safetensors, 14 tensors, 896 parameters, 2\.'; ok "format, tensors, parameters, bytes"
said '^  bf16  *896 in 14 tensors, 1.79 kB$'; ok "by type"
said '^h.0 … h.3 (4 alike) .*3 tensors *192 *384 B  each$'; ok "layers alike are one line"
said '^  attn  *2 tensors'; ok "with what is in them"
said '^wte.weight  *bf16 \[64\]  *64  *128 B$'; ok "a tensor: type, shape, numbers, bytes"
said '^  merges  *tensor by tensor$'; ok "and whether it merges by tensor"
! grep -q stored "$T/out"; ok "nothing about a store outside of a repository"
out varve show --all m.safetensors; [ "$(grep -c 'attn' "$T/out")" = 4 ]; ok "--all names every layer"
out varve show --depth 1 m.safetensors; said '^h  *12 tensors' || said '^h.0 … h.3'; ok "--depth counts what is below"
! grep -q 'attn' "$T/out"; ok "and does not name it"
out varve show --json m.safetensors; json 'd["parameters"] == 896 and len(d["tensors"]) == 14 and d["stored"] is None'; ok "--json"
json 'd["tensors"][1] == dict(d["tensors"][1], name="h.0.attn.w", dtype="bf16", shape=[64], bytes=128, shared=False)'; ok "one of its tensors"
json "d['sha256'] == '$(sum m.safetensors)' and d['size'] == $(stat -c %s m.safetensors) and d['manifest'] is None"; ok "the file's own hash"

model o.safetensors n=0 elems=16 set=w:1 set=optimizer.state.0.exp_avg:1 set=optimizer.state.0.exp_avg_sq:1
out varve show o.safetensors; said 'optimizer  *Adam.*: 32 numbers in 2 tensors'; ok "an optimizer's state is told apart"
out varve show --json o.safetensors; json 'd["parameters"] == 16 and d["optimizer_state"]["elements"] == 32 and "Adam" in d["optimizer"]'; ok "in --json too"
model e.safetensors n=0 elems=4 'set=a\u001b[31mred:1'
out varve show e.safetensors; said 'a.u001b\[31mred' && ! grep -q "$(printf '\033')" "$T/out"; ok "names are escaped"
printf 'not a model' >x.bin; out varve show x.bin; said '^x.bin: opaque, 0 tensors'; ok "a file of unknown format"
said 'merges  *as a whole file'; ok "merges as a whole"
head -c 2000 m.safetensors >cut.safetensors; out varve show cut.safetensors; said 'finding .* at offset'; ok "findings are shown"
out varve show --json cut.safetensors; json 'd["findings"] and d["findings"][0]["code"]'; ok "in --json too"

new_repo "$T/r"; mkdir sub; model sub/m.safetensors seed=1; git add .; git commit -q -m one; model sub/m.safetensors seed=1 set=t0:2
status_is 0 varve show HEAD:sub/m.safetensors; said 'stored .* in 9 objects'; ok "REV:FILE, with what it costs"
out varve show sub/m.safetensors; said 'of 9 objects are not here'; ok "a changed file, not stored yet"
cd sub; out varve show HEAD:sub/m.safetensors && out varve show HEAD:./m.safetensors && out varve show HEAD:m.safetensors; ok "from a subfolder: from the top, ./, or here"
out varve show :sub/m.safetensors && out varve show m.safetensors; ok "the index; the file here"
status_is 128 varve show HEAD:nope && err 'HEAD:nope: git has no such file' && one_line; ok "no such file in a version"
status_is 128 varve show HEAD:.gitattributes && err 'no model that varve keeps' && one_line; ok "a file that is no model"
status_is 128 varve show nope && err 'nope: No such file' && one_line; ok "no such file"
status_is 129 varve show && err 'show takes one model'; ok "no argument"
git show HEAD:sub/m.safetensors >"$T/manifest.txt"; cd "$T"; out varve show manifest.txt; said '8 tensors, 32,768 parameters'; ok "a manifest alone, outside of git"
# How it merges, for each format as the README says.
cd "$T"
golden=$(dirname "$0")/../golden
case $golden in /*) ;; *) golden=$here/$golden ;; esac
merges() { out varve show --json "$golden/$1" && json "d['merges'] == '$2' and d['merges_by_tensor'] == ('$2' != 'as a whole file')"; ok "$1 merges $2"; }
same='the same tensors, with other values'; keras='the same names and shapes'
merges torch/2.13.0/state.pt 'tensor by tensor'; merges torch/1.13.1/legacy.pt "tensor by tensor: $same"; merges torch-dcp/model.distcp "tensor by tensor: $same"
merges gguf/model.gguf 'tensor by tensor'; merges onnx/model.onnx 'tensor by tensor'; merges tflite/model.tflite "tensor by tensor: $same"
merges hdf5/new.h5 "tensor by tensor: $keras, any in files that varve made"; merges hdf5/model.keras "tensor by tensor: $keras"
merges hdf5/deflated.keras 'as a whole file'; merges msgpack/model.msgpack 'tensor by tensor: the same names, any where it holds arrays alone'
merges tf/model.index 'as a whole file'; merges tf/model.data-00000-of-00001 'as a whole file'; merges onnx/bad-short.onnx 'as a whole file'
out varve show "$golden/msgpack/model.msgpack"; said '^  merges  *tensor by tensor: the same names'; ok "as text"
# Chunks at an edge are padded: 847 elements is what h5py sees of those that were written.
out varve show "$golden/hdf5/chunks-new.h5" && said ': hdf5, 249 tensors, 847 parameters'; ok "what fills up chunks is no parameter"
cp "$golden/hdf5/chunks-new.h5" "$T/r/c.h5" && cd "$T/r" && varve track -q '*.h5' && git add c.h5 && rm c.h5 && out varve show :c.h5 && said ' 847 parameters'; ok "nor of a file in the store"; cd "$T"
# What a model computes.
cp "$golden/onnx/symbols.onnx" "$golden/onnx/bad-short.onnx" "$golden/tflite/image.tflite" "$golden/hdf5/two.keras" "$golden/hdf5/short.h5" \
	"$golden/hdf5/code.h5" "$golden/hdf5/new.h5" .
status_is 0 varve show symbols.onnx; said '^  input  *image f32 \[batch,2,height,?\]$'; ok "ONNX: an input with symbols"
said '^  input  *any bf16$' && said '^  output  *all sequence$'; ok "one without a shape; one that is no tensor"
said '^  operators  *Conv 1, If 1, Relu 1, SequenceConstruct 1, Softmax 1, Tanh 1, com.microsoft.FusedConv 1, com.microsoft.Gelu 1$'; ok "operators"
said '^  activations  *Relu 2, Softmax 1, Tanh 1, com.microsoft.Gelu 1$'; ok "activations, a fused one too"
said '^  opset  *17, com.microsoft 1$' && said '^  producer  *make.py 1.2$' && said '^  graphs  *2 within$'; ok "versions, graphs within"
! grep -q '^Conv ' "$T/out"; ok "nodes are not listed unasked"
out varve show --graph symbols.onnx; said '^Conv .*conv  *image, w, -  *→  c$' && said '^  Tanh .*tanh  *e  *→  t$'; ok "--graph lists them in order"
! grep -q '^w  *f32' "$T/out"; ok "instead of tensors"
out varve show -a symbols.onnx; said '^Conv ' && said '^w  *f32'; ok "-a lists both"
out varve show --json symbols.onnx; json 'd["graph"]["inputs"][0] == {"name": "image", "dtype": "f32", "shape": ["batch", 2, "height", None]}'; ok "--json: shapes"
json 'd["graph"]["inputs"][2]["shape"] is None and d["graph"]["operators"]["Conv"] == 1 and d["graph"]["activations"]["Relu"] == 2'; ok "counts"
json 'd["graph"]["nodes"][2] == {"op": "com.microsoft.FusedConv", "name": "fused", "activation": "Relu", "detail": None, "depth": 0, "inputs": ["r", "w"], "outputs": ["f"]}'; ok "nodes"
json 'd["graph"]["facts"]["opset"] == "17, com.microsoft 1" and d["graph"]["subgraphs"] == 2 and d["graph"]["optimizer"] is None'; ok "facts"
out varve show image.tflite; said '^  input  *image f32 \[?,8,8,1\]$' && said '^  activations  *RELU6 1, SOFTMAX 1, TANH 1$'; ok "TFLite: a dimension that is not fixed, a fused activation"
out varve show two.keras; said '^  input  *b f16 \[?,?,2\]$' && said '^  class  *Functional$' && said '^  keras  *3'; ok "a Keras archive that is compressed"
out varve show --graph two.keras; said '^Dense  *relu  *units 3  *dense  *a$' && said '^  LSTM  *tanh  *units 2  *forward_lstm$'; ok "its layers, with what they get"
out varve show short.h5; said '^  optimizer  *AdamW (learning_rate 0.01, weight_decay 0.004): 14 numbers'; ok "the older HDF5: the optimizer as stated"
out varve show --json short.h5; json 'd["optimizer"].startswith("AdamW (") and d["graph"]["optimizer"] == d["optimizer"]'; ok "in --json too"
out varve show code.h5; said 'finding .*keras-lambda'; ok "a layer that is code is a finding"
status_is 0 varve show new.h5; ! grep -q '^  graph' "$T/out"; ok "HDF5 of somebody else has no graph"
out varve show --json new.h5; json 'd["graph"] is None'; ok "null in --json"
head -c 300 symbols.onnx >cut.onnx; status_is 0 varve show cut.onnx; ok "a file that breaks off is shown all the same"

# Drawn.
python3 - <<'P'
import json, struct
tensors = {"a.weight": [1, -1, float("nan"), float("inf")], "<script>alert(1)&\"'\u202ex\x1b[31m\ufffe": [2, 2],
           "optimizer.state.0.exp_avg": [1]}
head, data = {}, b""
for name, v in tensors.items():
    head[name] = {"dtype": "F32", "shape": [len(v)], "data_offsets": [len(data), len(data) + 4 * len(v)]}
    data += struct.pack(f"<{len(v)}f", *v)
text = json.dumps(head).encode()
open("odd.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
P
xml() { # xml FILE EXPR: is it so, for the elements e and the texts t of the picture?
	python3 - "$1" "$2" <<'P'
import sys, xml.etree.ElementTree as x
e = [(i.tag.split("}")[1], i) for i in x.parse(sys.argv[1]).getroot().iter()]
t = [i.text or "" for _, i in e]
sys.exit(not eval(sys.argv[2]))
P
}
status_is 0 varve show --plot odd.svg odd.safetensors; lines 0 && err 'odd.svg: drawn'; ok "--plot writes a picture and prints nothing else"
xml odd.svg '{"svg", "title", "desc", "style", "rect", "path", "text"} <= {n for n, _ in e} and not {"script", "image", "a", "use", "foreignObject"} & {n for n, _ in e}'; ok "well-formed, with title and description, without script"
xml odd.svg 'any(i.startswith("<script>") and "\\u202e" in i and "\\u001b[31m" in i for i in t)'; ok "names are texts, and what does not show is escaped"
! grep -qE 'href|url\(|@import|javascript:|\son[a-z]+=' odd.svg; ok "it fetches nothing"
xml odd.svg '"1 NaN, 1 Inf" in t and "-1 … 1" in t and any("state, 1 numbers" in i for i in t)'; ok "NaN and Inf are counted, the optimizer's state is told of"
grep -q 'prefers-color-scheme:dark' odd.svg; ok "light and dark"
cp odd.svg first.svg; varve show -q --plot odd.svg odd.safetensors && cmp -s odd.svg first.svg; ok "the same picture each time"
varve show --plot - odd.safetensors 2>"$T/err" | cmp -s - first.svg; ok "--plot - is standard output"
status_is 129 varve show --json --plot - odd.safetensors && json 'd["error"]["code"] == "usage"'; ok "not with --json"
out varve show --json --plot j.svg odd.safetensors; json 'd["parameters"] == 6' && cmp -s j.svg first.svg; ok "--json and a picture"
model many.safetensors n=150 elems=8; out varve show -q --plot many.svg many.safetensors
xml many.svg 'sum(n == "g" for n, _ in e) == 96 and "55 more layers" in t'; ok "of very many layers the smallest are one line"
printf x >x.bin; status_is 0 varve show --plot x.svg x.bin; xml x.svg 'not any(n == "path" for n, _ in e)'; ok "a file without tensors"
status_is 128 varve show --plot no/such/place.svg odd.safetensors && one_line; ok "a folder that is not there"
cp odd.svg keep.svg; (ulimit -f 1; trap '' XFSZ; varve show --plot keep.svg many.safetensors) >"$T/out" 2>"$T/err"; cmp -s keep.svg first.svg && ! ls ./*.tmp* .varve* 2>/dev/null; ok "what cannot be written whole leaves the old file"
cd "$T/r"; status_is 0 varve show -q --plot "$T/s.svg" HEAD:sub/m.safetensors; xml "$T/s.svg" 'sum(n == "path" for n, _ in e) == 8 and "sub/m.safetensors" in t'; ok "a version in the store"
cp "$golden/onnx/symbols.onnx" net.onnx; varve track -q '*.onnx'; git add .; git commit -q -m net; rm net.onnx
out varve show HEAD:net.onnx; said '^  activations  *Relu 2'; ok "a graph in the store"
plan_end
