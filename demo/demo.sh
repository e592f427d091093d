#!/bin/sh
# varve in a minute: a real (small) network is trained in stages, each stage is a git commit, and in
# the end every old version is proved to be exact. Works in a temporary folder; KEEP=1 keeps it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/varve-demo.XXXXXX")
[ -n "${KEEP:-}" ] || trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
# The demo leaves your own configuration alone.
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$HOME" "$work/model"
cd "$work/model"
bold='' plain=''
[ ! -t 1 ] || [ -n "${NO_COLOR:-}" ] || bold=$(tput bold 2>/dev/null || :) plain=$(tput sgr0 2>/dev/null || :)
step() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }
python=$(sh "$here/../tools/python.sh" numpy)
train() { "$python" "$here/train.py" "$@"; }
note() { sha256sum model.safetensors | cut -d' ' -f1 >"$work/sum.$1"; }

step "A repository that keeps models"
run git init -q -b main
git config user.name demo && git config user.email demo@example.invalid
run varve init
run varve track '*.safetensors'
git add .gitattributes && git commit -qm 'Keep models with varve'

step "Train, and commit each stage with plain git"
train - model.safetensors 100 2e-3
run git add model.safetensors
run git commit -qm 'First 100 steps'
note 1
for i in 2 3 4; do
	train model.safetensors model.safetensors 30 2e-4 --seed $i
	run varve add model.safetensors
	run git commit -qm "Stage $i: 30 more steps"
	note $i
done

step "What git has is text: one line per tensor"
run git show --stat HEAD
git show HEAD | grep '^[-+]tensor' | cut -c1-72

step "What changed in the weights"
run varve diff HEAD~1 HEAD
run varve show model.safetensors

step "Two branches train different layers"
run git switch -q -c finetune
train model.safetensors model.safetensors 30 2e-4 --text python --only head --seed 8
run git commit -qam 'Fine-tune the head on Python'
note 5
run git switch -q main
train model.safetensors model.safetensors 30 2e-4 --only embed,layer.0 --seed 9
run git commit -qam 'Train the first layers on'
note 6
run git merge -q --no-edit finetune
note 7
run varve blame model.safetensors
run git log --oneline --graph

step "Roll back one version, and a single layer"
run git checkout -q HEAD~1 -- model.safetensors
run git checkout -q HEAD -- model.safetensors
run varve restore main~3 --tensor 'head.*' -- model.safetensors
run varve diff
run git checkout -q -- model.safetensors

step "Someone clones it: the models are simply there"
varve init --global >/dev/null
run git clone -q "$work/model" "$work/clone"
cmp model.safetensors "$work/clone/model.safetensors" && echo "same bytes"

step "What it costs"
run varve du
size=$(wc -c <model.safetensors)
packs=$(cat .git/varve/packs/* | wc -c)
echo "7 versions as plain files: $((7 * size / 1000)) kB; in the store: $((packs / 1000)) kB"

step "Every old version, byte for byte"
n=0
for rev in main~5 main~4 main~3 main~2 finetune main~1 main; do
	n=$((n + 1))
	git checkout -q "$rev" -- model.safetensors
	sha256sum model.safetensors | sed "s/model.safetensors/$rev/"
	[ "$(sha256sum model.safetensors | cut -d' ' -f1)" = "$(cat "$work/sum.$n")" ] || {
		echo "version $rev is not what was committed" >&2
		exit 1
	}
done
echo "all $n versions are exact"
