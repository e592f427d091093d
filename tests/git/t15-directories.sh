#!/bin/sh
# A directory tracked as one: its files follow git as a model does, and what is the user's own is never lost.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
put() { mkdir -p "$(dirname "$1")"; printf '%s\n' "$2" >"$1"; touch -d '10 seconds ago' "$1"; }
is() { [ "$(cat "$1" 2>/dev/null)" = "$2" ] || { echo "# $1 is '$(cat "$1" 2>&1)', not '$2'"; false; }; }
files() { (cd "$1" && find . -type f ! -name .varve ! -path ./.gitignore | LC_ALL=C sort | tr '\n' ' '); }
quiet() { [ -z "$(git status --porcelain)" ] || { git status --porcelain | sed 's/^/# /'; false; }; }

for i in 1 2 3 4 5; do put "d/f$i" "file $i"; put "d/sub/s$i" "sub $i"; done
: >d/empty; chmod +x d/f1; put 'd/a b"ü' odd; model d/m.safetensors seed=1 n=6
m1=$(sum d/m.safetensors)
fails varve add d/nosuch; varve track d/ >"$T/out" && said 'now keeping d/'; ok "track a directory"
varve track d/ >"$T/out" && said 'keeping d/ already'; ok "twice"
git add .gitattributes; varve add d >"$T/out" && said 'd/: 13 files'; ok "add"
[ "$(git diff --cached --name-only | tr '\n' ' ')" = '.gitattributes d/.gitignore d/.varve ' ]; ok "git gets the manifest alone"
varve add d >"$T/out" && [ ! -s "$T/out" ]; ok "again: nothing to read"
git commit -q -m one && quiet && varve status >"$T/out" && said 'the model is clean'; ok "commit"
grep -q '^file "f1" 755 opaque 7 ' d/.varve && grep -q '^file "m.safetensors" 644 safetensors ' d/.varve &&
	grep -q '^tensor "t0" ' d/.varve; ok "modes, formats, tensors are in the text"
one=$(files d)

# A second version.
git switch -q -c two
put d/f2 changed; rm d/f3; put d/new/deep/n 1; model d/m.safetensors seed=1 n=6 set=t3:7; m2=$(sum d/m.safetensors); chmod -x d/f1
varve status >"$T/out"; said 'modified *d/  1 new, 3 changed, 1 deleted of 13 files'; ok "status counts"
varve status --json | grep -q '"new": 1'; ok "in --json"
quiet; ok "git sees none of it"
git commit -q --allow-empty -m empty 2>"$T/out"; said "d: 5 files are not in the commit"; ok "commit warns of them"
git reset -q --soft HEAD~1
varve add -q . && git commit -q -m two; two=$(files d); ok "add ."
[ "$(git show --format= --stat=200 | grep -c '|')" = 1 ]; ok "one file changed for git"
git switch -q main; is d/f2 'file 2' && is d/f3 'file 3' && same d/m.safetensors "$m1" && [ -x d/f1 ] && [ ! -e d/new ]; ok "switch back"
[ "$(files d)" = "$one" ] && quiet && varve status >"$T/out" && said 'is clean'; ok "all of it"
git switch -q two; is d/f2 changed && [ ! -e d/f3 ] && same d/m.safetensors "$m2" && [ ! -x d/f1 ] && [ "$(files d)" = "$two" ]; ok "and forth"

