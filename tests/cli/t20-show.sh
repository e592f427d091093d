#!/bin/sh
# show: the layer tree, counts, optimizer, findings; inside and outside of git.
. "$(dirname "$0")/lib.sh"

cd "$T" && layers=""
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
out varve show o.safetensors; said 'optimizer  Adam.*: 32 numbers in 2 tensors'; ok "an optimizer's state is told apart"
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
plan_end
