#!/bin/sh
# Directories that are tracked as one, as the commands see them.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
put() { mkdir -p "$(dirname "$1")"; printf '%s\n' "$2" >"$1"; touch -d '10 seconds ago' "$1"; }
is() { [ "$(cat "$1" 2>/dev/null)" = "$2" ] || { echo "# $1 is '$(cat "$1" 2>&1)', not '$2'"; false; }; }
for i in 1 2 3; do put "d/f$i" "file $i"; put "d/train/x$i" "x $i"; done
chmod +x d/f1; model d/m.safetensors seed=1 n=4; long=$(printf 'l%.0s' $(seq 120)); put "d/$long/$long" long
out varve track d/ --json && json 'd[0]["directory"] and d[0]["changed"]'; ok "track --json"
git add .gitattributes; out varve add --json d && json 'd["directories"][0]["files"] == 8 and d["directories"][0]["read"] == 8 and d["directories"][0]["changed"]'; ok "add --json"
out varve add --json d && json 'd["directories"][0]["read"] == 0 and not d["directories"][0]["changed"]'; ok "again"
git commit -q -m one; git tag v1
put d/f2 changed; mv d/f3 d/f3x; rm d/train/x1; put d/new 1; model d/m.safetensors seed=1 n=4 set=t1:7; put sub/z 1
out varve status --json && json '[(e["state"], e["files"], e["new"], e["changed"], e["deleted"]) for e in d["directories"]] == [("modified", 8, 2, 2, 2)]'; ok "status --json"
want='[(f["path"], f["old_path"], f["change"]) for f in d["files"]] == [("d/f2", "d/f2", "changed"), ("d/f3x", "d/f3", "renamed"), ("d/m.safetensors", "d/m.safetensors", "changed"), ("d/new", "d/new", "added"), ("d/train/x1", "d/train/x1", "removed")]'
out varve diff --json && json "$want and d['changed'] == 1"; ok "diff of the worktree"
out varve diff v1 --json -- d && json "$want"; ok "against a revision"
out varve diff --json -- sub && json 'd["files"] == []'; ok "of another folder"
varve add -q d; out varve diff --cached --json && json "$want"; ok "diff --cached"
git commit -q -m two; git tag v2
out varve diff v1 v2 --json && json "$want"; ok "diff of two revisions"
out varve diff v1 v2 && grep -q '^d/f3 → d/f3x: renamed, 7 B$' "$T/out" && grep -q '^d/f2: changed, 8 B, was 7 B$' "$T/out" &&
	grep -q '^  changed  t1 ' "$T/out"; ok "as text, with tensors"
status_is 1 varve diff --exit-code v1 v2; ok "diff --exit-code"
out varve diff v1:d/m.safetensors v2:d/m.safetensors && grep -q '1 of 4 tensors' "$T/out"; ok "two versions of a file in it"

out varve show d --json && json 'd["format"] == "directory" and len(d["files"]) == 8 and len(d["tensors"]) == 4 and d["tensors"][0]["name"] == "m.safetensors//t0"'; ok "show --json"
out varve show v1:d && grep -q 'files  *8, 1 of them models' "$T/out" && grep -q 'merges  *file by file' "$T/out"; ok "show"
out varve show v1:d/m.safetensors && grep -q 'safetensors, 4 tensors' "$T/out"; ok "show of a file in it"
(cd d/train && out varve show v1:./../m.safetensors); ok "from below"
[ "$(varve cat v1:d/f2)" = 'file 2' ] && varve cat v2:d/m.safetensors | cmp -s - d/m.safetensors; ok "cat of a file in it"
[ "$(varve cat --raw v1:d/m.safetensors t1 | wc -c)" = 8192 ]; ok "and of a tensor in that"
out varve cat v1:d/f2 --json -o "$T/f2" && json 'd["bytes"] == 7' && is "$T/f2" 'file 2'; ok "cat -o"
status_is 128 varve cat v1:d/none && err 'v1:d has no file none' && one_line; ok "one that is not there"
status_is 129 varve cat v1:d && err 'is a directory'; ok "the directory itself"

