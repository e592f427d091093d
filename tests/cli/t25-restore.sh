#!/bin/sh
# restore: whole models and single tensors of a version, into the worktree.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; mkdir sub
model m.safetensors n=6 seed=1; model sub/s.safetensors n=2 seed=5; echo a >note; one=$(sum m.safetensors); s1=$(sum sub/s.safetensors)
git add .; git commit -q -m one; git tag v1
model m.safetensors n=6 seed=1 set=t0:2 set=t1:2 set=new:2; two=$(sum m.safetensors); model sub/s.safetensors n=2 seed=6; git commit -q -am two; git tag v2
status_is 0 varve restore v1 -- m.safetensors; same m.safetensors "$one"; ok "a whole model"
said '^m.safetensors: 3 of 7 tensors replaced$' && said '^  t1$'; ok "says what was replaced"
[ "$(git status --porcelain)" = ' M m.safetensors' ]; ok "it is not staged"
GIT_TRACE="$T/t" varve add -q m.safetensors; ! grep -q "hash-object" "$T/t" && [ "$(git rev-parse :m.safetensors)" = "$(git rev-parse v1:m.safetensors)" ]; ok "add knows it from the stat cache"
git reset -q; status_is 0 varve restore HEAD m.safetensors; same m.safetensors "$two"; ok "and back, without --"
clean; ok "which is clean, without a filter run"
out varve restore HEAD m.safetensors; said 'is that version already'; ok "twice is nothing new"
clean; ok "and still clean"

status_is 0 varve restore v1 --tensor t0 -- m.safetensors; model "$T/x" n=6 seed=1 set=t1:2 set=new:2; same m.safetensors "$(sum "$T/x")"; ok "one tensor"
said '1 of 7 tensors replaced' && [ "$(git status --porcelain)" = ' M m.safetensors' ]; ok "says so; not staged"
out varve restore v1 -t 't[01]' -t t2 m.safetensors; model "$T/x" n=6 seed=1 set=new:2; same m.safetensors "$(sum "$T/x")"; ok "patterns; what only the file has stays"
out varve restore v2 -t 't*' m.safetensors; same m.safetensors "$two" && clean; ok "back to the index's version: clean"
git checkout -q v1; varve restore -q v2 -t new m.safetensors; model "$T/x" n=6 seed=1 set=new:2; same m.safetensors "$(sum "$T/x")"; ok "a tensor that only the version has is added"
git checkout -q -f main
chmod 755 m.safetensors; git commit -q -am mode; varve restore -q v1 -t t0 m.safetensors; [ "$(stat -c %a m.safetensors)" = 755 ]; ok "the mode stays"
rm m.safetensors; varve restore -q HEAD m.safetensors; [ -x m.safetensors ] && same m.safetensors "$two" && clean; ok "or is the version's"
status_is 128 varve restore v1 -t 'no*' m.safetensors && err 'm.safetensors: no tensor matches "no\*"' && one_line && same m.safetensors "$two"; ok "no such tensor: nothing changes"
mv m.safetensors away; status_is 128 varve restore v1 -t t0 m.safetensors && err 'not in the worktree'; ok "no file to put it into"; mv away m.safetensors

out varve restore v1 -- .; same m.safetensors "$one" && same sub/s.safetensors "$s1" && [ "$(cat note)" = a ]; ok "a folder: its models"
git reset -q --hard; cd sub; out varve restore v1 s.safetensors; same s.safetensors "$s1"; ok "from a subfolder"
out varve restore v1 ../m.safetensors; same ../m.safetensors "$one"; ok "with .."; cd ..; git reset -q --hard
rm -r sub; out varve restore v1 sub/s.safetensors; same sub/s.safetensors "$s1"; ok "missing folders are made"
rm -r sub; mkdir "$T/elsewhere"; ln -s "$T/elsewhere" sub; status_is 128 varve restore v1 sub/s.safetensors && err 'symbolic link' && one_line && [ -z "$(ls "$T/elsewhere")" ]; ok "never through a link"
rm sub; git reset -q --hard; ln -sf "$T/elsewhere/x" m.safetensors; varve restore -q v1 m.safetensors; [ ! -L m.safetensors ] && [ ! -e "$T/elsewhere/x" ] && same m.safetensors "$one"; ok "a link is replaced, not followed"
git reset -q --hard; status_is 128 varve restore v1 nope && err 'nope: v1 has no such file' && one_line; ok "no such file"
status_is 128 varve restore v1 note && err 'no model'; ok "no model"
status_is 128 varve restore nope m.safetensors && err "'nope' names no commit" && one_line; ok "no such revision"
status_is 129 varve restore v1 && err 'usage: varve restore'; ok "no file named"
out varve restore --json v1 m.safetensors; json "d['commit'] == '$(git rev-parse v1)' and d['files'][0]['path'] == 'm.safetensors' and set(d['files'][0]['tensors']) == {'t0', 't1', 'new'}"; ok "--json"
printf 'opaque one' >o.safetensors; git add o.safetensors; git commit -q -m o; printf 'opaque two' >o.safetensors
status_is 128 varve restore HEAD -t x o.safetensors && [ "$(cat o.safetensors)" = 'opaque two' ]; ok "a format without tensors is restored whole only"
[ -z "$(ls -A | grep tmp)" ]; ok "no temporary file is left"
plan_end