# What the user changed stays.
put d/f2 mine; put d/other own
git switch -q main 2>"$T/out"; said 'd/f2: changed here: kept' && is d/f2 mine && is d/other own && is d/f3 'file 3'; ok "a changed file stays, and is told"
varve status >"$T/out"; said '1 new, 1 changed of'; ok "status shows it"
varve checkout d 2>"$T/out" >/dev/null; is d/f2 mine; ok "checkout keeps it too"
varve checkout --force d >"$T/out" && is d/f2 'file 2' && is d/other own; ok "checkout --force takes the version's; what is not in it stays"
put d/new/deep/n mine; git switch -q two 2>"$T/out"; said 'd/new/deep/n: in the way' && is d/new/deep/n mine; ok "an untracked file in the way stays"
mv d/new "$T/new"; varve checkout d >/dev/null && is d/new/deep/n 1; ok "checkout brings it once that is away"
rm -r d/sub; git switch -q main; [ ! -e d/sub ]; ok "what was removed here stays so"
varve checkout && [ ! -e d/sub ]; ok "also after a checkout of nothing in particular"
varve checkout d >"$T/out" && said '5 files written' && is d/sub/s5 'sub 5'; ok "checkout of it puts it back"
rm d/other; mkdir d/f2x; rm d/f2; mkdir d/f2; put d/f2/x mine; git switch -q two 2>"$T/out"; said 'd/f2: something else is in its place' && is d/f2/x mine; ok "a folder in the way"
rm -r d/f2 d/f2x; varve checkout >/dev/null; is d/f2 changed; ok "and away again"
ln -s "$T/home" d/lnk; rm -r d/sub; ln -s "$T/home" d/sub; git switch -q main 2>"$T/out"; [ -z "$(ls "$T/home" | grep '^s[0-9]')" ]; ok "no way through a link"
fails varve add d && said 'd: [a-z]*: a symbolic link'; ok "a link is refused"
rm d/lnk d/sub; varve checkout d >/dev/null; [ "$(files d)" = "$one" ]; ok "back"
mkfifo d/pipe; fails varve add d && said 'pipe: a named pipe'; ok "a pipe is refused"; rm d/pipe
git init -q d/nested; fails varve add d && said 'nested/.git: a git repository'; ok "a repository inside is refused"; rm -rf d/nested

# A file where a folder was, and back.
git switch -q -c swap; rm -r d/sub; put d/sub file; rm d/f4; put d/f4/x 1; varve add -q d && git commit -q -m swap
git switch -q main && is d/sub/s1 'sub 1' && is d/f4 'file 4' && git switch -q swap && is d/sub file && is d/f4/x 1; ok "folders and files change places"
git switch -q main

# A branch without it.
git switch -q --orphan none; [ ! -e d ] || { find d | sed 's/^/# /'; false; }; ok "a branch without it: its files go"
git commit -q --allow-empty -m none; git switch -q main; [ "$(files d)" = "$one" ] && quiet; ok "and come back"
put d/f2 mine; git switch -q none 2>"$T/out"; said 'd/f2: not in this version, but changed here: kept' && is d/f2 mine; ok "a changed one stays"
git switch -q main 2>"$T/out"; said 'd/f2' && is d/f2 mine; varve checkout -f d >/dev/null; is d/f2 'file 2'; ok "and still does"

# reset, stash, worktree.
git reset -q --hard two; [ "$(files d)" = "$two" ] && is d/f2 changed; ok "reset --hard"
git reset -q --hard HEAD~1; [ "$(files d)" = "$one" ]; ok "and back"
put d/f5 stashed; varve add -q d; git stash -q && is d/f5 'file 5' && quiet; ok "stash"
git stash pop -q; settled; is d/f5 stashed; ok "stash pop"
git reset -q --hard; is d/f5 'file 5'; ok "reset --hard of what was added"
git worktree add -q "$T/wt" two && [ "$(files "$T/wt/d")" = "$two" ]; ok "a second worktree"
git worktree remove --force "$T/wt"