put d/f2 mine; out varve restore v1 d --path 'train/*' && is d/train/x1 'x 1' && is d/f2 mine; ok "restore --path"
out varve restore v1 d/f2 && is d/f2 'file 2' && is d/new 1; ok "restore of a file in it"
out varve restore v1 d --path train --path f3 --json && json 'd["files"][0]["written"] == 1 and not d["files"][0]["whole"]' && is d/f3 'file 3'; ok "a folder and a file"
put d/own mine; out varve restore v1 d && [ ! -e d/new ] && is d/own mine && is d/f3 'file 3' && [ ! -e d/f3x ]; ok "restore of all"
git diff --quiet && varve status >"$T/out" && grep -q modified "$T/out"; ok "they are changes"
status_is 128 varve restore v1 d --path nosuch && err "no file matches 'nosuch'"; ok "no such file"
status_is 128 varve restore v1 d --tensor t1 && err 'restored by files'; ok "not by tensor"
status_is 128 varve restore v1 d/nosuch && err 'no file matches'; ok "no such file in it"
varve checkout -q -f d; rm d/own d/f3 d/train/x1
out varve status --json && json '[e["state"] for e in d["directories"]] == ["clean"]'; ok "checkout --force takes it back"

varve archive v2 >"$T/a.tar" && mkdir "$T/x" && tar xf "$T/a.tar" -C "$T/x" && rm "$T/x/d/.gitignore"; ok "archive"
mkdir "$T/y" && cp -r d "$T/y" && rm "$T/y/d/.gitignore" "$T/y/d/.varve" && diff -r "$T/x/d" "$T/y/d" && [ -x "$T/x/d/f1" ] && [ ! -x "$T/x/d/f2" ]; ok "has the files, long names too"
varve archive --prefix=p/ v1 d | tar t | grep -qx 'p/d/train/x1'; ok "with a prefix"
out varve du --files --json && json 'any(f["path"] == "d/.varve" and f["versions"] == 2 for f in d["files"])'; ok "du counts it"
p=$(ls -S .git/varve/packs/*.pack | head -1); chmod u+w "$p"; printf 'XXXX' | dd of="$p" bs=1 seek=300 conv=notrunc 2>/dev/null
status_is 1 varve fsck; ok "fsck sees damage"
out varve fsck --repair; out varve fsck && grep -q 'all is well' "$T/out" && varve cat v2:d/m.safetensors | cmp -s - d/m.safetensors; ok "and mends it from the files"
# A file's line that lies, in a manifest whose root is right: d.lie says that m.safetensors is another file than its parts make.
lie() {
	python3 - <<'P'
import hashlib, re, sys
t = open('d/.varve', 'rb').read()
t = re.sub(rb'(file "m.safetensors" 644 safetensors \d+ )[0-9a-f]{64}', rb'\g<1>' + b'5' * 64, t)
sha = hashlib.sha256(b''.join(l + b'\n' for l in t.split(b'\n') if l.startswith(b'file '))).hexdigest().encode()
t = re.sub(rb'\nsha256 [0-9a-f]*\n', b'\nsha256 ' + sha + b'\n', t)
root = hashlib.sha256(re.sub(rb'\nroot [0-9a-f]*\n', b'\n', t)).hexdigest().encode()
sys.stdout.buffer.write(re.sub(rb'\nroot [0-9a-f]*\n', b'\nroot ' + root + b'\n', t))
P
}
git commit -q --allow-empty -m honest; git update-index --cacheinfo "100644,$(lie | git hash-object -w --stdin),d/.varve"; git commit -q -m lie
status_is 1 varve fsck && grep -q '^broken: commit .* d/.varve: m.safetensors: its parts are not the file that its line names' "$T/out"; ok "fsck sees a line that lies"
cp d/m.safetensors "$T/m"; rm d/m.safetensors; git checkout -q -f HEAD 2>/dev/null; out git checkout -q -f HEAD~1; git checkout -q -f - 2>"$T/err"
err 'd/m.safetensors: its parts are not the file that the manifest names'; cmp -s d/m.safetensors "$T/m" || [ ! -e d/m.safetensors ]; ok "and checkout does not write such a file"
git checkout -q -f main; git reset -q --hard HEAD~1; git reflog expire --expire=now --all; git prune --expire=now; varve checkout -q -f d; cmp -s d/m.safetensors "$T/m" && status_is 0 varve fsck; ok "the honest version is there"
out varve list --json && json 'd["files"] == ["d/.varve"] and {"pattern": ".varve", "file": ".gitattributes"} in d["patterns"]'; ok "list"
out varve doctor; ok "doctor"
out varve leave --json && json 'd == {"files": 0, "directories": 1}' && git commit -q -a -m plain && [ "$(git ls-files d | wc -l)" = 8 ] && [ ! -e d/.varve ]; ok "leave: plain files"
cmp -s d/m.safetensors "$T/y/d/m.safetensors" && [ -z "$(git status --porcelain | grep -v '^?? sub')" ]; ok "as they were"
plan_end
