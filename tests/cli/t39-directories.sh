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
# log and blame, file by file.
new_repo "$T/l"; h() { git log -1 --format=%h "$@"; }
for i in 1 2 3; do put "d/$i" "$i"; done; model d/m.safetensors n=4; varve track -q d/; varve add -q d; git add .; git commit -q -m one; git tag v1
put d/1 x; mv d/2 d/2x; put d/new n; model d/m.safetensors n=4 set=t1:7; varve add -q d; git commit -q -m two; git tag v2
git mv d e; git commit -q -m moved; rm e/3; varve add -q e; git commit -q -m less; git tag v4
out varve log e && grep -q ' -1 files  *less$' "$T/out" && grep -q ' renamed  *moved$' "$T/out" && grep -q ' 2 of 5 files, +1, 1 renamed  *two$' "$T/out" && grep -q ' +4 files  *one$' "$T/out" && lines 4; ok "log: what became of the files"
out varve log --json --names e && json '[(c["files"], c["files_changed"], c["files_added"], c["files_removed"], c["files_renamed"]) for c in d["commits"]] == [(4, 0, 0, 1, 0), (5, 0, 0, 0, 0), (5, 2, 1, 0, 1), (4, 0, 4, 0, 0)] and d["path"] == "e"'; ok "log --json"
json 'd["commits"][2]["names"] == [{"name": "1", "change": "changed"}, {"name": "2x", "change": "renamed"}, {"name": "m.safetensors", "change": "changed"}, {"name": "new", "change": "added"}]'; ok "with names"
out varve log e/2x && lines 2 && grep -q ' renamed  *two$' "$T/out" && grep -q ' added  *one$' "$T/out"; ok "of a file in it, which had another name"
out varve log e/m.safetensors && grep -q ' 1 of 4 tensors  *two$' "$T/out" && lines 2; ok "of a model in it, by tensor"
out varve log -t 't[12]' e/m.safetensors && lines 2 && out varve log -t 'm*//t2' e && lines 1; ok "log --tensor"
out varve log v1 d && lines 1 && (cd e && out varve log 1 && lines 2); ok "of an older name; from within"
status_is 128 varve log e/nope && err 'e/nope: no version in this history' && one_line; ok "a file that never was"
out varve blame e && lines 4 && grep -q "^$(h v2) .* 1  *2 B$" "$T/out" && grep -q "^$(h v2) .* 2x  *2 B$" "$T/out" && grep -q "^$(h v2) .* new " "$T/out"; ok "blame: the commit of each file"
out varve blame v1 d && lines 4 && [ "$(grep -c "^$(h v1) " "$T/out")" = 4 ]; ok "of a version, under its old name"
out varve blame e/m.safetensors && lines 4 && grep -q "^$(h v1) .* t0 " "$T/out" && grep -q "^$(h v2) .* t1 " "$T/out"; ok "of a model in it: each tensor"
out varve blame e/1 && lines 1 && out varve blame -t 'm*//t[12]' e && lines 2; ok "of a file; of tensors by pattern"
put e/new changed; varve add -q e; out varve blame e && grep -q 'not committed yet *new ' "$T/out"; ok "what is not committed yet"
out varve blame --json HEAD e && json "[(f['path'], f['commit'] == '$(git rev-parse v2)') for f in d['files']] == [('1', True), ('2x', True), ('m.safetensors', True), ('new', True)] and d['tensors'] == []"; ok "blame --json"
status_is 128 varve blame e/nope && err 'nope: not in that version' && one_line; ok "a file that is not in it"; git reset -q --hard; varve checkout -q --force e

# scan, each file in it.
python3 -c 'import pickle, os
class E:
    def __reduce__(self): return (os.system, ("echo hi",))
open("e/evil.pkl", "wb").write(pickle.dumps(E()))'
mkdir s; cp e/evil.pkl s/e.safetensors; printf 'a line\n%s\n' "$(head -1 e/.varve)" >s/about.txt; varve add -q e s 2>/dev/null; git add s; git commit -q -m evil; git tag evil; rm e/evil.pkl s/e.safetensors; varve add -q e s; git commit -q -m cured
status_is 0 varve scan e && lines 5 && grep -q '^e/m.safetensors: safe (safetensors)$' "$T/out"; ok "scan of a directory"
status_is 1 varve scan evil:e && grep -q '^evil:e/evil.pkl: dangerous (pickle)$' "$T/out" && grep -q '^5 files: 4 safe, 0 suspicious, 1 dangerous' "$T/out"; ok "in a version"
status_is 1 varve scan evil:e/evil.pkl && status_is 1 varve scan evil:s/e.safetensors && grep -q '^evil:s/e.safetensors: dangerous' "$T/out"; ok "one file of a version"
status_is 1 varve scan evil && grep -q '^6 files: 4 safe, 0 suspicious, 2 dangerous' "$T/out" && status_is 0 varve scan HEAD && grep -q '^4 files: 4 safe' "$T/out"; ok "all of a version"
(cd s && status_is 1 varve scan --json evil:./ && json '[(f["path"], f["verdict"]) for f in d] == [("evil:./e.safetensors", "dangerous")]' && git config grep.patternType fixed && status_is 1 varve scan --json evil && json 'len(d) == 6'); ok "a folder of it, from within"
cp e/.varve "$T/m"; python3 -c 'import pickle, os
class E:
    def __reduce__(self): return (os.system, ("echo hi",))
open("e/.varve", "wb").write(pickle.dumps(E()))'
status_is 1 varve scan --all e && grep -q '^e/.varve: dangerous' "$T/out" && cp "$T/m" e/.varve && status_is 0 varve scan --all e && ! grep -q '^e/.varve' "$T/out"; ok "scan --all reads a manifest only if it is none"

cd "$T/r"
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
