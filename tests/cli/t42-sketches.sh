#!/bin/sh
# What is measured after a commit, and what is estimated from sketches of any two versions.
. "$(dirname "$0")/lib.sh"
bare() { mv .git/varve/packs "$T/packs"; mkdir .git/varve/packs; }
back() { rmdir .git/varve/packs; mv "$T/packs" .git/varve/packs; }
kept() { # kept STATS SKETCHES: so many files
	a=$(ls .git/varve/stats 2>/dev/null | wc -l) b=$(ls .git/varve/sketches 2>/dev/null | wc -l)
	[ "$a $b" = "$1 $2" ] || { echo "# $a and $b files, not $1 and $2"; false; }
}

new_repo "$T/r"
model m.safetensors n=4 elems=70000; git add .; git commit -q -m one; git tag v1; kept 0 0; ok "nothing is measured when it is switched off"
varve measure; kept 0 1; ok "of a first commit there is a sketch"
model m.safetensors n=4 elems=70000 set=t1:7 set=t3:9; git commit -q -am two; git tag v2; varve measure; kept 1 2; ok "of a second also the numbers"
model m.safetensors n=4 elems=70000 set=t1:7 set=t3:4 set=t2:5; git commit -q -am three; git tag v3; varve measure; kept 2 3; ok "and of a third"
rm -r .git/varve/stats; varve diff --json v1 v3 >"$T/e0"; cp -r .git/varve/sketches "$T/sketches"
out varve diff --json --exact v1 v3; cp "$T/out" "$T/exact"; rm -r .git/varve/stats
bare
out varve diff --json v1 v3 && cmp -s "$T/out" "$T/e0" && [ ! -s "$T/err" ]; ok "versions that are no parent and child: without weights"
python3 - "$T/out" "$T/exact" <<'P'; ok "estimates within three of their errors, and said to be such"
import json, sys
a, b = (json.load(open(p))["files"][0]["items"] for p in sys.argv[1:])
assert [i["name"] for i in a] == ["t1", "t2", "t3"] == [i["name"] for i in b]
for x, y in zip((i["delta"] for i in a), (i["delta"] for i in b)):
    assert x["estimated"] is True and y["estimated"] is False and "cosine_error" not in y
    assert abs(x["relative_l2"] - y["relative_l2"]) < 3 * x["relative_l2_error"] < 0.2 * y["relative_l2"], (x, y)
    assert abs(x["cosine"] - y["cosine"]) < 3 * x["cosine_error"]
    assert x["changed"] is x["max_abs"] is x["sign_flips"] is x["stable_rank"] is None and y["changed"] > 0
    assert abs(x["norm_old"] - y["norm_old"]) < 1e-9 * y["norm_old"] and x["zeros_new"] == y["zeros_new"]
