#!/bin/sh
# add, commit, checkout, switch, reset, stash: the model follows git, and status stays clean.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; ok "init and track"
model m.safetensors seed=1; one=$(sum m.safetensors)
git add m.safetensors; ok "git add"
git commit -q -m one; ok "git commit"
clean; ok "status is clean without the filter"
git show HEAD:m.safetensors | head -1 | grep -q '^varve 1 '; ok "git has a manifest"
[ "$(git show HEAD:m.safetensors | wc -c)" -lt 3000 ]; ok "which is small"

model m.safetensors seed=1 set=t3:7; two=$(sum m.safetensors)
a=$(varve add -q m.safetensors && git ls-files -s m.safetensors)
git rm -q --cached m.safetensors && git add m.safetensors
[ "$a" = "$(git ls-files -s m.safetensors)" ]; ok "varve add and git add give the same manifest"
git commit -q -m two
clean; ok "clean after the second commit"
[ "$(git diff HEAD~1 HEAD -- m.safetensors | grep -c '^+tensor')" = 1 ]; ok "git diff shows one tensor"
git diff HEAD~1 HEAD -- m.safetensors | grep -q '^+tensor "t3" bf16'; ok "the right one"

git checkout -q HEAD~1; same m.safetensors "$one"; ok "checkout brings the first version back"
clean; ok "clean after checkout"
git switch -q main; same m.safetensors "$two"; ok "switch brings the second"
clean; ok "clean after switch"
git reset -q --hard HEAD~1; same m.safetensors "$one"; ok "reset --hard"
clean; ok "clean after reset"
git reset -q --hard ORIG_HEAD; same m.safetensors "$two"; ok "and forward"
clean; ok "clean after that"
git checkout -q HEAD~1 -- m.safetensors; same m.safetensors "$one"; ok "checkout of one file"
git checkout -q HEAD -- m.safetensors
rm m.safetensors; git checkout -q -- m.safetensors; same m.safetensors "$two"; ok "checkout of a removed file"
clean; ok "clean after it"
git restore -s HEAD~1 m.safetensors; same m.safetensors "$one"; ok "git restore --source"
git restore m.safetensors; same m.safetensors "$two"; ok "git restore"
clean; ok "clean after restore"

model m.safetensors seed=1 set=t5:9; three=$(sum m.safetensors)
[ "$(git status --porcelain)" = " M m.safetensors" ]; ok "a new model shows as modified"
git stash -q; same m.safetensors "$two"; ok "stash puts it away"
clean; ok "clean after stash"
git stash pop -q; same m.safetensors "$three"; ok "stash pop brings it back"
[ "$(git status --porcelain)" = " M m.safetensors" ]; ok "still modified"
git commit -q -am three; clean; ok "commit -a"

git mv m.safetensors 'a name ü.safetensors' && git commit -q -m renamed
git checkout -q HEAD~1 && same m.safetensors "$three" && git checkout -q main
same 'a name ü.safetensors' "$three"; ok "a path with spaces and non-ASCII"
clean; ok "clean with it"
git rm -q 'a name ü.safetensors' && git commit -q -m removed && git checkout -q HEAD~1
same 'a name ü.safetensors' "$three"; ok "a deleted model comes back"

cp "$T/r/a name ü.safetensors" "$T/keep" && git checkout -q main~2
git worktree add -q "$T/wt" HEAD~1 2>/dev/null; cd "$T/wt"
same m.safetensors "$two"; ok "git worktree add has the model"
clean; ok "clean in the linked worktree"
git checkout -q HEAD~1; same m.safetensors "$one"; ok "checkout in the linked worktree"
clean; ok "clean there"
cd "$T/r"; clean; ok "clean in the main worktree"
varve fsck >"$T/out" 2>&1; ok "fsck finds nothing"
plan_end
