#!/bin/sh
# Makes sure that what a task needs is there: on Debian and its relatives it installs what is missing,
# elsewhere it says what to install. Asks for nothing when all is there already.
# usage: deps.sh build|check|demo|ci
set -eu

here=$(cd "$(dirname "$0")" && pwd)
missing='' packages=''
# need WHAT PACKAGE TEST...
need() {
	what=$1 package=$2
	shift 2
	"$@" >/dev/null 2>&1 && return
	missing="$missing
  $what"
	packages="$packages $package"
}
has() { command -v "$1"; }
compiles() {
	d=$(mktemp -d)
	echo '#include <stdio.h>
int main(void) { return 0; }' >"$d/a.c"
	"${CC:-cc}" -o "$d/a" "$d/a.c" && r=0 || r=1
	rm -rf "$d"
	return $r
}

need "a C compiler" "gcc libc6-dev" compiles
need "meson 1.0 or newer" meson has meson
need ninja ninja-build has ninja
need "git 2.39 or newer" git has git
need pkg-config pkg-config has pkg-config
need "OpenSSL 3 (libcrypto) with headers" libssl-dev pkg-config --atleast-version=3.0 libcrypto
need "libzstd with headers" libzstd-dev pkg-config --exists libzstd
need "xxHash with headers" libxxhash-dev pkg-config --exists libxxhash
need "jansson with headers" libjansson-dev pkg-config --exists jansson
need "zlib with headers" zlib1g-dev pkg-config --exists zlib
need "libyaml with headers" libyaml-dev pkg-config --exists yaml-0.1
need "utf8proc with headers" libutf8proc-dev pkg-config --exists libutf8proc
case "${1-}" in
build) ;;
check | demo) need "python3 with numpy" "python3 python3-numpy" sh "$here/python.sh" numpy ;;
ci)
	need "python3 with numpy" "python3 python3-numpy" sh "$here/python.sh" numpy
	need "python3 venv" python3-venv python3 -c 'import ensurepip, venv'
	need clang "clang" has clang
	need "python3 with fusepy, for a file system that folds case" python3-fusepy sh "$here/python.sh" fusepy
	for tool in shellcheck mandoc man:man-db groff:groff-base zsh fish git-lfs fusermount3:fuse3 chromium tidy; do
		need "${tool%:*}" "${tool#*:}" has "${tool%:*}"
	done
	;;
*)
	echo "usage: deps.sh build|check|demo|ci" >&2
	exit 2
	;;
esac
[ -n "$packages" ] || exit 0

ask() { # ask WHY
	echo "varve needs:$missing" >&2
	echo "$1" >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 ||
	ask "Please install these with your system's package manager and try again."
root=''
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || ask "As root: apt-get install$packages"
	root=sudo
fi
echo "installing:$packages"
install() {
	# shellcheck disable=SC2086
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install >"$log" 2>&1 || { $root apt-get update -qq && install; } >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	ask "apt-get could not install$packages"
}
