#!/bin/sh
# What diff measured is kept beside the store: answers without weights, and a cache that may be lost.
. "$(dirname "$0")/lib.sh"
stats=.git/varve/stats
file() { ls $stats; }
files() { n_files=$(ls $stats 2>/dev/null | wc -l); [ "$n_files" = "$1" ] || { echo "# $n_files files, not $1"; false; }; }

new_repo "$T/r"; model m.safetensors n=1000 elems=16; git add .; git commit -q -m one; git tag v1
model m.safetensors n=1000 elems=16 set=t1:7 set=t500:3 set=t999:5 drop=t4; git add .; git commit -q -m two; git tag v2
out varve diff --stat v1 v2; files 0; ok "--stat measures nothing, and keeps nothing"
out varve diff v1 v2; cp "$T/out" "$T/text"; out varve diff --json v1 v2; cp "$T/out" "$T/json"; files 1; ok "one file for two versions"
mv .git/varve/packs "$T/packs"; mkdir .git/varve/packs
out varve diff v1 v2 && cmp -s "$T/out" "$T/text" && [ ! -s "$T/err" ] && out varve diff --json v1 v2 && cmp -s "$T/out" "$T/json"; ok "the same without a byte of weights"
out varve diff v1 v2 --tensor t500 && said ': 1 of 1 tensors changed$' && said 't500 .*e[+-]' && [ ! -s "$T/err" ]; ok "a part of it too"
out varve diff v1 v2 --markdown - && said 't999' && out varve diff v1 v2 --html "$T/r.html" && [ ! -s "$T/err" ] && ! grep -q '<figure>' "$T/r.html" && grep -q 't500' "$T/r.html"; ok "reports as well, a page without histograms"
out varve diff v2 v1 && err 'compared by name only'; ok "the other way round is another pair"
out varve diff --exact v1 v2 && err 'compared by name only' && files 1; ok "--exact wants the weights"
rmdir .git/varve/packs; mv "$T/packs" .git/varve/packs

printf 'x' | dd of=$stats/"$(file)" bs=1 seek=200 conv=notrunc 2>/dev/null; cp $stats/"$(file)" "$T/bad"
out varve diff v1 v2 && cmp -s "$T/out" "$T/text" && files 1 && ! cmp -s $stats/"$(file)" "$T/bad"; ok "a damaged file is measured again, and written anew"
: >$stats/"$(file)"; out varve diff v1 v2 && cmp -s "$T/out" "$T/text" && [ -s $stats/"$(file)" ]; ok "an empty one too"
cp $stats/"$(file)" "$T/good"; rm -r $stats; out varve diff v1 v2 --tensor t1; out varve diff v1 v2 --tensor 't[59]*'; files 1 && out varve diff v1 v2 && cmp -s "$T/out" "$T/text" && cmp -s $stats/"$(file)" "$T/good"; ok "part by part it becomes the same file"
out varve diff --exact v1 v2 --tensor t1; mv .git/varve/packs "$T/packs"; mkdir .git/varve/packs; out varve diff v1 v2 && cmp -s "$T/out" "$T/text" && [ ! -s "$T/err" ]; ok "--exact of a part keeps the rest"
rmdir .git/varve/packs; mv "$T/packs" .git/varve/packs
rm -r $stats; for i in 1 2 3 4; do varve diff v1 v2 >"$T/p$i" & done; wait; for i in 1 2 3 4; do cmp -s "$T/p$i" "$T/text" || break; done && files 1 && cmp -s $stats/"$(file)" "$T/good"; ok "four at once"
rm -r $stats; : >$stats; out varve diff v1 v2 && cmp -s "$T/out" "$T/text"; ok "where nothing can be kept"; rm $stats
out varve diff v1 v2; : >$stats/.varve-tmp-left; : >$stats/notes
out varve gc --dry-run --grace now && [ -e $stats/.varve-tmp-left ] && out varve gc --grace now && files 2 && [ ! -e $stats/.varve-tmp-left ] && [ -e $stats/notes ]; ok "gc keeps what versions need, and clears what a dead writer left"
rm $stats/notes
git tag -d v2 >/dev/null; git reset -q --hard v1; git reflog expire --expire=now --all; git prune --expire=now; out varve gc --grace now; files 0; ok "gc removes what speaks of objects that are gone"
cp m.safetensors "$T/a.safetensors"; cd "$T"; model b.safetensors n=1000 elems=16 set=t1:9; out varve diff --no-index a.safetensors b.safetensors && said '1 of 1000' && [ ! -e stats ] && [ ! -e varve ]; ok "outside of git nothing is kept"
git init -q "$T/e"; cd "$T/e"; out varve diff --no-index ../a.safetensors ../b.safetensors && said '1 of 1000' && [ ! -e .git/varve ]; ok "nor in a repository without a store"
plan_end
