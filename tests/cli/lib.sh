# What the tests of the commands share beyond those that drive git.
. "$(dirname "$0")/../git/lib.sh"
export NO_COLOR=1 VARVE_THREADS=2
# out CMD...: its output in $T/out, its messages in $T/err; json EXPR: is it so, for the JSON value d?
out() { "$@" >"$T/out" 2>"$T/err"; }
json() {
	python3 - "$T/out" "$1" <<'P' || { sed 's/^/# /' "$T/out" | head -40; false; }
import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(not eval(sys.argv[2]))
P
}
status_is() { # status_is N CMD...: out, and its status
	want=$1
	shift
	out "$@"
	r=$?
	[ $r = "$want" ] || { echo "# exit $r, not $want"; sed 's/^/# /' "$T/err"; false; }
}
err() { grep -q -- "$1" "$T/err" || { sed 's/^/# /' "$T/err"; false; }; }
one_line() { [ "$(wc -l <"$T/err")" = 1 ] || { sed 's/^/# /' "$T/err"; false; }; }
lines() { [ "$(wc -l <"$T/out")" = "$1" ] || { sed 's/^/# /' "$T/out"; false; }; }
