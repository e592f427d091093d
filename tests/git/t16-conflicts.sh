#!/bin/sh
# Conflicts tensor by tensor: what the worktree has, how they are settled, and every way out of them.
. "$(dirname "$0")/lib.sh"

# base t0..t7; main: t0:1 t1:1 t2:1 t7:1; side: t0:2 t1:2 t3:2. In conflict: t0 and t1.
MAIN='set=t0:1 set=t1:1 set=t2:1 set=t7:1' SIDE='set=t0:2 set=t1:2 set=t3:2'
PARTIAL='set=t0:1 set=t1:1 set=t2:1 set=t7:1 set=t3:2'
build() {
	rm -rf "$T/r"; cd "$T" && new_repo "$T/r" || return 1
	model m.safetensors seed=1; git add .; git commit -q -m base
	git switch -q -c side
	model m.safetensors seed=1 $SIDE; git commit -q -am side
	git switch -q main
	model m.safetensors seed=1 $MAIN; git commit -q -am main
	state=$(git rev-parse --absolute-git-dir)/varve
}
is() { model "$T/x" seed=1 "$@" && same m.safetensors "$(sum "$T/x")"; }
records() { ls "$state/conflicts" 2>/dev/null | wc -l; }
unmerged() { git status --porcelain | grep -q '^\(UU\|AA\) m.safetensors'; }
in_index() { # the staged version is the model in the worktree
	git cat-file -p :m.safetensors | grep -q "^sha256 $(sum m.safetensors)$"
}

build; ok "two branches that changed the same two tensors"
fails git merge --no-edit side; ok "git merge stops"
said 'CONFLICT in m.safetensors: t0: both sides changed it' && said ' t1: both'; ok "and names the tensors"
[ "$(grep -c 'varve: CONFLICT' "$T/out")" = 2 ]; ok "no others"
unmerged; ok "the file is unmerged"
is $PARTIAL; ok "the worktree has ours, and what did not conflict of theirs"
[ "$(records)" = 1 ]; ok "a record is kept"
varve status >"$T/out" 2>&1; said 'conflict  m.safetensors  2 tensors' && said '      t1: both sides changed it' && said 'varve resolve'; ok "varve status lists them"
varve status --json | python3 -c 'import json,sys; c=json.load(sys.stdin)["files"][0]["conflicts"]; assert c==[{"tensor":"t0","reason":"both-changed"},{"tensor":"t1","reason":"both-changed"}], c'
ok "also as JSON"
[ "$(status_of varve resolve)" = 1 ] && said 'm.safetensors: 2 conflicts' && said '  t0: both'; ok "varve resolve lists them"
git merge --abort; ok "git merge --abort"
is $MAIN && clean && [ "$(records)" = 0 ]; ok "leaves the model, a clean status and no record"

git merge -q --no-edit side >/dev/null 2>&1
[ "$(status_of varve resolve --theirs --tensor t0)" = 1 ]; ok "one tensor is settled"
said '1 settled, not all' && said '  t1: both' && unmerged; ok "the other is left"
is $PARTIAL set=t0:2; ok "the worktree follows"
[ "$(status_of varve resolve --tensor nothing --ours)" = 1 ] && said 'no tensor in conflict'; ok "a name that is in no conflict"
varve resolve --base --tensor t1 m.safetensors >"$T/out" 2>&1; ok "the last one"
said 'staged' && ! unmerged && in_index; ok "stages the file"
is $PARTIAL set=t0:2 set=t1:1 >/dev/null; mkmodel "$T/x" seed=1 set=t0:2 set=t2:1 set=t7:1 set=t3:2; same m.safetensors "$(sum "$T/x")"; ok "with what was chosen of each"
git commit -q --no-edit && clean && [ "$(records)" = 0 ]; ok "the commit ends it"
git notes --ref=varve-merge show "$(git rev-parse HEAD:m.safetensors)" >"$T/out" && said '^rule "t0" "theirs"$' && said '^rule "t1" "base"$'
ok "how it was merged is noted"
[ "$(varve resolve)" = "no conflicts" ]; ok "nothing is left to settle"