# Merge.
git switch -q -c left main; put d/f4 left; put d/l 1; varve add -q d; git commit -q -m left
git switch -q -c right main; put d/f5 right; rm d/sub/s1; varve add -q d; git commit -q -m right
git merge -q left -m merge >"$T/out" 2>&1 && is d/f4 left && is d/f5 right && is d/l 1 && [ ! -e d/sub/s1 ] && quiet; ok "merge, file by file"
varve status >"$T/out" && said 'is clean'; ok "nothing left to do"
git switch -q -c again main; put d/f4 other; varve add -q d; git commit -q -m again
fails git merge -q left && said 'CONFLICT in d/.varve: f4: both sides changed it'; ok "a conflict names the files"
is d/f4 other && [ -z "$(grep '^<' d/.varve)" ]; ok "ours is there, without markers"
is d/l 1; ok "and what else was merged"
varve status >"$T/out"; said 'conflict *d/' && said '      f4: both sides changed it'; ok "status shows the conflict"
varve resolve -q --theirs --tensor f4 && is d/f4 left && is d/l 1 && git commit -q -m resolved && quiet; ok "varve resolve takes a file"
git reset -q --hard HEAD~1; is d/f4 other; git -c varve.merge='d/*//f* theirs' merge -q left -m rule >"$T/out" 2>&1 && is d/f4 left && quiet; ok "as does a rule"
git notes --ref=varve-merge show HEAD:d/.varve | grep -q '^rule "d/\*//f\*" "theirs"$' && varve merge -q --verify HEAD:d; ok "which is noted"
git reset -q --hard HEAD~1; git merge -q left >/dev/null 2>&1; put d/f1 mine; varve resolve -q --theirs; is d/f4 left && is d/f1 mine; ok "a file that was changed meanwhile stays"
git reset -q --hard; varve checkout -q --force d; git merge -q left >/dev/null 2>&1
put d/f4 settled; put d/l 1; varve add -q d && git commit -q -m settled && quiet && is d/f4 settled; ok "and varve add settles it"
git switch -q -c base main; put d/f1 r1; varve add -q d; git commit -q -m r1; put d/f4 r2; put d/new2 2; varve add -q d; git commit -q -m r2
git rebase -q left >"$T/out" 2>&1; git rebase --abort 2>/dev/null; settled; is d/f1 r1 && is d/new2 2; ok "a rebase that conflicts, aborted"
put d/f4 'file 4'; chmod -x d/f4; varve add -q d; git commit -q -m r3; git rebase -q again~1 >/dev/null 2>&1; git rebase --abort 2>/dev/null
git switch -q -c base2 main; put d/f1 r1; varve add -q d; git commit -q -m r1; put d/new2 2; varve add -q d; git commit -q -m r2
git rebase -q right >"$T/out" 2>&1; settled; is d/f1 r1 && is d/f5 right && is d/new2 2 && is d/l 1 || { git status | sed 's/^/# /'; false; }; ok "rebase"
git cherry-pick -q two >/dev/null 2>&1; settled; git cherry-pick --abort 2>/dev/null; settled; is d/f1 r1; ok "a cherry-pick that conflicts, aborted"
git switch -q main; [ "$(files d)" = "$one" ]; ok "and main again"

# mv.
git mv d e && git commit -q -m mv && [ ! -e d ] && [ "$(files e)" = "$one" ] && settled; [ "$(files e)" = "$one" ]; ok "git mv moves all"
put e/f1 moved; varve add e >/dev/null; git diff --cached --name-only | grep -qx e/.varve; ok "and it is tracked there"
git reset -q --hard; git switch -q two; [ "$(files d)" = "$two" ] && [ ! -e e ]; ok "switch to before the move"
git switch -q main; [ "$(files e)" = "$one" ] && [ ! -e d ]; ok "and after it"
git reset -q --hard HEAD~1; [ "$(files d)" = "$one" ]; ok "undone"

# clone, push, gc.
varve init -q --global
git clone -q "$T/r" "$T/c" && [ "$(files "$T/c/d")" = "$one" ] && same "$T/c/d/m.safetensors" "$m1"; ok "clone"
git init -q --bare "$T/b.git" && git push -q "$T/b.git" main && git clone -q "$T/b.git" "$T/c2" && [ "$(files "$T/c2/d")" = "$one" ]; ok "push and clone"
varve gc --grace now >/dev/null && varve fsck >"$T/out" && git switch -q two && [ "$(files d)" = "$two" ] && git switch -q main && [ "$(files d)" = "$one" ]; ok "gc takes nothing that is needed"
put d/only added; varve add -q d; git reset -q; git reflog expire --expire=now --all; git prune --expire=now; varve gc --grace now >/dev/null
git checkout -q d/.varve; [ ! -e d/only ] || is d/only added; ok "what was only added"
git switch -q main; varve checkout -f d >/dev/null; rm -f d/only

