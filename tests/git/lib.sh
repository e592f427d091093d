# Shared by the tests that drive the real git. A test is a sh script that sources this and prints TAP.
# Needs on PATH: varve, git-varve, mkmodel (meson puts them there).
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/varve-test.XXXXXX")
trap 'chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"' EXIT
export HOME="$T/home" XDG_CONFIG_HOME="$T/home/.config" GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat LC_ALL=C
export GIT_AUTHOR_NAME=tester GIT_AUTHOR_EMAIL=t@example.invalid GIT_COMMITTER_NAME=tester
export GIT_COMMITTER_EMAIL=t@example.invalid GIT_EDITOR=true GIT_SEQUENCE_EDITOR=true
# What measures commits later would race with the end of a test; one test asks for it.
export VARVE_MEASURE=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE 2>/dev/null
mkdir -p "$HOME"
git config --global init.defaultBranch main
git config --global advice.detachedHead false
n=0 failed=0
ok() { # ok WHAT: the status of the last command
	r=$?
	n=$((n + 1))
	if [ $r = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; failed=1; fi
	return 0
}
fails() { ! "$@" >"$T/out" 2>&1; }
status_of() { "$@" >"$T/out" 2>&1; echo $?; }
said() { grep -q -- "$1" "$T/out" || { sed 's/^/# /' "$T/out"; false; }; }
sum() { sha256sum "$1" | cut -d' ' -f1; }
same() { [ "$(sum "$1")" = "$2" ] || { echo "# $1 is $(head -c 60 "$1" | tr -d '\0' | head -1), not $2"; false; }; }
# A saved model is older than the index that git will write, as it is when training took a while.
# It is a new file each time: git would not see a same-sized one with the same times.
model() {
	f=$1
	shift
	mkmodel "$f.new" "$@" && touch -d '10 seconds ago' "$f.new" && mv "$f.new" "$f"
}
plan_end() { echo "1..$n"; exit $failed; }
new_repo() { # new_repo DIR [git init options]
	d=$1
	shift
	git init -q "$@" "$d" && cd "$d" && varve init -q && varve track -q '*.safetensors' &&
		git add .gitattributes && git commit -q -m 'Keep models'
}
# After a sequence a waiter finishes: give it a moment to see git's end.
settled() {
	state=$(git rev-parse --git-dir)/varve
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		sleep 0.1
		[ -e "$state/wanted" ] || { flock -n "$state/sync.lock" true && flock -n "$state/wait.lock" true && break; }
	done
}
# git status must be clean, and must not call the filter, twice.
clean() {
	for _ in 1 2; do
		s=$(GIT_TRACE="$T/trace" git status --porcelain 2>/dev/null)
		[ -z "$s" ] || { printf '%s\n' "$s" | sed 's/^/# /'; return 1; }
		if grep -q 'varve clean' "$T/trace"; then
			echo "# the filter ran"
			rm -f "$T/trace"
			return 1
		fi
		rm -f "$T/trace"
	done
}
