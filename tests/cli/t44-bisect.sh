#!/bin/sh
# bisect run: the commit that spoiled a model. git searches, in a worktree of its own; what the command reads is put there.
. "$(dirname "$0")/lib.sh"
said_err() { grep -q -- "$1" "$T/err" || { sed 's/^/# /' "$T/err"; false; }; }
untouched() { [ "$(git rev-parse HEAD)" = "$head" ] && [ "$(git worktree list | wc -l)" = 1 ] && [ -z "$(git status --porcelain)" ] && [ -z "$(git for-each-ref refs/bisect/)" ] && [ -z "$(ls .git/varve | grep bisect)" ]; }
# Does the model at $1 have, for tensor $2, the bytes of seed 66?
cat >"$T/bad.py" <<'P'
import hashlib, json, struct, sys
def tensor(path, name):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        a, b = json.loads(f.read(n))[name]["data_offsets"]
        f.seek(8 + n + a)
        return hashlib.sha256(f.read(b - a)).hexdigest()
open(sys.argv[1], "a").write(sys.argv[2] + "\n")
sys.exit(tensor(sys.argv[3], sys.argv[4]) == tensor(sys.argv[2 + 3], sys.argv[4]))
P

new_repo "$T/r"; mkmodel "$T/evil.safetensors" n=5 set=t2:66
model m.safetensors n=5; model other.safetensors n=50 elems=1000; echo code >code.txt; git add .; git commit -q -m start; git tag good
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	case $i in
	7) model m.safetensors n=5 set=t1:6 set=t2:66; git commit -q -am "spoiled"; git tag spoiled ;;
	1 | 3 | 9) model m.safetensors n=5 set=t1:$i "set=$([ $i = 9 ] && echo t2:66 || echo "t1:$i")"; git commit -q -am "model $i" ;;
	*) echo $i >code.txt; git commit -q -am "code $i" ;;
	esac
done
head=$(git rev-parse HEAD)
status_is 0 varve bisect run --good good -- python3 "$T/bad.py" "$T/log" whole m.safetensors t2 "$T/evil.safetensors"; ok "it ends"
said 'is the first bad commit, after [34] tests: spoiled$' && said 'm.safetensors: 2 of 5 tensors changed' && said ' t2 '; ok "with the commit, and what changed in it"
untouched; ok "the user's worktree, refs and worktree list are as before"
[ "$(wc -l <"$T/log")" -le 4 ]; ok "in a few steps"
status_is 0 varve bisect run --json --good good -- python3 "$T/bad.py" "$T/log" whole m.safetensors t2 "$T/evil.safetensors"; json 'd["subject"] == "spoiled" and d["tested"] in (3, 4) and len(d["commit"]) == 40 and d["author"] == "tester"'; ok "--json"

cat >"$T/look.sh" <<'P'
head -c 40 other.safetensors | grep -q '^varve 1' || { echo "the other model was written" >>"$1"; exit 255; }
head -c 40 m.safetensors | grep -q '^varve 1' && { echo "the model was not" >>"$1"; exit 255; }
stat -c '%i' m.safetensors >>"$1"
git diff --quiet || { echo "changed" >>"$1"; exit 255; }
[ "$(git show HEAD:code.txt)" = "$(cat code.txt)" ] || exit 255
git merge-base --is-ancestor spoiled HEAD && exit 1
exit 0
P
: >"$T/log"; status_is 0 varve bisect run --good good -- sh "$T/look.sh" "$T/log" && ! grep -q '[a-z]' "$T/log"; ok "only the model that differs is put in place, and git sees no change"
: >"$T/log"; status_is 0 varve bisect run --good good --file other.safetensors -- sh -c 'head -c 9 other.safetensors | grep -q varve && exit 255; head -c 9 m.safetensors | grep -q varve || exit 255; git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0'; ok "--file: that one instead"
status_is 0 varve bisect run --changes-only --good good -- sh -c 'git log -1 --format=%s >>"$0"; git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' "$T/log" && ! grep -q code "$T/log" && said 'spoiled$'; ok "--changes-only: no other commits"

cat >"$T/tensors.py" <<'P'
import json, struct, sys, hashlib
log, evil, path = sys.argv[1:]
def read(p):
    with open(p, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(n))
        size = head["t2"]["data_offsets"]
        return hashlib.sha256(f.read(size[1] - size[0])).hexdigest(), head
got, head = read(path)
open(log, "a").write(",".join(sorted(k for k in head if k != "__metadata__")) + "\n")
assert open("m.safetensors", "rb").read(5) == b"varve"
with open(evil, "rb") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    a, b = json.loads(f.read(n))["t2"]["data_offsets"]
    f.seek(8 + n + a)
    bad = hashlib.sha256(f.read(b - a)).hexdigest()
sys.exit(got == bad)
P
: >"$T/log"; status_is 0 varve bisect run --good good -t t2 -- python3 "$T/tensors.py" "$T/log" "$T/evil.safetensors" && said 'spoiled$' && [ "$(sort -u "$T/log")" = t2 ] && said ' t2 ' && ! grep -q ' t1 ' "$T/out"; ok "--tensor: a file of that tensor alone, no model"
: >"$T/log"; status_is 0 varve bisect run --changes-only --good good -t t2 -- python3 "$T/tensors.py" "$T/log" "$T/evil.safetensors" && said 'after 2 tests: spoiled$' && [ "$(wc -l <"$T/log")" = 2 ]; ok "--changes-only: each of its versions is tested once"
status_is 128 varve bisect run --good good -t none -- true && err 'only commits that were skipped are left' && untouched; ok "a tensor that is nowhere: all skipped"

