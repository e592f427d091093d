#!/bin/sh
# Options, help, errors: what all commands share.
. "$(dirname "$0")/lib.sh"

cd "$T"; mkdir nowhere; cd nowhere
all=$(varve help | sed -n 's/^  \([a-z]*\) .*/\1/p')
for c in init track untrack list add status checkout restore show diff log blame cat archive du fsck gc doctor leave version help; do
	echo "$all" | grep -qx "$c" || { echo "# $c is not in the list"; missing=1; }
	varve $c --help >"$T/out" 2>"$T/err" && [ ! -s "$T/err" ] && grep -q "^usage: varve $c " "$T/out" && grep -q -- '--json ' "$T/out" || { echo "# $c --help"; missing=1; }
done; [ -z "${missing-}" ]; ok "every command has help, outside of a repository too"
out varve restore -h; said '^  -t, --tensor GLOB'; ok "with its own options"
out varve help restore; said '^  -t, --tensor GLOB'; ok "so has help COMMAND"
out varve; said '^usage: varve' && out varve --help && said '^look at versions$'; ok "the list of commands"
git varve version >"$T/out" && said '^varve [0-9]'; ok "git varve"
status_is 129 varve nope && err "'nope' is not a varve command"; ok "no such command"
status_is 129 varve show --nope x && err "unknown option '--nope'" && err '^usage: varve show'; ok "no such option"
status_is 129 varve help nope; ok "no such help"
for c in log blame archive du fsck gc status add checkout track restore; do
	status_is 128 varve $c x y && err 'not a git repository' || bad=$c
done; [ -z "${bad-}" ]; ok "outside of a repository"
out varve du --json; json 'd["error"]["code"] == "git" and "not a git repository" in d["error"]["message"]'; ok "an error is JSON too"
new_repo "$T/r"; model m.safetensors; git add .; git commit -q -m one
out varve -C "$T/r" show m.safetensors; said '8 tensors'; ok "-C"
cd "$T"; out varve -C r show m.safetensors; said '8 tensors'; cd r; ok "-C, relative"
status_is 128 varve -C "$T/none" show x && one_line; ok "-C to nowhere"
status_is 129 varve log -n x m.safetensors && err "'x' is not a number"; ok "a number that is none"
varve show m.safetensors | head -1 >/dev/null; ok "a reader that goes away"
if [ -w /dev/full ]; then status_is 128 sh -c 'varve show m.safetensors >/dev/full' && err 'cannot write to standard output'; ok "a full disk is told"; fi
printf 'x' >"$(printf 'a\033[31m\nb')"; status_is 128 varve show "HEAD:$(printf 'a\033[31m')" && one_line && ! grep -q "$(printf '\033')" "$T/err"; ok "errors are escaped"
odd=$(printf 'b\377d.safetensors'); model "$odd"; git add .; git commit -q -m bytes; out varve list --json; json 'any("\\xff" in f for f in d["files"])'; ok "names that are not UTF-8, in JSON"
out varve status --json; json 'len(d["files"]) == 2 and all(f["state"] == "clean" for f in d["files"])'; ok "and in status"
out varve show -- m.safetensors && out varve cat --raw -- m.safetensors t0; ok "-- ends options"
model ./-h.safetensors; git add .; git commit -q -m dash; git checkout -q HEAD~1; git checkout -q main; head -c 4 ./-h.safetensors | grep -q varv; [ $? = 1 ]; ok "a file that looks like an option"
out varve show -- -h.safetensors; said '8 tensors'; ok "and can be shown"
out env NO_COLOR= varve diff HEAD~1 HEAD --stat && ! grep -q "$(printf '\033')" "$T/out"; ok "no colour into a file"
if command -v script >/dev/null; then
	env -u NO_COLOR script -qec 'varve log m.safetensors' /dev/null >"$T/out" 2>&1 </dev/null; grep -q "$(printf '\033')\[33m" "$T/out"; ok "colour on a terminal"
	env NO_COLOR=1 script -qec 'varve log m.safetensors' /dev/null >"$T/out" 2>&1 </dev/null; ! grep -q "$(printf '\033')" "$T/out"; ok "unless NO_COLOR says no"
fi
plan_end
