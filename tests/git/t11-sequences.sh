#!/bin/sh
# The sequences: rebase in all its forms, cherry-pick, am, revert, bisect, each over three commits to one model.
. "$(dirname "$0")/lib.sh"

# main: base - m1 (t7); side: base - s1 (t0) - s2 (t1) - s3 (t2). All touch one model.
build() {
	rm -rf "$T/r"; cd "$T" && new_repo "$T/r" || return 1
	model m.safetensors seed=1; git add . ; git commit -q -m base
	git switch -q -c side
	model m.safetensors seed=1 set=t0:1; git commit -q -am s1
	model m.safetensors seed=1 set=t0:1 set=t1:1; git commit -q -am s2
	model m.safetensors seed=1 set=t0:1 set=t1:1 set=t2:1; git commit -q -am s3; side=$(sum m.safetensors)
	git switch -q main
	model m.safetensors seed=1 set=t7:1; git commit -q -am m1
	model "$T/want.safetensors" seed=1 set=t0:1 set=t1:1 set=t2:1 set=t7:1; want=$(sum "$T/want.safetensors")
}

build; ok "a history with two branches"
git switch -q side && git rebase -q main; ok "git rebase"
settled; same m.safetensors "$want"; ok "the rebased model has both sides' tensors"
clean; ok "clean after rebase"
git log --format=%s main..side | tr '\n' ' ' | grep -q '^s3 s2 s1 $'; ok "three commits"
git checkout -q side~1; model "$T/x" seed=1 set=t0:1 set=t1:1 set=t7:1
same m.safetensors "$(sum "$T/x")"; ok "each of them has its own model"

build; git switch -q side && GIT_SEQUENCE_EDITOR="sed -i '2{h;d};3{G}'" git rebase -q -i main; ok "git rebase -i, reordered"
settled; same m.safetensors "$want"; ok "the same model in the end"
clean; ok "clean after rebase -i"

build; git switch -q side && git rebase -q --exec 'git log -1 --format=%s >>../execs' main 2>/dev/null; ok "git rebase --exec"
[ "$(tr '\n' ' ' <../execs)" = "s1 s2 s3 " ]; ok "every exec ran"
settled; same m.safetensors "$want"; ok "the model after exec"
clean; ok "clean after exec"

build; git switch -q side; echo note >note; git add note; git commit -q -m note
model m.safetensors seed=1 set=t0:1 set=t1:1 set=t2:1 set=t4:4
git rebase -q --autostash main >/dev/null 2>&1; ok "git rebase --autostash with a changed model"
settled; model "$T/x" seed=1 set=t0:1 set=t1:1 set=t2:1 set=t4:4 set=t7:1
same m.safetensors "$(sum "$T/x")"; ok "the change is back on top"
[ "$(git status --porcelain)" = " M m.safetensors" ]; ok "and only that shows"

build; git switch -q side; model m.safetensors seed=1 set=t0:1 set=t1:1 set=t2:1 set=t7:5; git commit -q -am s4
fails git rebase -q main; ok "a conflict stops the rebase"
git status --porcelain | grep -q '^UU m.safetensors'; ok "as a conflict of the model"
settled; head -c 8 m.safetensors | grep -qv '^varve'; ok "the worktree has a model, not a manifest"
git checkout -q --theirs m.safetensors && git add m.safetensors && git rebase --continue >/dev/null 2>&1; ok "theirs, continue"
settled; model "$T/x" seed=1 set=t0:1 set=t1:1 set=t2:1 set=t7:5
same m.safetensors "$(sum "$T/x")"; ok "the model that was chosen"
clean; ok "clean after the conflict"
git reset -q --hard ORIG_HEAD; fails git rebase -q main; git rebase --abort; ok "rebase --abort"
settled; same m.safetensors "$(sum "$T/x")" && clean; ok "is as before"

build; git cherry-pick main..side >/dev/null 2>&1; ok "git cherry-pick main..side"
settled; same m.safetensors "$want"; ok "three picks, one model"
clean; ok "clean after cherry-pick"
git revert --no-edit HEAD~2..HEAD >/dev/null 2>&1; ok "git revert of two"
settled; model "$T/x" seed=1 set=t0:1 set=t7:1; same m.safetensors "$(sum "$T/x")"; ok "the model without them"
clean; ok "clean after revert"

build; git format-patch -q -o "$T/patches" main~1..side
git switch -q -c applied main~1 && git am -q "$T"/patches/*.patch; ok "git am of three patches"
settled; same m.safetensors "$side"; ok "the model the patches lead to"
clean; ok "clean after am"
rm -rf "$T/patches"

build; git switch -q side
git bisect start side main~1 >/dev/null; git bisect run sh -c 'git show HEAD:m.safetensors | grep -q "\"t1\" bf16 \[4096\] '"$(git show side:m.safetensors | sed -n 's/^tensor "t1" bf16 \[4096\] //p')"'" && exit 1; exit 0' >"$T/out" 2>&1
said 'is the first bad commit' && git show -s --format=%s refs/bisect/bad | grep -q '^s2$'; ok "git bisect finds the commit"
git bisect reset >/dev/null 2>&1; settled; same m.safetensors "$side"; ok "bisect reset"
clean; ok "clean after bisect"

build; git merge -q --no-edit side >/dev/null 2>&1; ok "git merge, different tensors"
same m.safetensors "$want"; ok "has both"
clean; ok "clean after merge"
git reset -q --hard HEAD~1; model m.safetensors seed=1 set=t0:9 set=t7:1; git commit -q -am clash
fails git merge --no-edit side; ok "the same tensor on both sides conflicts"
said 't0: both'; ok "and is named"
git merge --abort; ok "git merge --abort"
model "$T/x" seed=1 set=t0:9 set=t7:1; same m.safetensors "$(sum "$T/x")" && clean; ok "leaves everything as it was"
plan_end
