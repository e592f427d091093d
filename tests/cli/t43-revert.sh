#!/bin/sh
# revert: what one commit changed in a model, or in one layer of it, is undone in the worktree; what came since stays.
. "$(dirname "$0")/lib.sh"
tensor() { varve cat --raw "$1" "$2" | sha256sum | cut -d' ' -f1; }
equal() { [ "$(tensor "$1" "$3")" = "$(tensor "$2" "$3")" ] || { echo "# $3 of $1 is not that of $2"; false; }; }

new_repo "$T/r"
model m.safetensors n=6; git add .; git commit -q -m one; git tag v1
model m.safetensors n=6 set=t1:7 set=t2:7 set=t3:7; git commit -q -am two; git tag v2
model m.safetensors n=6 set=t1:7 set=t2:7 set=t3:7 set=t4:8; git commit -q -am three; git tag v3

status_is 0 varve revert -t t2 v2 m.safetensors && said '^m.safetensors: 1 tensor as before$' && said '^  t2$' && [ ! -s "$T/err" ]; ok "one tensor"
equal m.safetensors v1:m.safetensors t2 && equal m.safetensors v3:m.safetensors t1 && equal m.safetensors v3:m.safetensors t4; ok "it alone, and what came since stays"
git status --porcelain >"$T/s"; grep -q '^ M m.safetensors' "$T/s"; ok "in the worktree, not in the index"
out varve diff; said '1 of 6 tensors changed'; ok "as the diff says"
status_is 0 varve revert -t t2 v2 m.safetensors && said 'nothing to undo'; ok "once more: nothing to undo"
git checkout -q -- m.safetensors
status_is 0 varve revert v2 m.safetensors && said '3 tensors as before'; for t in t1 t2 t3; do equal m.safetensors v1:m.safetensors $t || break; done && equal m.safetensors v3:m.safetensors t4; ok "all that a commit changed"
git commit -q -am undone && git diff --quiet; ok "to be committed"
git revert --no-edit HEAD >/dev/null 2>&1; settled; same m.safetensors "$(git show v3:m.safetensors | sed -n 's/^sha256 //p')"; ok "git revert undoes that"
git reset -q --hard v2; status_is 0 varve revert v2 m.safetensors; same m.safetensors "$(git show v1:m.safetensors | sed -n 's/^sha256 //p')"; ok "the last commit's: the file before, byte for byte"
git checkout -q -- m.safetensors; git reset -q --hard v1; git checkout -q -b same; cp m.safetensors "$T/m"; git checkout -q v2 2>/dev/null; cp "$T/m" m.safetensors; touch -d '10 seconds ago' m.safetensors; git add .; git commit -q -m back; status_is 0 varve revert -t t1 v2 -- m.safetensors && said 'nothing to undo'; ok "what is undone already"
git checkout -q -f main; git reset -q --hard v3

# Conflicts.
model m.safetensors n=6 set=t1:9 set=t2:7 set=t3:7 set=t4:8; git commit -q -am four; git tag v4; sum m.safetensors >"$T/sum"
status_is 1 varve revert v2 m.safetensors && err '^varve: m.safetensors: t1: changed since$' && err "varve restore v2^ --tensor NAME FILE" && [ ! -s "$T/out" ]; ok "a tensor that changed since: a conflict"
same m.safetensors "$(cat "$T/sum")"; ok "and nothing is written"
status_is 0 varve revert -t 't[23]' v2 m.safetensors && said '2 tensors as before'; ok "the others without it"
git checkout -q -- m.safetensors; status_is 0 varve restore v2^ -t t1 m.safetensors && equal m.safetensors v1:m.safetensors t1; ok "restore takes what was before"
git checkout -q -- m.safetensors; status_is 1 varve revert --json v2 m.safetensors; json 'd["files"] == [{"path": "m.safetensors", "written": False, "tensors": ["t2", "t3"], "conflicts": [{"name": "t1", "reason": "changed since"}]}]'; ok "--json"
out varve revert --json -t t4 v3 m.safetensors; json 'd["files"][0]["written"] and d["files"][0]["tensors"] == ["t4"] and len(d["parent"]) == 40'; ok "--json of one that was done"
git checkout -q -- m.safetensors

# Tensors that came and went.
model m.safetensors n=6 set=new:1 drop=t5; git commit -q -am five; git tag v5
model m.safetensors n=6 set=new:1 set=t0:3 drop=t5; git commit -q -am six; git tag v6
status_is 0 varve revert -t new -t t5 v5 m.safetensors && said '2 tensors as before'; out varve show --json m.safetensors; ! grep -q '"new"' "$T/out" && equal m.safetensors v4:m.safetensors t5 && equal m.safetensors v6:m.safetensors t0; ok "an added one goes, a removed one comes back"
git checkout -q -- m.safetensors; model m.safetensors n=6 set=new:2 set=t5:2 set=t0:3; sum m.safetensors >"$T/sum"
status_is 1 varve revert -t new -t t5 v5 m.safetensors && err 'new: was new then, changed since' && err 't5: was removed then, added anew since' && same m.safetensors "$(cat "$T/sum")"; ok "unless they changed since"
model m.safetensors n=6 drop=t2; status_is 1 varve revert -t t2 v5 m.safetensors && err 't2: removed since'; ok "one that was removed since"
git checkout -q -- m.safetensors