# Sides as a whole are those files, byte for byte.
for way in ours theirs; do
	build; git merge -q --no-edit side >/dev/null 2>&1
	varve resolve -q --$way && ! unmerged; ok "--$way settles all"
	if [ $way = ours ]; then is $PARTIAL; else mkmodel "$T/x" seed=1 $MAIN $SIDE && same m.safetensors "$(sum "$T/x")"; fi
	ok "with the other side's clean changes"
done
build; git merge -q --no-edit side >/dev/null 2>&1
varve resolve -q --method linear --set weight=1,3; ok "a method settles all"
varve cat m.safetensors t0 >"$T/got.npy" 2>/dev/null && git commit -q --no-edit && clean; ok "and is committed"
for v in main~1 side main; do git show $v:m.safetensors >/dev/null || false; done; ok "the versions are there"

# Every way out.
build; git merge -q --no-edit side >/dev/null 2>&1; git checkout -q --theirs m.safetensors; is $SIDE; ok "git checkout --theirs"
git checkout -q --ours m.safetensors; is $MAIN; ok "git checkout --ours"
varve resolve -q --theirs --tensor t0 || unmerged; mkmodel "$T/x" seed=1 $PARTIAL set=t0:2; same m.safetensors "$(sum "$T/x")"; ok "varve resolve goes on from there"
git checkout -q -m m.safetensors 2>/dev/null; is $PARTIAL && [ "$(varve resolve --json | grep -c both-changed)" = 2 ]; ok "git checkout -m begins anew"
varve resolve --json | grep -q '"tensor": *"t0"'; ok "with all conflicts"
varve resolve -q --ours --tensor t0; git -c varve.merge='* theirs' checkout -q -m m.safetensors 2>/dev/null
mkmodel "$T/x" seed=1 $MAIN $SIDE; same m.safetensors "$(sum "$T/x")"; ok "anew by a rule that settles all"
[ "$(varve resolve --json | grep -c both-changed)" = 0 ]; ok "nothing is said to be left"
varve resolve -q --ours && ! unmerged && in_index && same m.safetensors "$(sum "$T/x")"; ok "what the rule made is staged"
git checkout -q -m m.safetensors 2>/dev/null; is $PARTIAL && [ "$(varve resolve --json | grep -c both-changed)" = 2 ]; ok "and without the rule all is open again"
git reset -q --merge; is $MAIN && clean && [ "$(records)" = 0 ]; ok "git reset --merge"
git merge -q --no-edit side >/dev/null 2>&1; git reset -q --hard; is $MAIN && clean && [ "$(records)" = 0 ]; ok "git reset --hard"
git merge -q --no-edit side >/dev/null 2>&1; varve resolve -q --ours; git checkout -q -m m.safetensors 2>/dev/null; unmerged && is $PARTIAL; ok "undone after staging"
git merge --abort; is $MAIN && clean; ok "and aborted"
git merge -q --no-edit side >/dev/null 2>&1; model m.safetensors seed=9
[ "$(status_of varve resolve --ours)" = 128 ] && said 'was changed since the merge'; ok "a file that was changed since is left alone"
mkmodel "$T/x" seed=9; same m.safetensors "$(sum "$T/x")"; ok "as it is"
git add m.safetensors && git commit -q --no-edit && clean && [ "$(records)" = 0 ]; ok "git add takes it"
build; git merge -q --no-edit side >/dev/null 2>&1; rm -r "$state/conflicts"
varve status | grep -q '2 tensors'; ok "without the record the conflicts are found anew"
varve resolve -q --theirs && ! unmerged && in_index; ok "and settled"