P
out varve diff v1 v3 && said 't1  *BF16 \[70000\]  *~1\.[34][0-9]e+00 ±[0-9]e-02  *~-\?0\.[0-9]* ±[0-9]e-02  *-  *-  *-  *-$\|t1  *bf16' && said 'most changed: t[123] (~1'; ok "the table shows them with their errors"
out varve diff --layers v1 v3 && said '~' && said '±'; ok "so do layers"
out varve diff --json --layers v1 v3; json 'all(l["estimated"] and l["relative_l2_error"] > 0 and l["max_abs"] is None and l["changed_elements"] is None for l in d["files"][0]["layers"])'; ok "in JSON too"
out varve diff v1 v3 --markdown - && said '~1' && said '±' && said 'estimated' && out varve diff v1 v3 --html "$T/r.html" && grep -q '~1' "$T/r.html"; ok "and reports"
out varve diff v1 v2 && said '~1' && [ ! -s "$T/err" ]; ok "kept numbers that are lost: estimates"
back
out varve diff v1 v3 --exact && ! grep -q '~' "$T/out"; ok "--exact reads the weights"
out varve diff v1 v3 && ! grep -q '~' "$T/out" && kept 1 3; ok "and its numbers are kept, and shown from then on"
rm -r .git/varve/stats
for f in .git/varve/sketches/*; do printf x | dd of="$f" bs=1 seek=300 conv=notrunc 2>/dev/null; done
out varve diff v1 v3 && ! grep -q '~' "$T/out" && [ ! -s "$T/err" ]; ok "damaged sketches: the weights are read"
rm -r .git/varve/stats; varve measure; rm -rf .git/varve/sketches; out varve diff v1 v3 && ! grep -q '~' "$T/out"; ok "so are they without any"
rm -rf .git/varve/stats; : >.git/varve/sketches; : >.git/varve/stats; status_is 0 varve measure && out varve diff v2 v3 && said t3; ok "where nothing can be kept"
rm .git/varve/sketches .git/varve/stats; varve measure; kept 1 2; diff -r "$T/sketches" .git/varve/sketches | grep -q differ; [ $? = 1 ]; ok "made anew they are the same bytes"
out varve diff; [ ! -s "$T/out" ] && model m.safetensors n=4 elems=70000 set=t1:8 && out varve diff && said t1 && ! grep -q '~' "$T/out"; ok "a worktree is measured"; git checkout -q -- m.safetensors

# log, from what is kept.
rm -rf .git/varve/stats; out varve log m.safetensors; said 'tensors  *~1\.[0-9]e+00  *three$' && said '+4 tensors  *one$'; ok "log estimates from sketches"
varve measure; out varve log --names m.safetensors; said '3 of 4\|2 of 4' && said 'tensors  *1\.[0-9]e+00  *three$' && said '^    changed   t3  1\.[0-9]e+00$'; ok "log shows kept numbers, of tensors too"
out varve log --json -t t2 m.safetensors; json 'len(d["commits"]) == 2 and 1 < d["commits"][0]["relative_l2"] < 2 and d["commits"][0]["estimated"] is False and "relative_l2" not in d["commits"][1]'; ok "in JSON, of those that are asked for"
bare; out varve log m.safetensors && [ ! -s "$T/err" ] && said '1\.[0-9]e+00  *three'; ok "without a byte of weights"; back

# Small tensors are read, odd ones too.
cd "$T"; new_repo "$T/s"; model m.safetensors n=3 elems=100 set=big:1; git add .; git commit -q -m a; varve measure
model m.safetensors n=3 elems=100 set=t0:2; git commit -q -am b; varve measure; kept 1 0; ok "small tensors have no sketch"

# Shards, a directory, another name: a sketch is of contents.
cd "$T"; new_repo "$T/w"
for i in 1 2; do model model-0000$i-of-00002.safetensors n=2 elems=5000 seed=$i; done; git add .; git commit -q -m a; git tag v1; varve measure
for v in 2 3; do for i in 1 2; do model model-0000$i-of-00002.safetensors n=2 elems=5000 seed=$i set=t1:$v$i; done; git commit -q -am "v$v"; git tag v$v; varve measure; done
kept 2 6; ok "each shard has its own"
mv .git/varve/packs "$T/packs2"; mkdir .git/varve/packs; out varve diff v1 v3 && said 'model-\*' && said '~' && [ ! -s "$T/err" ]; ok "shards are compared as one"
rmdir .git/varve/packs; mv "$T/packs2" .git/varve/packs
git mv model-00001-of-00002.safetensors x.safetensors; git rm -q --cached model-00002-of-00002.safetensors; git commit -q -m renamed; out varve diff v1:model-00001-of-00002.safetensors HEAD:x.safetensors && said '~'; ok "and found under another name"

# gc and du.
cd "$T/r"; rm -r .git/varve/sketches; git checkout -q v3; varve measure; git checkout -q v1; varve measure
used=$(cat .git/varve/stats/* .git/varve/sketches/* | wc -c); out varve du --json; json "d['kept'] == $used"; ok "du counts them"
out varve du && said "^kept "; ok "in words too"
out varve gc --grace now; kept 1 3; ok "gc keeps what versions need"
git checkout -q main; git tag -d v2 v3 >/dev/null; git reset -q --hard v1; git reflog expire --expire=now --all; git prune --expire=now; out varve gc --grace now; kept 0 1; ok "and clears the rest"

# By the hook itself.
cd "$T"; new_repo "$T/h"; model m.safetensors n=4 elems=5000; git add .
VARVE_MEASURE=1 git commit -q -m one; : >"$T/want"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do [ -d .git/varve/sketches ] && [ -n "$(ls .git/varve/sketches)" ] && break; sleep 0.2; done
flock .git/varve/measure.lock true; kept 0 1; ok "a commit is measured by a process of its own"
git config varve.measure false; model m.safetensors n=4 elems=5000 set=t1:4; VARVE_MEASURE=1 git commit -q -am two; sleep 0.3; varve measure; kept 0 1; ok "not with varve.measure false"
git config --unset varve.measure
flock .git/varve/measure.lock varve measure; kept 0 1; ok "nor when one is at it"
varve measure; kept 1 2; ok "else it is"
cd "$T"; git clone -q h far; cd far; varve init -q; rm -rf .git/varve/packs .git/varve/stats .git/varve/sketches; mkdir .git/varve/packs
status_is 0 varve measure && [ -z "$(ls .git/varve/packs)" ] && kept 0 0; ok "bytes that are elsewhere are not fetched for it"
out varve diff HEAD~1 HEAD && said t1 && [ -n "$(ls .git/varve/packs)" ]; ok "as they are for whoever asks"
cd "$T"; git init -q n; cd n; git commit -q --allow-empty -m x; status_is 0 varve measure && [ ! -e .git/varve ]; ok "no store, nothing to do"
plan_end
