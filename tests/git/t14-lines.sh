#!/bin/sh
# Where git takes texts apart by lines, or puts them where it tracks nothing: nothing is lost, and no version
# is committed that nobody could have.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
model m.safetensors seed=1 n=40; git add m.safetensors; git commit -q -m one; one=$(sum m.safetensors)
two() { model m.safetensors seed=1 n=40 set=t1:7 set=t38:9; }
two; want=$(sum m.safetensors); git checkout -q m.safetensors

# git add -p, some of it.
two; printf 'y\nn\ny\nn\n' | git add -p m.safetensors >/dev/null 2>&1
fails git commit -q -m half && said 'm.safetensors: what is staged is no version of it' && said "'git add' takes it whole"; ok "a commit of half a manifest is refused"
same m.safetensors "$want"; ok "and the model is there"
git commit -q -m half --no-verify && fails varve fsck && said '^broken: commit .* m.safetensors: '; ok "fsck names one that was forced"
varve fsck --json >"$T/out"; grep -q '"state": "broken"' "$T/out" && grep -q '"ok": false' "$T/out"; ok "in --json"
git add m.safetensors && git commit -q -m two && same m.safetensors "$want" && [ -z "$(git status --porcelain)" ]; ok "git add takes it whole"
git checkout -q HEAD~1 2>"$T/out"; git checkout -q main && same m.safetensors "$want"; ok "checking the broken one out, and back"
git reset -q --hard HEAD~2 && git reflog expire --expire=now --all && git prune --expire=now

# git stash -p, some of it: the stash has lines of two versions; the worktree keeps the model.
two; printf 'y\nn\ny\nn\n' | git stash push -p >"$T/out" 2>&1
said 'm.safetensors: a model is taken whole'; ok "stash -p says that a model is taken whole"
settled; same m.safetensors "$want" && [ "$(git status --porcelain)" = ' M m.safetensors' ]; ok "and leaves it"
git stash drop -q; git checkout -q m.safetensors && same m.safetensors "$one"; ok "git checkout takes it back"
two; printf 'y\nn\ny\nn\n' | git checkout -p m.safetensors >"$T/out" 2>&1
settled; same m.safetensors "$want"; ok "so does checkout -p"
git checkout -q m.safetensors; two; printf 'y\nn\ny\nn\n' | git add -p m.safetensors >/dev/null 2>&1; git reset -q
printf 'n\ny\nn\ny\n' | git checkout -p m.safetensors >"$T/out" 2>&1; settled; same m.safetensors "$want"; ok "though git has such lines from an add -p before"
two; printf 'y\ny\ny\ny\n' | git stash push -p >"$T/out" 2>&1; settled; same m.safetensors "$one"; ok "stash -p, all of it"
git stash pop -q >"$T/out"; settled; same m.safetensors "$want"; ok "and back"
git checkout -q m.safetensors

# What git does not track.
model u.safetensors seed=5; u=$(sum u.safetensors)
git stash -q -u && [ ! -e u.safetensors ] && git stash pop -q >"$T/out"; settled; same u.safetensors "$u"; ok "stash -u and pop: an untracked model"
[ "$(git status --porcelain)" = '?? u.safetensors' ]; ok "is untracked again"
git stash -q -u; git show 'stash^3:u.safetensors' >u.safetensors; varve checkout -q u.safetensors && same u.safetensors "$u"; ok "varve checkout of a text that git does not track"
git show 'stash^3:u.safetensors' >u.safetensors; varve checkout -q && same u.safetensors "$u"; ok "without naming it"
fails varve checkout nosuch && said 'no model that varve keeps'; ok "what is not there"
git stash drop -q; rm u.safetensors

# Temporary files are none of git's business.
model big.safetensors seed=3 n=30 elems=200000; git add big.safetensors; git commit -q -m big; rm big.safetensors
(while [ ! -e "$T/stop" ]; do ls -A | grep '^\.varve-tmp' >>"$T/seen"; done) & watch=$!
git checkout -q big.safetensors; touch "$T/stop"; wait $watch; [ ! -s "$T/seen" ]; ok "no temporary file in the worktree"
[ -z "$(ls -A .git/varve/drafts)" ]; ok "nor left in the git folder"

# Submodules: git tells its children of them in a way that its own commands do not bear.
varve init -q --global; git init -q "$T/super" && cd "$T/super" && git -c protocol.file.allow=always submodule --quiet add "$T/r" mod && git commit -q -m s1
cd mod; model m.safetensors seed=8; new=$(sum m.safetensors); git commit -q -am new; cd ..; git commit -q -am s2
git checkout -q --recurse-submodules HEAD~1 >"$T/out" 2>&1; ok "checkout --recurse-submodules"
same mod/m.safetensors "$one"; ok "with the model"
git checkout -q --recurse-submodules main && same mod/m.safetensors "$new"; ok "and back"
plan_end