# An add that died between manifest and state; a state that is lost.
state=$(grep -l "^varve dir" .git/varve/dirs/* | head -1); cp "$state" "$T/state"; put d/f2 again; varve add -q d; git reset -q; cp "$T/state" "$state"
varve status >"$T/out" && said 'manifest *d/'; ok "status tells of a manifest that is ahead"
varve add -q d && git diff --cached --name-only | grep -qx d/.varve && is d/f2 again; ok "varve add catches up"
rm .git/varve/dirs/*; rm d/f3; varve add -q d && is d/f2 again && grep -q '^file "f3" ' d/.varve; ok "without a state nothing is taken for deleted"
git reset -q --hard; varve checkout -f d >/dev/null; [ "$(files d)" = "$one" ] && is d/f2 'file 2'; ok "back"

# A version whose bytes are missing: what is there stays, and comes when they do.
git switch -q -c far; put d/f2 far; put d/far far; varve add -q d; git commit -q -m far; git switch -q main
mv .git/varve/packs "$T/packs"; mkdir .git/varve/packs; git switch -q far 2>"$T/out"; said 'd/far: its bytes are not on this machine' && is d/f2 'file 2'; ok "missing bytes: the old file stays"
varve status >"$T/out" && said 'manifest *d/'; ok "status tells"
fails varve add d && said 'could not be brought to it'; ok "and varve add does not take it for the new one"
rm -r .git/varve/packs; mv "$T/packs" .git/varve/packs; varve checkout >/dev/null && is d/f2 far && is d/far far; ok "they come later"
git switch -q main; is d/f2 'file 2' && [ ! -e d/far ]; ok "and go"

# A manifest that is removed by hand takes nothing with it.
put p/x 1; varve track -q p/; varve add -q p; git rm -q --cached p/.varve p/.gitignore; rm p/.varve
git switch -q -c hand 2>"$T/out"; git switch -q main; is p/x 1; ok "files of a manifest that no commit has stay"
rm -r p

# What is in the way of tracking.
mkdir g && put g/x 1 && git add g/x && fails varve track g/ && said 'git rm -r --cached g'; ok "git's files are refused"
git rm -q -r --cached g; rm -r g
fails varve track d/sub/ && said 'is in d, which is tracked'; ok "one in another"
fails varve track ./ ; ok "the whole worktree"

# untrack.
varve untrack d/ >"$T/out" && [ ! -e d/.varve ] && [ ! -e d/.gitignore ] && git add d .gitattributes && git commit -q -m plain; ok "untrack"
[ "$(files d)" = "$one" ] && [ "$(git ls-files d | wc -l)" = 13 ]; ok "git has the files"
git switch -q two && [ "$(files d)" = "$two" ] && git switch -q main && [ "$(files d)" = "$one" ]; ok "and history has both"

# git takes the folder away, or a file is in its place, and the same version comes back.
new_repo "$T/again"; git commit -q --allow-empty -m root; git branch none; for i in 1 2 3; do put "data/$i" "$i"; done; all='./1 ./2 ./3 '
varve track -q data/; git add .; git commit -q -m one 2>"$T/out"; said "data: 3 files are not in the commit"; ok "a commit warns of a directory that was never added"
varve add -q .; git commit -q --amend -m one; rm -r data; git checkout -q -- data; [ "$(files data)" = "$all" ]; ok "the folder was removed, and is checked out"
git switch -q none; echo p >data; git add data; git commit -q -m p; git switch -q main; git switch -q none; git switch -q main; [ "$(files data)" = "$all" ]; ok "a file was in its place"
mkdir other; echo o >other/o; git add other; git commit -q -m o; git sparse-checkout set other; git sparse-checkout disable 2>/dev/null; [ "$(files data)" = "$all" ]; ok "it was outside of a sparse checkout"

# A sync that cannot be finished, then another version: no file stays of the one that came in part.
git switch -q -c big; for i in 1 2 3; do put "data/$i" "new $i"; done; mkmodel data/z.safetensors n=60 elems=65536; varve add -q .; git commit -q -m big; git switch -q main
(trap '' XFSZ; ulimit -f 4000; git switch big >"$T/out" 2>&1); is data/1 'new 1' && [ ! -e data/z.safetensors ]; ok "a file that cannot be written stays out"
git switch -q main; is data/1 1 && is data/3 3 && [ "$(files data)" = "$all" ]; ok "and the old version comes back whole"
git switch -q big; is data/2 'new 2' && [ -e data/z.safetensors ]; ok "and the new one"; git switch -q main

# One that cannot be listed does not hide the others.
ln -s 1 data/link; mkdir e; put e/x 1; varve track -q e/; varve add -q e; git commit -q -m e; put e/x 2; varve status >"$T/out" 2>&1; said 'data: link: a symbolic link' && said 'modified *e/  1 changed'; ok "status tells what is wrong with one, and goes on"
rm data/link; varve add -q e; git commit -q -m e2

# One name is no pattern.
put 'data/a[1]' one; put data/a1 q; varve add -q .; git commit -q -m names; put 'data/a[1]' X; put data/a1 unsaved
varve restore -q HEAD 'data/a[1]'; is 'data/a[1]' one && is data/a1 unsaved; ok "restore of a file whose name looks like a pattern"; varve checkout -q --force data

# A version that only a merge has is in history, too.
git switch -q -c left; put data/1 left; varve add -q .; git commit -q -m left; git switch -q main; put data/2 right; varve add -q .; git commit -q -m right
git merge -q left -m merge >/dev/null && is data/1 left && is data/2 right; git switch -q none; [ ! -e data/1 ]; ok "the files of a merge's own version go with it"; git switch -q main; is data/1 left; ok "and come back"
echo 'no/' >.gitignore; mkdir no; put no/x 1; fails varve track no/ && said 'git ignores it, by .gitignore:1:no/' && [ "$(ls -A no)" = x ]; ok "what git ignores cannot be tracked"

# Who takes a directory from git, and its manifest away by hand, keeps the files.
new_repo "$T/let"; git commit -q --allow-empty -m root; git branch none; for i in 1 2 3; do put "d/$i" "$i"; done; varve track -q d/; varve add -q d; git add .; git commit -q -m one
all='./1 ./2 ./3 '; git branch one; start() { git reset -q --hard; git switch -q "$1" 2>/dev/null; git reset -q --hard one; git clean -q -fdx; varve checkout -q -f d; [ "$(files d)" = "$all" ] || echo "# start: $(files d)"; }
git rm -q -r --cached d; rm d/.varve; git commit -q -m off 2>"$T/out"; said 'd: is tracked no more: its files stay' && [ "$(files d)" = "$all" ]; ok "git rm --cached, and the manifest removed: the files stay"
git commit -q --allow-empty -m more 2>"$T/out"; [ ! -s "$T/out" ] && [ "$(files d)" = "$all" ]; ok "which is told once"
rm d/.gitignore; git add d; git commit -q -m plain; git switch -q none; [ ! -e d ] && git switch -q main && [ "$(files d)" = "$all" ]; ok "they are git's when it has them"
git switch -q one 2>"$T/out" && [ "$(files d)" = "$all" ] && varve status >"$T/out" && said 'is clean'; ok "and varve's in the version that had them so"
start main; git rm -q -r --cached d; rm d/.varve d/.gitignore; git commit -q -m off 2>"$T/out"; said 'tracked no more' && [ "$(files d)" = "$all" ]; ok "the ignore file removed as well"
start main; rm d/.varve; git commit -q -a -m off 2>"$T/out"; said 'tracked no more' && [ "$(files d)" = "$all" ]; ok "the manifest removed, and then from git"
start main; git rm -q -r --cached d; varve untrack -q d/; git commit -q -a -m off 2>"$T/out"; [ "$(files d)" = "$all" ]; ok "git rm --cached and varve untrack"
start main; git rm -q -r --cached d; git add d/.varve d/.gitignore; git commit -q --allow-empty -m same; git switch -q none; [ ! -e d ]; ok "out of git and back: they go with a switch, as ever"
start main; git rm -q -r d; git commit -q -m gone; [ ! -e d ]; ok "git rm: they go"
start main; put d/4 4; git add d >"$T/out" 2>&1; [ ! -s "$T/out" ] && git diff --cached --quiet; ok "git add of it says nothing, and takes nothing"
git commit -q --allow-empty -m none 2>"$T/out"; said "d: 1 files are not in the commit as they are; 'varve add d' takes them"; ok "git commit tells"
git clean -q -fdx; [ -z "$(files d)" ] && varve status >"$T/out" && said ' 3 deleted' && varve checkout d >/dev/null && [ "$(files d)" = "$all" ]; ok "git clean -x removes them, varve checkout brings back what was added"

# A file that is deleted right after the directory was moved.
start main; git mv d e; rm e/2; git commit -q -m mv 2>"$T/out"; said 'e: 1 files are not in the commit' && [ "$(files e)" = './1 ./3 ' ] && [ ! -e d ]; ok "git mv, a file deleted: it stays so"
varve add -q e && ! grep -q '^file "2" ' e/.varve; ok "and varve add takes it for deleted"
start main; mv d e; rm e/2; varve add -q e && ! grep -q '^file "2" ' e/.varve; ok "so after a plain mv"
git add -A; git commit -q -m mv; [ "$(files e)" = './1 ./3 ' ] && [ ! -e d ] && varve status >"$T/out" && said 'is clean'; ok "which git learns later"
git switch -q one 2>/dev/null; [ "$(files d)" = "$all" ] && [ ! -e e ]; ok "and back"

# Only the manifest of a directory is one.
start main; bad() { fails git add d && said "d/.varve: $1" && git diff --cached --quiet -- d; }
none="is not the manifest of a directory; 'varve add' writes it"
: >d/.varve; bad "$none"; ok "an empty manifest is refused"; echo junk >d/.varve; bad "$none"; ok "and one that is none"
model x.safetensors seed=1; varve add -q x.safetensors; git show :x.safetensors >d/.varve; bad "$none"; ok "and a model's"
git show :d/.varve >x.safetensors; fails git add x.safetensors && said 'x.safetensors: is the manifest of a directory'; ok "and a directory's anywhere else"
rm x.safetensors; git rm -q --cached x.safetensors; echo junk >d/.varve; put d/4 4; varve add d >"$T/out" && said '^d/: 4 files' && ! said junk && [ "$(git diff --cached --name-only)" = d/.varve ] && varve status >"$T/out"; ok "varve add writes it anew, from what is there"
git reset -q --hard; sed -i 's/^file "1" 644 opaque 2/file "1" 755 opaque 2/' d/.varve; fails varve add d && said '^varve: d/.varve: .*edited as text'; ok "but not over one that was edited"
git reset -q --hard; git update-index --cacheinfo "100644,$(echo junk | git hash-object -w --stdin),d/.varve"; fails git commit -q -m junk && said 'd/.varve: what is staged is no version of it'; ok "nor does it get into a commit past the filter"

# A file that was changed when another version came is a changed file, and a deleted one once it is deleted.
start main; git switch -q -c b main; put d/2 b; varve add -q d; git commit -q -m b; git switch -q -c b2; put d/3 b2; varve add -q d; git commit -q -m b2
start main; put d/2 X; git switch -q b 2>"$T/out"; said 'd/2: changed here: kept'; ok "a changed file stays"
git switch -q b2 2>"$T/out"; [ ! -s "$T/out" ] && is d/3 b2 && is d/2 X && varve status >"$T/out" && said ' 1 changed of 3'; ok "the next version that has it as this one says nothing"
rm d/2; varve status >"$T/out"; said ' 1 deleted' && varve add -q d && ! grep -q '^file "2"' d/.varve; ok "deleted, it is deleted"

# A file that git has in one version and the directory in another.
start main; git switch -q -c gits; mv d/1 "$T/1"; varve add -q d; mv "$T/1" d/1; git add -f d/1; git commit -q -m gits 2>/dev/null; ! grep -q '^file "1"' d/.varve; ok "git has a file of it"
git switch -q main && is d/1 1 && git switch -q gits 2>"$T/out" && is d/1 1 && [ -z "$(git status --porcelain)" ]; ok "which stays when the manifest has it no more"

# Depth.
start main; deep=$(printf 'x/%.0s' $(seq 128)); put "d/${deep}f" deep; varve add -q d && git commit -q -m deep && git switch -q none && git switch -q main && is "d/${deep}f" deep; ok "128 folders"
put "d/${deep}x/f" deeper; varve status >"$T/out" 2>&1; said 'd: x/x/.*: more than 128 folders deep' && fails varve add d && said 'd: x/x/.*: more than 128 folders deep' && [ "$(wc -l <"$T/out")" = 1 ]; ok "and no more"
plan_end
