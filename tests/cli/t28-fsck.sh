#!/bin/sh
# fsck: what is damaged or missing, by commit, file and tensor; repair.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
model m.safetensors n=4; git add .; git commit -q -m one; one=$(git rev-parse --short=12 HEAD)
model m.safetensors n=4 set=t1:2; git commit -q -am two; two=$(git rev-parse --short=12 HEAD); sum=$(sum m.safetensors)
status_is 0 varve fsck && said '^all is well: 2 packs, 6 objects, .* checked; 2 manifests$'; ok "all is well"
out varve fsck --json; json 'd["ok"] and d["objects"] == 6 and d["manifests"] == 2 and d["problems"] == [] and d["affected"] == []'; ok "--json"
status_is 0 varve fsck -q && lines 0; ok "--quiet"
cp -r .git/varve "$T/good"

# Where a record lies is in fsck's own words: damage the middle of the larger pack.
hurt() { # hurt FILE OFFSET
	chmod u+w "$1" && printf '\252\125\252\125' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
p=$(ls -S .git/varve/packs/*.pack | head -1); hurt "$p" $(($(stat -c %s "$p") / 2))
status_is 1 varve fsck; ok "a damaged byte"
said '^damaged: .*another SHA-256\|^damaged: .*SHA-256 that' && said '^damaged: object [0-9a-f]* in '; ok "the pack and the object are named"
said "^damaged: commit $one m.safetensors: tensor \"t[0-3]\": object"; ok "and what it means: commit, file, tensor"
out varve fsck --json; json 'not d["ok"] and d["bad_packs"] == 1 and d["affected"][0]["path"] == "m.safetensors" and d["affected"][0]["state"] == "damaged" and len(d["affected"][0]["commit"]) == 40'; ok "--json"
out varve fsck; err "hint: 'varve fsck --repair'"; ok "a hint"
git checkout -q HEAD~1 2>/dev/null; head -c 8 m.safetensors | grep -q '^varve'; ok "such a version stays a manifest"; git checkout -q -f main 2>/dev/null
mkmodel m.safetensors n=4 set=t1:2; same m.safetensors "$sum"; ok "the model's file is there"
status_is 0 varve fsck --repair; said '^repaired: '; ok "repaired from the worktree"
status_is 0 varve fsck && [ -n "$(ls .git/varve/corrupt)" ]; ok "whole again; the bad pack is kept aside"
varve restore -q HEAD~1 m.safetensors && mkmodel "$T/x" n=4 && same m.safetensors "$(sum "$T/x")"; ok "the old version too"; git checkout -q -f main

chmod -R u+w .git/varve; rm -f .git/varve/packs/*
status_is 1 varve fsck; said "^missing: commit $two m.safetensors: tensor \"t1\": object" && said 'bytes around the tensors'; ok "lost packs: every tensor is named"
out varve fsck --json; json 'd["missing"] == 6 and len(d["affected"]) == 10 and d["affected"][0]["state"] == "missing"'; ok "counted"
status_is 1 varve fsck --repair; said 'repaired: 5 missing objects' && [ "$(grep -c '^missing' "$T/out")" = 1 ] && said "commit $one .*\"t1\""; ok "the worktree gives back what it has"
rm -rf .git/varve; cp -r "$T/good" .git/varve; status_is 0 varve fsck; ok "a copy of the store is as good"

git clone -q --bare . "$T/hub.git"; git remote add origin "$T/hub.git"; git push -q origin main 2>/dev/null; varve init -q
(cd "$T/hub.git" && varve archive HEAD >/dev/null && varve archive HEAD~1 >/dev/null)
git clone -q "$T/hub.git" "$T/c"; cd "$T/c"; varve init -q; chmod -R u+w .git/varve; rm -f .git/varve/packs/*
status_is 0 varve fsck; said '6 objects are in a remote.s store'; ok "what a remote here has is not missing"
rm m.safetensors; varve restore -q HEAD m.safetensors; same m.safetensors "$sum"; p=$(ls -S .git/varve/packs/*.pack | head -1); hurt "$p" $(($(stat -c %s "$p") / 2)); rm m.safetensors
status_is 0 varve fsck --repair && said '^repaired: ' && status_is 0 varve fsck; ok "repaired from the remote"

cd "$T/r"; git show HEAD:m.safetensors >bad; sed -i '0,/^tensor "t2"/s/bf16 \[4096\] ./bf16 [4096] 0/' bad; git add bad; git commit -q -m bad
status_is 0 varve fsck && err 'warning: blob .* begins like a manifest'; ok "a hand-merged manifest is told"
git update-index --add --cacheinfo "100644,$(git rev-parse HEAD:bad),bad.safetensors"; git commit -q --no-verify -m kept
status_is 1 varve fsck && said '^broken: commit .* bad.safetensors: ' && varve fsck --json | grep -q '"state": "broken"'; ok "and is a problem where a model should be"
git reset -q --hard HEAD~1; git reflog expire --expire=now --all
head -c 100 "$(ls .git/varve/packs/*.pack | head -1)" >"$T/short"; p=$(ls .git/varve/packs/*.pack | head -1); chmod u+w "$p"; cp "$T/short" "$p"
status_is 1 varve fsck; said '^damaged: .*pack' ; ok "a torn pack"
plan_end
