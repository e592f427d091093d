#!/bin/sh
# Rules of merging: where they come from, which one is followed, what they make; merge bases that are several; octopus.
. "$(dirname "$0")/lib.sh"

# t0, t1: changed on both sides; t7 by main, t3 by side alone.
build() {
	rm -rf "$T/r"; cd "$T" && new_repo "$T/r" || return 1
	model m.safetensors dtype=F32 elems=64 seed=1; git add .; git commit -q -m base; git tag base
	git switch -q -c side
	model m.safetensors dtype=F32 elems=64 seed=1 set=t0:2 set=t1:2 set=t3:2; git commit -q -am side
	git switch -q main
	model m.safetensors dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:1; git commit -q -am main; git tag start
}
again() { git reset -q --hard start; git config --unset-all varve.merge; git config --remove-section varve-merge.soup 2>/dev/null; git checkout -q start .gitattributes; }
is() { mkmodel "$T/x" dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:1 set=t3:2 "$@" && same m.safetensors "$(sum "$T/x")"; }
merge() { git "$@" merge -q --no-edit side >"$T/out" 2>&1; }
# A tensor of the merge is that of `varve merge` with the same words.
made() { # made TENSOR WORDS: with a base when the words have one
	t=$1; shift
	git show start:m.safetensors >/dev/null && varve merge -q "$@" -o "$T/want.safetensors" start:m.safetensors side:m.safetensors &&
	varve cat --raw "$T/want.safetensors" "$t" -o "$T/a" -q && varve cat --raw m.safetensors "$t" -o "$T/b" -q && cmp -s "$T/a" "$T/b"
}
note() { git notes --ref=varve-merge show "HEAD:m.safetensors" >"$T/out" 2>&1; }

