#!/bin/sh
# add: git add, the fast way for models; git's pathspecs and statuses.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; mkdir sub ign; echo ign/ >.gitignore; git add .; git commit -q -m ignore
model m.safetensors; model sub/s.safetensors seed=2; model ign/i.safetensors seed=3; echo x >note
# like WORDS: varve add and git add end with the same index and the same status
like() {
	git add "$@" >/dev/null 2>&1; a=$? i=$(git ls-files -s); git read-tree "$start"
	out varve add "$@"; b=$?; j=$(git ls-files -s)
	git read-tree "$start"
	[ $a = $b ] && [ "$i" = "$j" ] || { echo "# status $a and $b"; printf '%s\n%s\n' "$i" "$j" | sed 's/^/# /'; false; }
}
start=$(git write-tree)
like .; ok "a folder"
like m.safetensors note; ok "files"
like '*.safetensors'; ok "a pattern of git's"
like ':(glob)**/s.safetensors'; ok "magic"
like -A; ok "-A"
like nope; ok "no such file"
like ign/i.safetensors; ok "an ignored file"
like -f ign; ok "-f"
like; ok "nothing"
cd sub; like .; ok "from a subfolder"
like ../m.safetensors; ok "with .."
like :/m.safetensors; ok "from the top"; like -A; ok "-A from a subfolder"; cd ..
git add . && git commit -q -m all; start=$(git write-tree)
rm m.safetensors; model sub/s.safetensors seed=4; echo y >note; model new.safetensors seed=6
like -u; ok "-u"
like .; ok "removed, changed and new"
like m.safetensors; ok "a removed file"
cd sub; like -u; ok "-u from a subfolder"; cd ..; git reset -q --hard; git clean -qfd
out varve add .; git commit -q -m rest >/dev/null; status_is 0 varve add . && lines 0; ok "nothing new"
model sub/s.safetensors seed=5; status_is 0 varve add sub; said '^sub/s.safetensors: 66.1 kB, 8 of 9 objects new, .* stored$'; ok "says what was stored"
model sub/s.safetensors seed=5 set=t1:1; out varve add --json sub; json 'd["files"] == [dict(d["files"][0], path="sub/s.safetensors", objects=9, objects_new=1, format="safetensors", size=66112)] or d["files"][0]["objects_new"] == 1'; ok "--json"
git commit -q -m s; clean; ok "clean, without a filter run"
for i in $(seq 1 150); do echo $i >"f$i"; done; status_is 0 varve add f*; [ "$(git diff --cached --name-only | wc -l)" = 150 ]; ok "many paths"
status_is 129 varve add -A -u; ok "-A and -u"
out varve add --json nope; json 'd["error"]["code"] == "git" and "nope" in d["error"]["message"]'; ok "an error in --json"
head -c 5000 m.safetensors >cut.safetensors; status_is 0 varve add cut.safetensors && err 'cut.safetensors: finding .* at offset'; ok "a truncated file is kept, with a finding"
git show HEAD:m.safetensors >man.safetensors; out varve add man.safetensors; [ "$(git rev-parse :man.safetensors)" = "$(git rev-parse HEAD:m.safetensors)" ]; ok "a manifest stays itself"
: >empty.safetensors; status_is 0 varve add empty.safetensors && [ "$(git cat-file -s :empty.safetensors)" = 0 ]; ok "an empty file"
plan_end
