#!/bin/sh
# du and gc: what the store costs; what no version needs goes, what any may need stays.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
model m.safetensors n=4; git add .; git commit -q -m one; model m.safetensors n=4 set=t1:2; git commit -q -am two; two=$(sum m.safetensors)
model o.safetensors n=4 set=t2:5; git add .; git commit -q -m other
status_is 0 varve du; said '^objects    7, of which' && said '^raw ' && said '^on disk .* of raw$' && said '^trash      0 B'; ok "du"
out varve du --json; json 'd["objects"] == 7 and d["raw"] > d["disk"] > 0 and d["trash_packs"] == 0 and d["max_depth"] >= 0'; ok "--json"
out varve du --files; said '^versions   3, 9' && said '  m.safetensors$'; ok "--files"
out varve du --files --json; json 'd["versions"] == 3 and {f["path"]: f["versions"] for f in d["files"]}["m.safetensors"] == 2 and d["shared"] > 0'; ok "in --json"
status_is 129 varve du x; ok "du takes no path"

git switch -q -c gone; model m.safetensors n=4 set=t1:2 set=t2:77; git commit -q -am gone; git switch -q main; git branch -q -D gone
git reflog expire --expire=now --all; git prune --expire=now
out varve gc --dry-run --json --grace now; json 'd["dry_run"] and d["complete"] and d["packs_rewritten"] + d["packs_trashed"] > 0'; ok "--dry-run says what would go"
out varve du --json; json 'd["objects"] == 8 and d["trash_packs"] == 0'; ok "and does nothing"
status_is 0 varve gc --grace now; out varve du --json; json 'd["objects"] == 7 and d["trash_packs"] >= 1'; ok "what no version needs goes to the trash"
status_is 0 varve gc --grace now; out varve du --json; json 'd["objects"] == 7 and d["trash_packs"] == 0'; ok "and from there for good"
status_is 0 varve gc && said 'nothing to clear away'; ok "nothing more to do"
model y.safetensors n=2 seed=60; git add y.safetensors; git rm -q --cached y.safetensors; rm y.safetensors; git prune --expire=now
out varve gc; out varve du --json; json 'd["objects"] == 10 and d["trash_packs"] == 0'; ok "what is young stays for two weeks"
status_is 0 varve fsck && git checkout -q HEAD~1 && same m.safetensors "$two"; ok "every version is still whole"; git checkout -q main
git switch -q -c gone; model m.safetensors n=4 set=t1:2 set=t2:78; git commit -q -am gone; git switch -q main; git branch -q -D gone
out varve gc --grace now; out varve du --json; json 'd["objects"] == 8'; ok "a version that only the reflog has stays"
model s.safetensors n=2 seed=40; s=$(sum s.safetensors); git add s.safetensors; out varve gc --grace now; rm s.safetensors; git checkout -q s.safetensors && same s.safetensors "$s"; ok "so does one that only the index has"
git rm -q -f s.safetensors; model m.safetensors n=4 seed=50; s=$(sum m.safetensors); git stash -q; out varve gc --grace now; git stash pop -q && same m.safetensors "$s"; ok "and one in the stash"
git checkout -q -f main
for a in now never 3d 2.weeks '36 hours ago' 1.month 5m; do
	case $a in 5m) want=129 ;; *) want=0 ;; esac
	status_is $want varve gc -n --grace "$a" || bad=$a
done; [ -z "${bad-}" ]; ok "ages"
status_is 129 varve gc --grace 2.fortnights && err "'2.fortnights' is no age"; ok "what is no age"
git clone -q --depth 1 "file://$T/r" "$T/shallow" 2>/dev/null; cd "$T/shallow"; varve init -q
status_is 1 varve gc --grace now && err 'nothing is removed' && one_line; ok "a shallow clone refuses"
out varve gc --json --grace now; json 'd["complete"] is False'; ok "in --json"
cd "$T"; git init -q none; cd none; status_is 128 varve gc && err "run 'varve init'" && one_line; ok "no store"
cd "$T"; mkdir plain; cd plain; status_is 128 varve gc && err 'not a git repository' && one_line; ok "no repository"
# gc between the last put of an add and git's own add: what is on its way to git stays, in a linked worktree too.
cd "$T/r" && mkdir "$T/bin" && cat >"$T/bin/git" <<X
#!/bin/sh
case " \$* " in *" add "*)
	(cd "$T/r" && unset VARVE_INSIDE GIT_DIR && PATH="$PATH" varve gc -q --grace now && PATH="$PATH" varve gc -q --grace now) || exit 9 ;;
esac
exec $(command -v git) "\$@"
X
chmod +x "$T/bin/git"
git worktree add -q "$T/w" -b beside
for d in "$T/r" "$T/w"; do
	cd "$d"; model on-its-way.safetensors n=3 seed=${#d} elems=9000; s=$(sum on-its-way.safetensors)
	PATH=$T/bin:$PATH varve add -q on-its-way.safetensors; st=$?
	rm on-its-way.safetensors; git checkout -q on-its-way.safetensors
	[ $st = 0 ] && same on-its-way.safetensors "$s" && varve fsck -q; ok "gc in the midst of an add${d#"$T"}"
	git rm -q --cached on-its-way.safetensors
	cd "$T/r" && git reset -q --hard
done
plan_end
