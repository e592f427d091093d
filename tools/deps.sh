#!/bin/sh
# Installs what a target needs, on Debian and its relatives; elsewhere says what to install.
# usage: deps.sh build|check|demo
set -eu

packages="gcc libc6-dev meson ninja-build pkg-config git libssl-dev libzstd-dev libxxhash-dev libjansson-dev zlib1g-dev"
case "${1:-build}" in
build) ;;
demo) packages="$packages python3 python3-numpy" ;;
check) packages="$packages python3 python3-numpy" ;;
*) echo "usage: deps.sh build|check|demo" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
	missing=
	for tool in cc meson ninja pkg-config git; do
		command -v $tool >/dev/null 2>&1 || missing="$missing $tool"
	done
	for lib in libcrypto libzstd libxxhash jansson zlib; do
		pkg-config --exists $lib 2>/dev/null || missing="$missing $lib"
	done
	[ -z "$missing" ] && exit 0
	echo "missing:$missing" >&2
	echo "Please install: a C compiler, meson 1.0, ninja, pkg-config, git 2.39, and the headers of" >&2
	echo "OpenSSL 3, libzstd, libxxhash, jansson and zlib (python3 with numpy for the demo and tests)." >&2
	exit 1
fi

missing=
for p in $packages; do
	[ "$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null)" = "install ok installed" ] || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "run as root: apt-get install$missing" >&2; exit 1; }
	root=sudo
fi
# shellcheck disable=SC2086
$root apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
	$root apt-get update -q >/dev/null
	# shellcheck disable=SC2086
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null
}
