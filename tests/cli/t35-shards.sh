#!/bin/sh
# A model in several files is one: shown, compared, converted; tensors may move between its files.
script=$0
case $script in /*) ;; *) script=$PWD/$script ;; esac
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
m1=model-00001-of-00002.safetensors m2=model-00002-of-00002.safetensors
model $m1 n=0 elems=64 set=h.0.w:1 set=h.1.w:1; model $m2 n=0 elems=64 set=h.2.w:1 set=h.3.w:1 set=ln.w:1
status_is 0 varve show $m2; said '^model-\*-of-00002.safetensors: safetensors, 5 tensors, 320 parameters'; ok "show of a shard is of the model"
said '^  files  *2$' && said "^    $m1  " && said "^    $m2  "; ok "with its files"
said '^h.0 … h.3 (4 alike) '; ok "and its layers as one tree"
out varve show --one-file $m2; said "^$m2: safetensors, 3 tensors, 192 parameters"; ok "--one-file"
out varve show --json $m1; json 'd["path"] == "model-*-of-00002.safetensors" and [f["path"][:11] for f in d["files"]] == ["model-00001", "model-00002"] and len(d["tensors"]) == 5 and d["size"] == sum(f["size"] for f in d["files"])'; ok "--json"
git add . && git commit -q -m one && git tag v1
out varve show v1:$m1; said '^model-\*-of-00002.safetensors: safetensors, 5 tensors'; ok "a revision"
mkdir sub; cd sub; out varve show ../$m1; said '5 tensors'; ok "from a subfolder"; cd ..
out varve show :$m1; said '5 tensors'; ok "the index"
cd "$T"; cp r/model-0000* .; out varve show $m1 && said '5 tensors'; ok "outside of git"
rm $m2; out varve show $m1; err "1 of the model's 2 files are here" && said '^model-00001-of-00002.safetensors: safetensors, 2 tensors'; ok "a missing shard is told"
cd "$T/r"

model $m1 n=0 elems=64 set=h.0.w:1 set=h.1.w:1 set=h.2.w:1; model $m2 n=0 elems=64 set=h.3.w:2 set=ln.w:1
out varve diff; said '^model-\*-of-00002.safetensors: 1 of 5 tensors changed$' && said '^  changed  h.3.w '; ok "diff: a tensor that moved to another shard did not change"
! grep -q '^  removed\|^  added' "$T/out"; ok "nor is it gone and new"
said '^1 file, 1 tensor changed, 0 added, 0 removed'; ok "counted as one"
out varve diff --json; json 'len(d["files"]) == 1 and [(i["name"], i["change"]) for i in d["files"][0]["items"]] == [("h.3.w", "changed")] and d["files"][0]["items"][0]["delta"]["elements"] == 64'; ok "--json"
git commit -q -am two; git tag v2; git rm -q --cached model-0000*; rm model-0000*
for i in 1 2 3; do model model-0000$i-of-00003.safetensors n=0 elems=64 set=h.$i.w:1; done
model model-00001-of-00003.safetensors n=0 elems=64 set=h.0.w:1 set=h.1.w:1; model model-00003-of-00003.safetensors n=0 elems=64 set=h.3.w:2 set=ln.w:1
git add .; git commit -q -m three; git tag v3
out varve diff v2 v3; said '^model-\*-of-00002.safetensors → model-\*-of-00003.safetensors: no tensor changed, only the bytes around them$'; ok "another number of shards, the same tensors"
out varve diff v1 v3; said '^  changed  h.3.w ' && said '^1 file, 1 tensor changed, 0 added, 0 removed'; ok "and with a change"
out varve diff v1:$m1 v3:model-00002-of-00003.safetensors; said '^  changed  h.3.w ' && said ' 1 tensor changed, 0 added, 0 removed'; ok "two names"
out varve diff --stat v1 v3; said 'model-\*-of-00003.safetensors  1 of 5 tensors changed'; ok "--stat"
status_is 1 varve diff -q v1 v3; ok "--quiet"
model model-00002-of-00003.safetensors n=0 elems=64 set=h.2.w:9; out varve diff; said '^model-00002-of-00003.safetensors: 1 of 1 tensors changed'; ok "one changed shard has its own name"
git rm -q --cached model-0000*; out varve diff --cached; said '^model-\*-of-00003.safetensors: removed, 5 tensors$'; ok "removed"
git reset -q --hard; rm model-00003-of-00003.safetensors; out varve show model-00001-of-00003.safetensors; err "2 of the model's 3 files are here"; ok "one that is not there"
git checkout -q .; printf x >a-00001-of-00002.bin; printf y >a-00002-of-00002.bin; out varve show a-00001-of-00002.bin; said '^a-\*-of-00002.bin: opaque, 0 tensors, 0 parameters, 2 B'; ok "shards of no known format"
cp model-00001-of-00003.safetensors d-00001-of-00002.safetensors; cp model-00001-of-00003.safetensors d-00002-of-00002.safetensors
out varve show --json d-00001-of-00002.safetensors; json '[t["name"] for t in d["tensors"]] == ["h.0.w", "h.1.w", "h.0.w~2", "h.1.w~2"]'; ok "a name that stands in two shards"
status_is 0 varve convert v1:$m1 -o one.safetensors && out varve show --json one.safetensors; json 'len(d["tensors"]) == 5 and "files" not in d'; ok "convert puts the shards into one file"
out varve diff --no-index d-00001-of-00002.safetensors d-00002-of-00002.safetensors && lines 0; ok "a model beside itself does not differ"

# An index and the files that it tells of. Written by TensorFlow: tests/golden/tf/make.py.
golden="$(cd "$(dirname "$script")/../golden/tf" && pwd)"
new_repo "$T/tf"; varve track -q '*.index' '*.data-*'; cp "$golden"/model.* "$golden"/shards.* .; git add .; git commit -q -m one; git tag v1
out varve show model.index; said '^model.index: tf-index, 5 tensors, 40 parameters' && said 'bias/.ATTRIBUTES/VARIABLE_VALUE  *f16 \[3\]' && said '^  stored .* in 2 objects'; ok "show of a checkpoint's index names what lies in its data"
out varve show v1:shards.index; said '^v0 .*f32 \[2,3\]' && said '^v1 .*f32 \[2,4\]' && said '^  files  *3$'; ok "in several data files, of a revision"
out varve show --one-file model.index; said '0 tensors'; ok "--one-file"
out varve cat v1:shards.index v1 -o v1.npy && [ "$(stat -c %s v1.npy)" = 160 ]; ok "cat finds the file it is in"
status_is 0 varve convert model.index -o one.safetensors && out varve show one.safetensors; said '^one.safetensors: safetensors, 5 tensors, 40 parameters'; ok "convert takes a checkpoint"
printf '\377' | dd of=shards.data-00001-of-00002 bs=1 seek=2 conv=notrunc 2>/dev/null
out varve diff; said '^shards.index: 1 of 2 tensors changed$' && said '^  changed  v1 .*f32 \[2,4\]' && said '^1 file, 1 tensor'; ok "diff finds the index though it did not change"
git commit -q -am two; out varve diff v1 HEAD; said '^shards.index: 1 of 2' && said '^1 file'; ok "between revisions"
out varve diff v1:shards.index HEAD:shards.index; said '^  changed  v1 '; ok "two names"
out varve diff --stat v1 HEAD; said '^ shards.index  1 of 2 tensors changed'; ok "--stat"
git rm -q shards.*; git commit -q -m three; out varve diff HEAD~1 HEAD; said '^shards.index: removed, 2 tensors$' && said '^1 file, 0'; ok "removed with its files"
rm model.data-00000-of-00001; out varve show model.index; err 'tells of tensors in model.data-00000-of-00001: no such file' && said '^model.index: tf-index, 0 tensors'; ok "data that is not there is told"
ln -s "$golden/model.data-00000-of-00001" model.data-00000-of-00001; out varve show model.index; err 'no such file'; ok "and no link is followed"
rm model.data-00000-of-00001; mkfifo model.data-00000-of-00001; out timeout 10 varve show model.index; err 'no such file'; ok "nor a pipe waited for"

# The index of a checkpoint of torch.distributed. Written by PyTorch: tests/golden/torch-dcp/make_whole.py.
golden="$(cd "$(dirname "$script")/../golden/torch-dcp" && pwd)"
new_repo "$T/dcp"; varve track -q '*.metadata' '*.distcp'; mkdir c; cp "$golden"/whole/.metadata "$golden"/whole/*.distcp c; git add .; git commit -q -m one; git tag v1
out varve show c/.metadata; said '^c/.metadata: torch-dcp-index, 4 tensors, 22 parameters' && said '^w\[0:3,:\]  *f32 \[3,3\]' && said '^w\[3:5,:\]  *f32 \[2,3\]' && said '^deep.b  *bf16 \[4\]' && said '^  files  *3$'; ok "show of a distributed checkpoint's .metadata names what lies in its files"
out varve show --json v1:c/.metadata; json '[t["name"] for t in d["tensors"]] == ["w[0:3,:]", "w[3:5,:]", "deep.b", "ids"] and not d["findings"]'; ok "of a revision, without a finding"
out varve scan --strict c/.metadata; said 'safe (torch-dcp-index)$'; ok "and it is safe to load"
out varve cat v1:c/.metadata ids -o ids.npy && [ "$(stat -c %s ids.npy)" = 152 ]; ok "cat by that name"
status_is 0 varve convert c/.metadata -o one.safetensors && out varve show one.safetensors; said '^one.safetensors: safetensors, 4 tensors, 22 parameters'; ok "convert takes such a checkpoint"
at="$(python3 -c 'print(open("c/__1_0.distcp", "rb").read().rindex((1).to_bytes(8, "little") + (2).to_bytes(8, "little")))')"
printf '\011' | dd of=c/__1_0.distcp bs=1 seek="$at" conv=notrunc 2>/dev/null
out varve diff; said '^c/.metadata: 1 of 4 tensors changed$' && said '^  changed  ids .*i64 \[3\]' && said '^1 file, 1 tensor'; ok "diff by names though .metadata did not change"
git commit -q -am two; out varve diff v1 HEAD; said '^  changed  ids ' && said '^1 file'; ok "between revisions"
out varve diff v1:c/.metadata HEAD:c/.metadata; said '^  changed  ids '; ok "two names of a checkpoint"
rm c/__0_0.distcp; out varve show c/.metadata; err 'tells of tensors in c/__0_0.distcp: no such file' && said 'torch-dcp-index, 3 tensors'; ok "a part that is not there is told"
plan_end