# The commands that merge.
build; git switch -q side; fails git rebase -q main; ok "git rebase stops"
settled; unmerged && is $MAIN set=t3:2; ok "with main's, and the commit's clean tensors"
varve resolve -q --theirs && git rebase --continue >/dev/null 2>&1; ok "varve resolve --theirs, continue"
settled; mkmodel "$T/x" seed=1 $MAIN $SIDE; same m.safetensors "$(sum "$T/x")" && clean && [ "$(records)" = 0 ]; ok "the rebased model"
git reset -q --hard ORIG_HEAD; settled; fails git rebase -q main; settled; git rebase --abort; settled; is $SIDE && clean && [ "$(records)" = 0 ]; ok "git rebase --abort"
git switch -q main; fails git cherry-pick side; settled; unmerged && is $PARTIAL; ok "git cherry-pick stops"
varve resolve -q --ours --tensor t0; varve resolve -q --theirs && git cherry-pick --continue >/dev/null 2>&1; ok "settled, continue"
settled; mkmodel "$T/x" seed=1 $PARTIAL set=t1:2; same m.safetensors "$(sum "$T/x")" && clean; ok "the picked model"
model m.safetensors seed=1 $PARTIAL set=t0:7 set=t1:7; git commit -q -am later
fails git revert --no-edit HEAD~1; settled; unmerged && varve resolve | grep -q ' t1:'; ok "git revert stops"
git revert --abort; settled; is $PARTIAL set=t0:7 set=t1:7 && clean && [ "$(records)" = 0 ]; ok "git revert --abort"
model m.safetensors seed=1 $PARTIAL set=t0:8 set=t1:7; git stash -q
model m.safetensors seed=1 $PARTIAL set=t0:9 set=t1:7; git commit -q -am 'once more'
fails git stash pop; unmerged && is $PARTIAL set=t0:9 set=t1:7; ok "git stash pop stops"
varve resolve -q --theirs; mkmodel "$T/x" seed=1 $PARTIAL set=t0:8 set=t1:7; same m.safetensors "$(sum "$T/x")"; ok "the stashed tensor is taken"
git stash drop -q; git reset -q --hard; is $PARTIAL set=t0:9 set=t1:7 && clean; ok "and dropped"