git bisect start >/dev/null; git bisect bad HEAD >/dev/null; git bisect good good >/dev/null 2>&1; here=$(git rev-parse HEAD)
status_is 0 varve bisect run -- sh -c 'git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' && said 'spoiled$' && [ "$(git rev-parse HEAD)" = "$here" ]; ok "the ends of the git bisect at hand"
git bisect reset >/dev/null 2>&1; settled; untouched; ok "which goes on by itself"

echo 'git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' >own.sh; chmod +x own.sh; sed -i '1i#!/bin/sh' own.sh
status_is 0 varve bisect run --good good ./own.sh && said 'spoiled$'; ok "a command of this folder that git does not know"; rm own.sh
status_is 128 varve bisect run --good good -- sh -c 'exit 125' && err 'only commits that were skipped' && untouched; ok "125 skips"
status_is 128 varve bisect run --good good -- sh -c 'exit 200' && untouched && said_err 'bisect run'; ok "more than 127 gives up"
status_is 128 varve bisect run --good good -- "$T/no-such-command" && untouched; ok "no such command"
mv .git/varve/packs "$T/packs"; mkdir .git/varve/packs; status_is 128 varve bisect run --good good -- true; rmdir .git/varve/packs; mv "$T/packs" .git/varve/packs; said_err 'stays a manifest' && untouched; ok "bytes that are not here are an error, no verdict"
status_is 129 varve bisect run -- true && err 'no good commit'; ok "no good commit"
status_is 128 varve bisect run --good nope -- true && one_line; ok "no such commit"
status_is 129 varve bisect run --good good; ok "no command"
status_is 129 varve bisect start; ok "only run"
git tag same "$(git commit-tree -p HEAD -m same "HEAD^{tree}")"; status_is 128 varve bisect run --good HEAD --bad same -- true && err 'no model differs'; ok "no model differs"
status_is 0 varve bisect run --good good -- sh -c 'cd "$(git rev-parse --show-toplevel)" && git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0'; ok "git works in there"
running() { rm -f "$T/pid"; varve bisect run --good good -- sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 60' "$T/pid" >"$T/out" 2>&1 </dev/null & p=$!; for _ in $(seq 200); do [ -e "$T/pid" ] && break; sleep 0.1; done; [ -e "$T/pid" ]; }
gone() { for _ in $(seq 50); do grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status" || return 0; sleep 0.1; done; echo "# $1 runs on"; false; }
for s in TERM:143 HUP:129; do
	running && kill -"${s%:*}" $p; wait $p; [ $? = "${s#*:}" ] && gone "$(cat "$T/pid")" && untouched; ok "SIG${s%:*} ends git and the command; it is cleared away"
done
left() { [ "$(git worktree list | wc -l)" = 2 ]; }
running && varve gc -q && left && kill -0 "$(cat "$T/pid")"; ok "gc leaves one that runs"
kill -KILL $p; wait $p 2>/dev/null; kill -KILL "$(cat "$T/pid")"; gone "$(cat "$T/pid")"; settled; varve gc -q --dry-run; left; ok "after SIGKILL it is left"
varve gc -q; untouched; ok "gc removes it"
running && kill -KILL $p; wait $p 2>/dev/null; kill -KILL "$(cat "$T/pid")"; settled; left && status_is 0 varve bisect run --good good -- sh -c 'git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' && untouched; ok "the next bisect, too"
echo yes | status_is 128 varve bisect run --good good -- sh -c 'read x && [ "$x" = yes ] || exit 1; exit 200' && said_err 'bisect run'; ok "the command reads what bisect would"
status_is 128 varve bisect run --good good --file typo.safetensors -- true && err 'typo.safetensors: no model, neither in the bad commit nor in a good one' && one_line && untouched; ok "a model that is nowhere"
git branch -q linked; git worktree add -q "$T/linked" linked; git config alias.find '!varve bisect run'; cd "$T/linked"; echo kept >>code.txt; was=$(git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; cat .git; git for-each-ref)
status_is 0 git find --good good -- sh -c 'git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' && said 'spoiled$' && [ "$(git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; cat .git; git for-each-ref)" = "$was" ] && ! git bisect log >/dev/null 2>&1; ok "an alias in a linked worktree, for which git sets GIT_DIR"
dir=$(git rev-parse --absolute-git-dir); status_is 0 env GIT_DIR="$dir" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$dir/index" varve bisect run --good good --tensor t2 -- python3 "$T/tensors.py" "$T/log" "$T/evil.safetensors" && said 'spoiled$' && [ "$(git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; cat .git; git for-each-ref)" = "$was" ]; ok "GIT_INDEX_FILE and GIT_WORK_TREE as a hook has them"
cd "$T/r"; git worktree remove --force "$T/linked"; git branch -q -D linked; untouched; ok "the main worktree knows nothing of it"
mkdir sub; cd sub; status_is 0 varve bisect run --good good --file ../m.safetensors -- sh -c 'git merge-base --is-ancestor spoiled HEAD && exit 1; exit 0' && said 'spoiled$'; ok "from a subfolder"
plan_end
