#!/bin/sh
# status, list, track, checkout, init, leave: what they say.
. "$(dirname "$0")/lib.sh"

git init -q "$T/r"; cd "$T/r"
out varve init --json; json "d['store'].endswith('/.git/varve') and d['written'] == 0"; ok "init --json"
out varve track --json '*.safetensors' '*.pt'; json 'd == [{"pattern": p, "changed": True, "directory": False} for p in ("*.safetensors", "*.pt")]'; ok "track --json"
out varve track '*.pt'; said '^keeping \*.pt already$' && err '^hint: commit .gitattributes'; ok "track twice"
out varve untrack '*.pt'; said '^no longer keeping \*.pt$'; out varve list; said '^\*.safetensors (.gitattributes)$' && lines 1; ok "untrack, list"
status_is 129 varve track && status_is 129 varve track "$(printf 'a\nb')"; ok "no pattern; two lines"
out varve status; said '^no models kept yet$'; ok "nothing yet"
model m.safetensors; model n.safetensors seed=2; out varve status; said '^  new  *m.safetensors  8 of 8 tensors  66.1 kB, 66.1 kB not stored yet$'; ok "new"
git add .; out varve status; said '^  staged  *m.safetensors  8 of 8 tensors  66.1 kB$'; ok "staged, before the first commit"
git commit -q -m one; out varve status; said '^all 2 models are clean$' && lines 1; ok "clean"
model m.safetensors set=t1:2; out varve status; said '^  modified  m.safetensors  1 of 8 tensors  66.1 kB, 8.19 kB not stored yet$' && err 'varve add FILE'; ok "modified"
out varve status --json; json '[f for f in d["files"] if f["path"] == "m.safetensors"] == [dict(path="m.safetensors", state="modified", staged=False, tensors_changed=1, tensors=8, size=66072, objects_new=1, bytes_new=8192)]' || json '[f["tensors_changed"] for f in d["files"] if f["state"] == "modified"] == [1]'; ok "--json"
mkdir d; cd d; out varve status ..; said 'm.safetensors'; out varve status .; ! grep -q m.safetensors "$T/out"; ok "paths"; cd ..
git checkout -q m.safetensors; rm m.safetensors; out varve status; said '^  deleted  *m.safetensors$'; git rm -q m.safetensors; out varve status; said '^  deleted  *m.safetensors$'; ok "deleted, and that staged"
git reset -q --hard; GIT_LFS=1; git show :m.safetensors >m.new && mv m.new m.safetensors; out varve status; said '^  manifest  *m.safetensors' && err 'varve checkout'; ok "a manifest in the worktree"
status_is 0 varve checkout m.safetensors; said '^1 model written, 66.1 kB$' && head -c 5 m.safetensors | grep -qv varve; ok "checkout"
status_is 0 varve checkout && lines 0; out varve checkout --json; json 'd == {"written": 0, "left": 0, "bytes": 0, "files": 0, "removed": 0}'; ok "nothing to do"
status_is 128 varve checkout nope && err 'nope: no model that varve keeps' && one_line; ok "no such path"
git checkout -q -b side; model m.safetensors set=t1:3; git commit -q -am s; git checkout -q main; model m.safetensors set=t1:4; git commit -q -am m; git merge side >/dev/null 2>&1
out varve status; said '^  conflict  *m.safetensors'; ok "a conflict"; git merge --abort
git clone -q "$T/r" "$T/c" 2>/dev/null; cd "$T/c"; mv "$T/r" "$T/away"; varve init -q 2>/dev/null
status_is 1 varve checkout && err 'stays a manifest: .*not on this machine'; ok "objects that are nowhere"
mv "$T/away" "$T/r"; status_is 0 varve checkout && said '^2 models written'; ok "and are there again"
cd "$T/r"; out varve leave --json; json 'd == {"files": 2, "directories": 0}'; ok "leave --json"
plan_end
