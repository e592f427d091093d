#!/bin/sh
# convert --with: the user's own exporter on versions, what it makes and what it leaves, the record of it.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
varve track -q '*.npz'
python3 - <<'P'
import numpy as np
np.savez("m.npz", a=np.arange(6, dtype="f4")); np.savez("w.npz", a=np.ones(3, "f4"))
P
touch -d '10 seconds ago' m.npz w.npz; git add .; git commit -q -m one
first=$(sum m.npz)
python3 -c 'import numpy as np; np.savez("m.npz", a=np.arange(7, dtype="f4"))'
touch -d '9 seconds ago' m.npz; git add .; git commit -q -m two
export PIDS="$T/pids"
no_rest() { [ -z "$(ls -A | grep '^\.varve-')" ] || { ls -A | sed 's/^/# /'; false; }; }
copy='cp "$VARVE_INPUT" "$VARVE_OUTPUT"'
out varve convert --with "$copy" HEAD~1:m.npz -o one.npz && err 'one.npz: .* made by the command' && [ "$(sum one.npz)" = "$first" ] && no_rest; ok "an older version goes through the command"
python3 - "$first" <<'P'
import json, sys
d = json.load(open("one.npz.lineage.json"))
assert list(d) == ["varve_lineage", "command", "exit", "program", "env", "machine", "varve", "date", "inputs", "output", "beside"], list(d)
assert d["command"] == 'cp "$VARVE_INPUT" "$VARVE_OUTPUT"' and d["exit"] == 0 and d["program"].endswith("/cp") and d["env"] == {} and d["beside"] == []
i, = d["inputs"]
assert i["name"] == "HEAD~1:m.npz" and i["format"] == "npz" and i["sha256"] == sys.argv[1] and len(i["root"]) == 64
assert d["output"] == {"file": "one.npz", "size": i["size"], "sha256": sys.argv[1]}
assert sorted(d["machine"]) == ["machine", "release", "system"] and d["date"].endswith("Z")
P
ok "the record says what was run, on what, and what came of it"
out varve show one.npz && grep -qF 'made by      cp \"$VARVE_INPUT\" \"$VARVE_OUTPUT\"' "$T/out" && grep -q "from         HEAD~1:m.npz sha256:$first" "$T/out"; ok "show tells it"
out varve show --json one.npz && json 'd["lineage"]["output"]["file"] == "one.npz"'; ok "show --json too"
cp m.npz one.npz; out varve show --json one.npz && json 'd["lineage"] is None'; ok "but not of another file of that name"
printf '{"output": {"sha256": "%s"}}' "$(sum one.npz)" >one.npz.lineage.json; out varve show --json one.npz && json 'd["lineage"] is None'; ok "nor from a record without a command"
mkdir sub; cd sub || exit 1
out varve convert --json --with 'printf %s "$1" >"$VARVE_OUTPUT"; [ "$1" = "$VARVE_INPUT" ]' ../m.npz -o ../where.txt && json 'd == {"file": "../where.txt", "bytes": d["bytes"], "sha256": d["sha256"], "lineage": "../where.txt.lineage.json"}' && [ "$(cat ../where.txt)" = "$(cd .. && pwd -P)/m.npz" ]; ok "a file of the worktree is read in its place"
cd ..
out varve convert -q --with 'cat "$@" >"$VARVE_OUTPUT"; basename "$2" >"$VARVE_OUTPUT.data"' HEAD:w.npz HEAD~1:m.npz -o both.bin && [ "$(stat -c %s both.bin)" = "$(($(git cat-file -p HEAD:w.npz | sed -n 's/^size //p') + $(git cat-file -p HEAD~1:m.npz | sed -n 's/^size //p')))" ] && [ "$(cat both.bin.data)" = m.npz ]; ok "two inputs, and a file beside the first"
python3 -c 'import json; d = json.load(open("both.bin.lineage.json")); assert [b["file"] for b in d["beside"]] == ["both.bin.data"] and len(d["inputs"]) == 2'; ok "the record has them"
A_VERSION=1.2 out varve convert -q --with "$copy" --env A_VERSION --env NO_SUCH m.npz -o e.npz && python3 -c 'import json; assert json.load(open("e.npz.lineage.json"))["env"] == {"A_VERSION": "1.2", "NO_SUCH": None}'; ok "--env keeps variables"
out varve convert --with 'echo noise; echo words >&2; cp "$1" "$VARVE_OUTPUT"' --json m.npz -o n.npz && json 'd["file"] == "n.npz"' && err noise && err words; ok "what the command says goes to standard error"
status_is 7 varve convert --with 'echo part >"$VARVE_OUTPUT"; exit 7' m.npz -o f.npz && err '^varve: the command failed with status 7' && one_line && [ ! -e f.npz ] && [ ! -e f.npz.lineage.json ] && no_rest; ok "one that fails: its status, nothing written"
status_is 7 varve convert --json --with 'exit 7' m.npz -o f.npz && json 'd["error"]["status"] == 7'; ok "--json"
status_is 128 varve convert --with true m.npz -o f.npz && err 'made no file' && one_line && no_rest; ok "one that makes nothing"
status_is 128 varve convert --with 'mkdir "$VARVE_OUTPUT"' m.npz -o f.npz && err 'no plain file' && no_rest; ok "one that makes a folder"
status_is 128 varve convert --with 'ln -s /etc/passwd "$VARVE_OUTPUT"' m.npz -o f.npz && err 'no plain file' && no_rest; ok "or a link"
cp m.npz t.npz; status_is 128 varve convert --with 'cp "$1" "$VARVE_OUTPUT"; echo x >>"$1"' t.npz -o f.npz && err 'changed' && [ ! -e f.npz ] && no_rest; ok "an input that changes on the way"
status_is 128 varve convert --with "$copy" nosuch.npz -o f.npz && no_rest; ok "no such model"
status_is 129 varve convert --with "$copy" -d f16 m.npz -o f.npz; ok "--dtype is for varve's own"
status_is 129 varve convert --env A m.npz -o f.npz; ok "--env needs --with"
status_is 129 varve convert --with "$copy" m.npz -o -; ok "not to standard output"
status_is 129 varve convert --with "$copy" m.npz -o sub; ok "not over a folder"
name='$(touch hit);`touch hit`.npz'; cp m.npz "./$name"; out varve convert -q --with "$copy" "$name" -o i.npz && [ ! -e hit ] && cmp -s m.npz i.npz; ok "names are no code"
# A signal ends the command with all that it started, and what was begun is removed.
varve convert --with 'echo begun >"$VARVE_OUTPUT"; sleep 60 & echo $! >"$PIDS"; wait' m.npz -o f.npz 2>"$T/err" & pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s "$PIDS" ] && break; sleep 0.2; done
kill -TERM $pid; wait $pid; r=$?
[ $r = 143 ] && [ ! -e f.npz ] && no_rest; ok "a signal: nothing is left"
sleep 0.2; ! ps -o stat= -p "$(cat "$PIDS")" 2>/dev/null | grep -qv Z; ok "nor running"
plan_end