build; merge -c varve.merge='* linear'; ok "a rule for one merge: linear"
made t0 -m linear && made t1 -m linear; ok "both tensors are what varve merge makes"
clean; ok "clean"
note && said '^rule "\*" "linear"$' && ! grep -q '^left' "$T/out"; ok "noted on the manifest"
varve merge --verify HEAD:m.safetensors >"$T/out" 2>&1 && said 'bit for bit what its merge makes'; ok "and made again from the note"
varve merge --verify m.safetensors --json | tr -d ' \n' | grep -q '"same":true,"method":"three-way","varve":null,"inputs":\[{"path":"ours"'; ok "also by the worktree's file"
git notes --ref=varve-merge show HEAD:m.safetensors | sed 's/"linear"/"linear weight=1,2"/' >"$T/note"
git notes --ref=varve-merge add -f -C "$(git hash-object -w "$T/note")" "$(git rev-parse HEAD:m.safetensors)" 2>/dev/null
[ "$(status_of varve merge --verify HEAD:m.safetensors)" = 1 ] && said 'not what its merge makes'; ok "another rule makes another model"
again; merge -c varve.merge='t0 linear weight=0.3,0.7' -c varve.merge='* theirs'; ok "two rules"
made t0 -m linear --weight 0.3,0.7; ok "weights for ours and theirs"
mkmodel "$T/w" dtype=F32 elems=64 seed=1 set=t1:2; varve cat --raw "$T/w" t1 -o "$T/a" -q; varve cat --raw m.safetensors t1 -o "$T/b" -q; cmp "$T/a" "$T/b"; ok "the rest is theirs"
for how in 'slerp t=0.4|-m slerp -t 0.4' 'nuslerp weight=1,2|-m nuslerp --weight 1,2' 'ties density=0.5|-m ties -b base:m.safetensors --density 0.5' \
	'dare_ties density=0.5 seed=3|-m dare_ties -b base:m.safetensors --density 0.5 --seed 3' 'task_arithmetic lambda=0.5|-m task_arithmetic -b base:m.safetensors --lambda 0.5' \
	'model_stock|-m model_stock -b base:m.safetensors' 'sce select_topk=0.5|-m sce -b base:m.safetensors --set select_topk=0.5' 'karcher|-m karcher'; do
	again; merge -c varve.merge="* ${how%%|*}" && made t0 ${how#*|} && made t1 ${how#*|}; ok "${how%%|*}"
done
again; git config --add varve.merge 't0 ours'; merge -c varve.merge='t* theirs'; is set=t0:2 set=t1:2; ok "the command line comes before the repository"
again; git config --add varve.merge 't0 ours'; git config --global varve.merge '* theirs'; merge; is set=t1:2; ok "the repository before the user"
git config --global --unset-all varve.merge
again; git config --add varve.merge 't0 base'; git config --add varve.merge 't* ours'; merge; mkmodel "$T/x" dtype=F32 elems=64 seed=1 set=t1:1 set=t7:1 set=t3:2; same m.safetensors "$(sum "$T/x")"; ok "the first that matches"
again; merge -c varve.merge='sub/*//* ours' -c varve.merge='*.safetensors//* theirs'; is set=t0:2 set=t1:2; ok "only such files"

attr() { echo "*.safetensors $1" >>.gitattributes; git commit -q -am attr; }
again; attr varve-merge=theirs; merge; is set=t0:2 set=t1:2; ok "an attribute: theirs"
again; attr varve-merge=linear; merge; made t0 -m linear; ok "an attribute: a method"
again; attr varve-merge=soup; git config --add varve-merge.soup.tensor 't0 theirs'; git config --add varve-merge.soup.tensor '* ours'; merge; is set=t0:2; ok "an attribute: a section"
again; attr varve-merge=theirs; git config varve.merge 't0 ours'; merge; is set=t1:2; ok "the configuration before the attribute"
again; attr -varve-merge; git config varve.merge '* ours'; merge; [ $? = 1 ] && said 't0: both'; ok "unset: no rules at all"
again; attr varve-merge=none; fails merge; said "attribute varve-merge: no method 'none'"; ok "a name that means nothing is told"
again; attr 'varve-merge=$(touch${IFS}/tmp/x)'; fails merge; said 'neither a method nor'; ok "nothing of it is ever run"
again; fails merge -c varve.merge='* slerp'; said 'varve.merge: slerp needs the parameter t'; ok "a rule that lacks a parameter"
git status --porcelain | grep -q '^UU'; ok "is a conflict"
git config varve.merge '* nothing'; varve status | grep -q 't0: both'; ok "which is listed all the same, be the configuration wrong"
varve resolve -q --ours && is && git commit -q --no-edit; ok "and settled"
git reset -q --hard start; git switch -q -c apart base; model m.safetensors dtype=F32 elems=64 seed=1 set=t6:1; git commit -q -am apart
git merge -q --no-edit side >/dev/null 2>&1; ok "a merge without conflicts asks no rule"
git switch -q main
again; merge -c varve.merge='t0 theirs'; [ $? = 1 ] && ! grep -q 't0:' "$T/out" && said 't1: both'; ok "what no rule matches is left"
varve resolve -q --method linear; made t1 -m linear && git commit -q --no-edit && note && said '"t0" "theirs"' && said '"\*" "linear"' && varve merge -q --verify HEAD:m.safetensors; ok "settled by hand, both are noted"

again; git config varve.merge 't0 theirs'; merge; said "m.safetensors: 1 conflict settled by the rule 't0 theirs' (varve.merge, local)"; ok "what a rule settled is told"
again; attr varve-merge=theirs; merge; said "2 conflicts settled by the rule '\* theirs' (the attribute varve-merge)"; ok "of an attribute, too"

# Attributes come with branches: another one's decide nothing.
git reset -q --hard start; git switch -q -c evil side; echo '*.safetensors varve-merge=ours' >>.gitattributes; git commit -q -am evil; git switch -q main
fails git rebase -q evil; settled; said 'varve-merge=ours is not of your side before this: not followed'; ok "a rebase does not follow the other branch's attribute"
varve resolve >"$T/out" 2>&1; said 't0: both'; ok "there are conflicts"
rm -rf .git/varve/conflicts; varve resolve >"$T/out" 2>&1; said 't0: both'; ok "without the record, too"
varve resolve -q --theirs && git rebase --continue >/dev/null 2>&1; settled; is; ok "the commit is not lost"
! ls .git/varve/attributes.* >/dev/null 2>&1; ok "no index stays behind"
git reset -q --hard start; fails git merge --no-edit evil; rm -rf .git/varve/conflicts
varve resolve >"$T/out" 2>&1; said 't0: both'; ok "varve resolve does not follow a merged branch's"
git checkout -q -m m.safetensors >"$T/out" 2>&1; said 'not followed' && varve resolve | grep -q 't0: both'; ok "nor does git checkout -m"
git merge --abort; git reset -q --hard base; attr varve-merge=ours; git cherry-pick start >/dev/null 2>&1; settled
git rebase -q evil >"$T/out" 2>&1; settled; said "2 conflicts settled by the rule .* ours"; ok "what both sides say is followed"
git reset -q --hard start; git clean -fdq

# A rule that does not fit; numbers that are none.
again; python3 - <<'P'
import struct, json
d = open('m.safetensors', 'rb').read(); n = struct.unpack('<Q', d[:8])[0]; h = json.loads(d[8:8+n]); o = h['t0']['data_offsets'][0]
d = bytearray(d); d[8+n+o:8+n+o+4] = struct.pack('<f', float('nan')); open('new', 'wb').write(d)
P
touch -d '10 seconds ago' new; mv new m.safetensors; git commit -q -am nan
fails merge -c varve.merge='* linear'; said 'NaN' && said 't0: both'; ok "a NaN makes a conflict, and is told"
varve resolve -q --theirs --tensor t0; varve resolve -q --method linear --tensor t1 && git commit -q --no-edit && clean; ok "it is settled like any other"
note && said '^rule "t0" "theirs"$' && said '^rule "t1" "linear"$' && varve merge -q --verify HEAD:m.safetensors; ok "without the rule that did not fit"
nan() { git reset -q --hard HEAD^1; merge "$@"; }
nan -c varve.merge='* linear' -c varve.merge='t0 theirs'; [ $? = 1 ] && ! grep -q 't0: both' "$T/out" && said 't1: both'; ok "the next rule is asked"
git merge --abort; clean; ok "and can be aborted"
put() { python3 - "$1" <<'P'
import struct, json, sys
d = open('m.safetensors', 'rb').read(); n = struct.unpack('<Q', d[:8])[0]; h = json.loads(d[8:8+n]); o = h['t0']['data_offsets'][0]
d = bytearray(d); d[8+n+o:8+n+o+4] = struct.pack('<f', float(sys.argv[1])); open('new', 'wb').write(d)
P
touch -d '10 seconds ago' new; mv new m.safetensors; git commit -q -am "put $1"; }
git reset -q --hard start; put inf; git switch -q -c minus side; put -inf; git switch -q main
fails git -c varve.merge='* linear' merge --no-edit minus; said 't0.: linear makes a NaN' && said 't0: both'; ok "so does a NaN that merging would make"
git merge --abort; clean; ok "nothing of it is kept"

# Several merge bases: each side merged the other, and settled t0 its own way.
build; git branch other side
merge -c varve.merge='t0 ours' -c varve.merge='t1 ours'; git tag m1
git switch -q other; git -c varve.merge='t0 ours' -c varve.merge='t1 theirs' merge -q --no-edit start >/dev/null 2>&1; git tag m2
git merge-base --all m1 m2 | wc -l | grep -q 2; ok "two merge bases"
fails git merge --no-edit m1; said 't0: both' && ! grep -q 't1:\|t3:\|t7:' "$T/out"; ok "criss-cross: what was settled differently conflicts, nothing else"
git merge --abort
git switch -q -c a m1; model m.safetensors dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:5 set=t3:2; git commit -q -am a
git switch -q -c c side; git -c varve.merge='* theirs' merge -q --no-edit start >/dev/null 2>&1; model m.safetensors dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:1 set=t3:6; git commit -q -am c
git switch -q a; git merge -q --no-edit c >"$T/out" 2>&1; ok "criss-cross: later changes of different tensors do not"
mkmodel "$T/x" dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:5 set=t3:6; same m.safetensors "$(sum "$T/x")" && clean; ok "and both are there"

# Octopus.
build; git switch -q -c p base; model p.safetensors seed=3; git add .; git commit -q -m p
git switch -q -c q base; model q.safetensors seed=4; git add .; git commit -q -m q
git switch -q main; git merge -q --no-edit p q >/dev/null 2>&1; ok "an octopus of different files"
[ "$(git rev-list --parents -1 HEAD | wc -w)" = 4 ] && mkmodel "$T/x" seed=4 && same q.safetensors "$(sum "$T/x")" && clean; ok "has three parents, and the models"
git switch -q -c u base; model m.safetensors dtype=F32 elems=64 seed=1 set=t4:4; git commit -q -am u
git switch -q -c v base; model m.safetensors dtype=F32 elems=64 seed=1 set=t5:5; git commit -q -am v
git switch -q main; before=$(sum m.safetensors); fails git merge --no-edit u v; said 'octopus\|strateg'; ok "one of the same model is refused by git"
same m.safetensors "$before" && clean; ok "the model is as it was"
git merge -q --no-edit u >/dev/null 2>&1 && git merge -q --no-edit v >/dev/null 2>&1 && mkmodel "$T/x" dtype=F32 elems=64 seed=1 set=t0:1 set=t1:1 set=t7:1 set=t4:4 set=t5:5 && same m.safetensors "$(sum "$T/x")"; ok "one after the other works"

# Only what the result has is read: a clone that never had the base, nor what is not taken.
build; cd "$T"; git clone -q r c 2>/dev/null && cd c && git config core.fsync none; varve init -q; git checkout -q origin/side 2>/dev/null; git checkout -q -B main origin/main
mv "$T/r" "$T/r.away"
base=$(git show base:m.safetensors | sed -n 's/^tensor "t7" f32 \[64\] //p'); fails varve cat "base:m.safetensors" t7 -o "$T/n.npy"; ok "the base's tensor is not on this machine"
git -c varve.merge='* ours' merge -q --no-edit origin/side >/dev/null 2>&1; ok "a merge without it"
is && clean; ok "is right"
mv "$T/r.away" "$T/r"
plan_end
