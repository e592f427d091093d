#!/bin/sh
# Configures a build folder (again when the options differ from last time) and compiles. Says nothing
# unless there is something to say: warnings and errors.
# usage: build.sh DIR [MESON OPTION...]
set -eu

cd "$(dirname "$0")/.."
dir=$1
shift
want="CC=${CC:-} CFLAGS=${CFLAGS:-} LDFLAGS=${LDFLAGS:-} $*"
if ! [ -e "$dir/build.ninja" ] || [ "$(cat "$dir/configured" 2>/dev/null)" != "$want" ]; then
	sh tools/deps.sh build
	mkdir -p "$dir"
	# A compiler is chosen once for a folder: another one needs a clean one.
	again=''
	if [ -e "$dir/build.ninja" ]; then
		old=$(cat "$dir/configured" 2>/dev/null || :)
		[ "${old%% -*}" = "${want%% -*}" ] && again=--reconfigure || again=--wipe
	fi
	rm -f "$dir/configured"
	# shellcheck disable=SC2086
	meson setup $again "$dir" "$@" >"$dir.log" 2>&1 || {
		cat "$dir.log" >&2
		rm -f "$dir.log"
		exit 1
	}
	mv "$dir.log" "$dir/configure.log"
	printf '%s\n' "$want" >"$dir/configured"
fi
ninja -C "$dir" ${JOBS:+-j "$JOBS"} >"$dir/build.log" 2>&1 || {
	cat "$dir/build.log" >&2
	exit 1
}
grep -A 6 'warning:' "$dir/build.log" >&2 || :
