#!/bin/sh
# Files that are all numbers, without a header: a next version costs what changed, and what is there twice is kept once.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
varve track -q '*.data'
# numbers FILE SCALE PART...: f32, each part of 100000 drawn from its seed, every number times SCALE
numbers() {
	python3 - "$@" <<'P'
import array, random, sys
out, scale = array.array("f"), float(sys.argv[2])
for seed in sys.argv[3:]:
    r = random.Random(int(seed))
    out.extend(r.gauss(0, 0.02) * scale for _ in range(100000))
open(sys.argv[1], "wb").write(out.tobytes())
P
}
disk() { varve du --json >"$T/du" && python3 -c "import json; print(json.load(open('$T/du'))['disk'])"; }

numbers w.data 1 1 2 3; git add . && git commit -q -m one; one=$(sum w.data); first=$(disk)
git show HEAD:w.data | grep -q '^format floats$'; ok "the format is told"
git show HEAD:w.data | grep -q '^tensor "at 0" f32 \[300000\] '; ok "and the numbers"
status_is 0 varve show w.data && said '300,000 parameters'; ok "show"
numbers w.data 1.0001 1 2 3; git commit -q -am two; two=$(sum w.data); second=$(disk)
[ $(((second - first) * 10)) -lt $((first * 7)) ] || { echo "# $first, then $((second - first))"; false; }; ok "all of them a little different: less than seven tenths"
out varve diff HEAD~1 HEAD; said '^w.data: 1 of 1 tensors changed' && said '^  changed  at 0  *f32 \[300000\]'; ok "diff"
rm w.data; git checkout -q HEAD~1 -- w.data; [ "$(sum w.data)" = "$one" ]; ok "the first comes back"
git checkout -q HEAD -- w.data; [ "$(sum w.data)" = "$two" ]; ok "and the second"
before=$(disk); cp w.data copy.data; numbers twice.data 1.0001 1 2 3 2 1 3; git add .; git commit -q -m three; twice=$(sum twice.data)
[ $((($(disk) - before) * 10)) -lt $((first * 11)) ]; ok "a copy costs nothing, and twice in another order costs once"
rm twice.data copy.data; git checkout -q -- .; [ "$(sum twice.data)" = "$twice" ] && [ "$(sum copy.data)" = "$two" ]; ok "they come back"
status_is 0 varve fsck; ok "fsck"

# What looks like anything else is bytes.
head -c 300000 /dev/urandom >noise.data; python3 -c "print(' '.join(str(i * 7919 % 10007) for i in range(60000)))" >text.data
python3 -c "import array; open('tokens.data', 'wb').write(array.array('i', [i * 7919 % 50257 for i in range(90000)]).tobytes())"
git add . && git commit -q -m bytes
for f in noise text tokens; do git show HEAD:$f.data | grep -q '^format opaque$'; ok "$f is bytes"; done
plan_end