# Renamed by the commit, and retrained since: by either name its weights stay.
git reset -q --hard v3; newname() { LC_ALL=C sed "s/\"$1\"/\"$2\"/" m.safetensors >"$T/m"; touch -d '10 seconds ago' "$T/m"; mv "$T/m" m.safetensors; }
newname t1 u1; git commit -q -am renamed; git tag vr; names() { varve show --json "$1" | grep -o '"[tu]1"' | tr -d '"\n'; }
for t in u1 t1; do
	status_is 0 varve revert -t $t vr m.safetensors && said '2 tensors as before' && [ "$(names m.safetensors)" = t1 ] && equal m.safetensors v3:m.safetensors t1; ok "a rename is undone by $t"; git checkout -q -- m.safetensors
	model m.safetensors n=6 set=t1:40 set=t2:7 set=t3:7 set=t4:8; newname t1 u1; w=$(tensor m.safetensors u1)
	status_is 0 varve revert -t $t vr m.safetensors && [ "$(names m.safetensors)" = t1 ] && [ "$(tensor m.safetensors t1)" = "$w" ] && equal m.safetensors v3:m.safetensors t4; ok "and keeps what is not committed"; git checkout -q -- m.safetensors
done
model m.safetensors n=6 set=t1:40 set=t2:7 set=t3:7 set=t4:8; newname t1 u1; git commit -q -am since; status_is 0 varve revert --json -t t4 v3 m.safetensors; json 'd["files"][0]["tensors"] == ["t4"]' && equal m.safetensors HEAD:m.safetensors u1; ok "another tensor leaves it alone"; git checkout -q -- m.safetensors

# The bytes around them.
git reset -q --hard v3; model m.safetensors n=6 set=t1:7 set=t2:7 set=t3:7 set=t4:8 meta=hello; git commit -q -am meta; git tag vm
model m.safetensors n=6 set=t1:7 set=t2:7 set=t3:7 set=t4:9 meta=hello; git commit -q -am after; status_is 0 varve revert vm m.safetensors && ! grep -q hello m.safetensors && equal m.safetensors HEAD:m.safetensors t4; ok "metadata is undone"
git checkout -q -- m.safetensors; status_is 0 varve revert -t t4 HEAD m.safetensors && grep -q hello m.safetensors; ok "not with --tensor"; git checkout -q -- m.safetensors
model m.safetensors n=6 set=t1:7 set=t2:7 set=t3:7 set=t4:9 meta=other; git commit -q -am other; status_is 1 varve revert vm m.safetensors && err '(metadata): changed since'; ok "metadata that changed since"

# A merge.
git reset -q --hard v1; git checkout -q -b side; model m.safetensors n=6 set=t5:5; git commit -q -am side; git checkout -q main; model m.safetensors n=6 set=t0:5; git commit -q -am ours; git merge -q -m merged side >/dev/null 2>&1; git tag vx
model m.safetensors n=6 set=t0:5 set=t5:5 set=t3:3; git commit -q -am after
status_is 129 varve revert vx m.safetensors && err 'vx is a merge: -m 1'; ok "a merge wants to know which parent"
status_is 0 varve revert -m 1 vx m.safetensors && equal m.safetensors v1:m.safetensors t5 && equal m.safetensors HEAD:m.safetensors t0 && equal m.safetensors HEAD:m.safetensors t3; ok "-m 1"
git checkout -q -- m.safetensors; status_is 0 varve revert -m 2 vx m.safetensors && equal m.safetensors v1:m.safetensors t0 && equal m.safetensors HEAD:m.safetensors t5; ok "-m 2"; git checkout -q -- m.safetensors
status_is 128 varve revert -m 3 vx m.safetensors && err 'no parent 3' && one_line; ok "-m 3"
status_is 129 varve revert -m 1 v2 m.safetensors && err 'v2 is no merge'; ok "-m without a merge"

# What cannot be.
git tag v0 "$(git rev-list --max-parents=0 HEAD)"; status_is 128 varve revert v0 m.safetensors && err 'v0 has no parent' && one_line; ok "a root commit"
status_is 128 varve revert nope m.safetensors && one_line; ok "no such commit"
status_is 128 varve revert v2 nope.safetensors && err 'nope' && one_line; ok "no such file"
status_is 128 varve revert -t none v2 m.safetensors && err 'no such tensor, now or then' && one_line; ok "no such tensor"
status_is 129 varve revert v2 && err 'takes a commit and the files'; ok "no file"
model n.safetensors n=2; git add .; git commit -q -m new; status_is 128 varve revert HEAD n.safetensors && err 'n.safetensors: no model before HEAD' && one_line; ok "a file that was new"
rm n.safetensors; git commit -q -am gone; status_is 128 varve revert HEAD n.safetensors && err 'no model in HEAD' && one_line; ok "a file that went"
rm m.safetensors; status_is 128 varve revert v2 m.safetensors && err 'not in the worktree'; ok "one that is not here"; git checkout -q -- m.safetensors
mkdir sub; cd sub; status_is 0 varve revert -m 1 -t t5 vx ../m.safetensors && equal ../m.safetensors v1:m.safetensors t5; ok "from a subfolder"
plan_end