# Names that git quotes, named from the folder they are in; a merge that is only shown.
build; mkdir 'sub dir'; odd='sub dir/a "b".safetensors'; model "$odd" seed=1; git add .; git commit -q -m odd; git switch -q -c left; model "$odd" seed=1 set=t0:1; git commit -q -am left
git switch -q -c right HEAD~1; model "$odd" seed=1 set=t0:2; git commit -q -am right; fails git merge --no-edit left
cd 'sub dir' && varve resolve -q --theirs ./*; ok "a name with quotes, in a folder"
cd "$T/r" && git commit -q --no-edit && mkmodel "$T/x" seed=1 set=t0:1 && same "$odd" "$(sum "$T/x")" && clean; ok "is settled"
git log -1 --remerge-diff --stat >"$T/out" 2>&1; said 'CONFLICT in sub dir' && [ "$(records)" = 0 ]; ok "git log --remerge-diff shows the conflict and leaves no record"

# Without a worktree, and for show.
build; before=$(records)
fails git merge-tree --write-tree main side; said 'CONFLICT in m.safetensors: t0'; ok "git merge-tree tells the conflict"
tree=$(git merge-tree --write-tree main side 2>/dev/null | head -1); git cat-file -p "$tree:m.safetensors" >"$T/text"; varve checkout -q; mkmodel "$T/x" seed=1 $PARTIAL
grep -q "^sha256 $(sum "$T/x")$" "$T/text"; ok "its tree has ours and the rest merged"
[ "$(records)" = "$before" ]; ok "no record is kept"
git clone -q --bare . "$T/bare.git" && varve --help >/dev/null; git -C "$T/bare.git" config attr.tree HEAD
( cd "$T/bare.git" && varve init -q 2>/dev/null; cp -r ../r/.git/varve . 2>/dev/null; echo '*.safetensors filter=varve merge=varve' >info/attributes
for k in driver recursive; do git config merge.varve.$k "$(git -C ../r config merge.varve.$k)"; done
git merge-tree --write-tree main side >"$T/out" 2>&1 )
said 'CONFLICT in m.safetensors: t0'; ok "also in a bare repository"
git worktree add -q "$T/linked" -b linked main >/dev/null 2>&1; cd "$T/linked"; fails git merge --no-edit side; unmerged && is $PARTIAL; ok "a linked worktree has its own conflict"
[ "$(records)" = 0 ] && ls "$(git rev-parse --git-dir)/varve/conflicts" | grep -q .; ok "and its own record"
varve resolve -q --theirs && git commit -q --no-edit && clean; ok "settled there"
cd "$T/r"; git worktree remove --force "$T/linked"
rm -rf "$T/bare.git"

# Worktrees that merge at once keep all their notes; one that cannot be written is no reason to stop.
build
for i in 1 2 3 4; do git switch -q -c s$i side~1; model m.safetensors seed=1 set=t0:$i; git commit -q -am s$i; git worktree add -q -b o$i "$T/w$i" side~1; ( cd "$T/w$i" && model m.safetensors seed=1 set=t0:9$i set=t1:$i; git commit -q -am o$i ); done
for i in 1 2 3 4; do ( cd "$T/w$i" && exec git -c varve.merge='* theirs' merge -q --no-edit s$i >/dev/null 2>&1 ) & done; wait
for i in 1 2 3 4; do git notes --ref=varve-merge show "$(git rev-parse o$i:m.safetensors)" || false; done >/dev/null 2>&1 && [ "$(git notes --ref=varve-merge list | wc -l)" = 4 ]; ok "four worktrees that merge at once: four notes"
for i in 1 2 3 4; do git worktree remove --force "$T/w$i"; done
build; git update-ref refs/notes/varve-merge/origin HEAD
git -c varve.merge='* theirs' merge -q --no-edit side >"$T/out" 2>&1; ok "a merge whose note cannot be written"
said 'git notes:' && mkmodel "$T/x" seed=1 $MAIN $SIDE && same m.safetensors "$(sum "$T/x")"; ok "is made, with a warning"
git reset -q --hard HEAD~1; fails git merge --no-edit side; varve resolve --ours >"$T/out" 2>&1; ok "so is one by hand"
said 'git notes:' && ! unmerged && in_index; ok "which is staged"

# One version is the model itself, from somebody without varve: the files behind it are settled.
build; model z.safetensors seed=1; git add .; git commit -q -m z; git switch -q -c far side~1; model z.safetensors seed=1 set=t0:5; git add .; model m.safetensors seed=1 set=t0:6; git commit -q -am far; git switch -q main
model z.safetensors seed=1 set=t0:4; git commit -q -am z2
mkmodel "$T/raw" seed=1 set=t0:9; git update-index --cacheinfo "100644,$(git hash-object -w --no-filters "$T/raw"),m.safetensors"; git commit -q -m raw; git reset -q --hard
fails git merge --no-edit far; [ "$(status_of varve resolve)" = 1 ] && said 'm.safetensors: ours' && said 'z.safetensors: '; ok "varve resolve lists what it can"
[ "$(status_of varve resolve --theirs)" = 1 ] && said 'z.safetensors: 1 settled, staged' && unmerged; ok "and settles it"
[ "$(status_of varve resolve --theirs m.safetensors)" = 128 ]; ok "by name it is refused"
git reset -q --hard

# A commit of what nobody has decided.
build; git merge -q --no-edit side >/dev/null 2>&1; git commit -q -a -m oops >"$T/out" 2>&1; ok "git commit -a in a conflict"
said "m.safetensors: 2 conflicts are committed as ours" && said "git checkout -m -- m.safetensors"; ok "is warned of, with the way back"
git checkout -q -m -- m.safetensors 2>/dev/null && unmerged && varve resolve -q --theirs && git commit -q --amend --no-edit >"$T/out" 2>&1; ok "which works"
! said 'undecided' >/dev/null && mkmodel "$T/x" seed=1 $MAIN $SIDE && same m.safetensors "$(sum "$T/x")" && clean; ok "and has what was chosen"
git reset -q --hard HEAD~1; git merge -q --no-edit side >/dev/null 2>&1; varve resolve -q --ours; git commit -q --no-edit >"$T/out" 2>&1; ! said undecided >/dev/null; ok "ours by choice is no reason to warn"

# All that has no rules: removed and changed, added twice, metadata, another format.
build; git switch -q -c gone side~1; model m.safetensors seed=1 drop=t0 set=new:1 meta=a; git commit -q -am gone
git switch -q -c changed side~1; model m.safetensors seed=1 set=t0:5 set=new:2 meta=b; git commit -q -am changed
fails git merge --no-edit gone; said 't0: changed here, removed there' && said 'new: both sides added it' && said '(metadata): both'; ok "removed, added and metadata"
is set=t0:5 set=new:2 meta=b; ok "ours stays"
varve resolve -q --theirs --tensor t0; varve resolve --base --tensor new >/dev/null
[ "$(varve resolve --json | grep -c '"(metadata)"')" = 1 ]; ok "the metadata is left"
varve resolve -q --tensor '(meta*' --theirs && mkmodel "$T/x" seed=1 drop=t0 meta=a && same m.safetensors "$(sum "$T/x")"; ok "all of it as chosen"
git reset -q --hard; git switch -q -c plain side~1; head -c 5000 /dev/urandom >m.safetensors; touch -d '10 seconds ago' m.safetensors; git commit -q -am plain; s=$(sum m.safetensors)
fails git merge --no-edit gone; said '(file): this file can only be taken as a whole'; ok "a file that is no model"
same m.safetensors "$s"; ok "ours stays whole"
[ "$(status_of varve resolve --base)" = 1 ]; ok "its base is no choice"
varve resolve -q --theirs; is drop=t0 set=new:1 meta=a && ! unmerged; ok "theirs is"
git reset -q --hard; git switch -q -c removed side~1; git rm -q m.safetensors; git commit -q -m removed
fails git merge --no-edit gone; varve resolve >"$T/out" 2>&1; said 'one side has no such file'; ok "a file that one side removed is git's affair"
[ "$(status_of varve resolve --ours m.safetensors)" = 128 ]; ok "and refused by name"
git reset -q --hard

# git's other hash, and nobody's name.
rm -rf "$T/r"; cd "$T" && new_repo "$T/r" --object-format=sha256; state=$(git rev-parse --absolute-git-dir)/varve
model m.safetensors seed=1; git add .; git commit -q -m base; git switch -q -c side; model m.safetensors seed=1 $SIDE; git commit -q -am side
git switch -q main; model m.safetensors seed=1 $MAIN; git commit -q -am main
fails git merge --no-edit side; unmerged && is $PARTIAL; ok "a repository of SHA-256 has the same conflicts"
varve resolve -q --theirs --tensor t0; ( unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL; git config user.useConfigOnly true; varve resolve -q --method linear; r=$?; git config --unset user.useConfigOnly; exit $r ); ok "settled where git knows no author"
git commit -q --no-edit && clean && varve merge -q --verify HEAD:m.safetensors; ok "and noted"

# Bad words.
for words in '--ours --theirs' '--method exec' '--method slerp' '--set t=1' '--tensor a' '--method linear --set t=1' '--ours -m linear'; do
	[ "$(status_of varve resolve $words)" = 129 ]; ok "varve resolve $words"
done
[ "$(status_of varve resolve --ours nothing.safetensors)" = 128 ] && said 'no conflict'; ok "a file that is in none"

# One tensor, two new names; a new name, and none.
newname() { LC_ALL=C sed "s/\"$1\"/\"$2\"/" m.safetensors >"$T/m" && touch -d '10 seconds ago' "$T/m" && mv "$T/m" m.safetensors; }
has() { varve show --json m.safetensors | grep -q "\"$1\""; }
rm -rf "$T/r"; cd "$T" && new_repo "$T/r"; model m.safetensors n=3; git add .; git commit -q -m base
git switch -q -c side; newname t0 v0; git commit -q -am side; git switch -q -c gone main; model m.safetensors n=3 drop=t0; git commit -q -am gone
git switch -q main; newname t0 u0; git commit -q -am main
fails git merge --no-edit side && said 'CONFLICT in m.safetensors: u0: renamed on one side, renamed otherwise' && said ' t0: renamed' && said ' v0: renamed'; ok "renamed on both sides: a conflict"
varve status --json | grep -q '"renamed"'; ok "as JSON"
varve resolve -q --theirs && has v0 && ! has u0 && ! has t0; ok "theirs takes their name"
git merge --abort; git merge -q --no-edit side >/dev/null 2>&1; varve resolve -q --base && has t0 && ! has u0 && ! has v0; ok "the base the old one"
git merge --abort; fails git merge --no-edit gone && has u0; ok "renamed and removed: a conflict"
varve resolve -q --theirs && ! has u0; ok "theirs removes it"
plan_end
