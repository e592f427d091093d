#!/bin/sh
# Prints a python3 that has these modules. The first one in PATH need not be the system's own.
# usage: python.sh [MODULE...]
for p in "${PYTHON:-python3}" /usr/bin/python3; do
	for m; do
		"$p" -c "import $m" >/dev/null 2>&1 || continue 2
	done
	command -v "$p" && exit 0
done
echo "no python3 with $*; on Debian: apt-get install python3-numpy" >&2
exit 1
