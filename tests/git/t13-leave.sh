#!/bin/sh
# Going back to plain git, half-set-up repositories, and repositories that varve does not keep.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
model m.safetensors seed=1; one=$(sum m.safetensors); git add .; git commit -q -m one
model m.safetensors seed=1 set=t1:2; two=$(sum m.safetensors); git commit -q -am two
mkdir sub; printf '*.pt filter=varve diff=varve merge=varve varve=1 -text\n*.txt text\n' >sub/.gitattributes
model sub/x.pt seed=3; three=$(sum sub/x.pt); git add .; git commit -q -m three

GIT_TRACE=1 varve status >/dev/null 2>&1 && GIT_TRACE=1 git checkout -q HEAD~1 2>/dev/null && same m.safetensors "$two"
ok "GIT_TRACE does not get in the way"
git checkout -q main 2>/dev/null

varve leave >"$T/out"; ok "varve leave"
said '2 models'; ok "says how many"
same m.safetensors "$two" && same sub/x.pt "$three"; ok "the models are in the worktree"
[ "$(git cat-file -s :m.safetensors)" = "$(stat -c %s m.safetensors)" ]; ok "git has them whole"
! grep -q varve .gitattributes sub/.gitattributes && grep -q '^\*.txt text$' sub/.gitattributes; ok "attributes lost varve only"
[ -z "$(ls .git/hooks | grep -v sample)" ] && [ -z "$(git config --get-regexp '^(filter|merge|diff)\.varve')" ]; ok "no hook or setting is left"
git commit -q -am 'plain git' && PATH=/usr/bin:/bin git clone -q "$T/r" "$T/plain" && same "$T/plain/m.safetensors" "$two"
ok "a clone without varve has the models"
[ -z "$(git status --porcelain)" ]; ok "status is clean"
varve init -q && git checkout -q HEAD~2 2>/dev/null && same m.safetensors "$two"; ok "older versions are still to be had"

git init -q "$T/other" && cd "$T/other" && echo hi >a && git add a && git commit -q -m a
(cd "$T/r" && cp .git/hooks/post-* "$T/other/.git/hooks/")
git checkout -q -b b && [ ! -e .git/varve ]; ok "a repository without varve stays so, with the hooks in a shared folder"

cd "$T/r" && git checkout -q main; cd "$T" && git clone -q --depth 1 "file://$T/r" "$T/shallow" 2>/dev/null; cd "$T/shallow" && varve init -q
git log --oneline | grep -q 'plain git'; ok "a shallow clone"
cd "$T/r"; git checkout -q main~1; printf 'varve store 2\n' >.git/varve/format
[ "$(status_of varve du)" = 128 ] && said 'newer varve'; ok "a newer store is refused"
model m.safetensors seed=9
fails varve add m.safetensors && said 'newer varve'; ok "for writing too"
plan_end
