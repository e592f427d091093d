#!/bin/sh
# Clones, bare repositories, pull, SHA-256, sparse-checkout, submodules, hooks that were there before.
. "$(dirname "$0")/lib.sh"

new_repo "$T/a"
model m.safetensors seed=1; one=$(sum m.safetensors); git add .; git commit -q -m one
model m.safetensors seed=1 set=t1:2; two=$(sum m.safetensors); git commit -q -am two

git clone -q "$T/a" "$T/plain" 2>/dev/null
head -c 8 "$T/plain/m.safetensors" | grep -q '^varve 1 '; ok "a clone without varve has the manifest"
cd "$T/plain" && [ -z "$(git status --porcelain)" ]; ok "and nothing is broken"
varve init -q && same m.safetensors "$two"; ok "varve init there brings the model"
clean; ok "clean after it"

varve init --global -q
git clone -q "$T/a" "$T/b"; ok "git clone after varve init --global"
cd "$T/b" && same m.safetensors "$two"; ok "ends with the model"
clean; ok "clean in the clone"
git checkout -q HEAD~1; same m.safetensors "$one"; ok "and with its history"
git checkout -q main

git clone -q --bare "$T/a" "$T/hub.git" && git clone -q "$T/hub.git" "$T/c"; ok "clone of a bare clone"
cd "$T/c" && same m.safetensors "$two"; ok "has the model"
model m.safetensors seed=1 set=t1:2 set=t2:3; three=$(sum m.safetensors); git commit -q -am three
git push -q origin main; ok "push to the bare repository"
[ -n "$(ls "$T"/hub.git/varve/packs)" ]; ok "which has a store now"
mv "$T/a" "$T/a-away"; mv "$T/c" "$T/c-away"
git clone -q "$T/hub.git" "$T/d"; cd "$T/d" && same m.safetensors "$three"; ok "a clone needs the bare repository alone"
git checkout -q HEAD~1 && same m.safetensors "$two"; ok "older versions too"
mv "$T/a-away" "$T/a"; mv "$T/c-away" "$T/c"

cd "$T/d" && git checkout -q main && model m.safetensors seed=1 set=t1:2 set=t2:3 set=t6:6
git commit -q -am four && git push -q origin main
cd "$T/c"; for i in 1 2 3; do
	if [ $i = 1 ]; then model m.safetensors seed=1 set=t1:2 set=t2:3 set=t3:1
	elif [ $i = 2 ]; then model m.safetensors seed=1 set=t1:2 set=t2:3 set=t3:1 set=t4:1
	else model m.safetensors seed=1 set=t1:2 set=t2:3 set=t3:1 set=t4:1 set=t5:1; fi
	git commit -q -am "c$i"
done
echo x >untracked; echo y >>.gitattributes; sed -i '$d' .gitattributes; echo z >file; git add file; git commit -q -m file; echo zz >file
git pull -q --rebase --autostash >/dev/null 2>&1; ok "git pull --rebase --autostash over three commits"
settled; model "$T/x" seed=1 set=t1:2 set=t2:3 set=t3:1 set=t4:1 set=t5:1 set=t6:6
same m.safetensors "$(sum "$T/x")"; ok "the model has both sides"
[ "$(cat file)" = zz ] && git checkout -q file && rm -f untracked && clean; ok "the stash is back, the model clean"
git fetch -q --prune; same m.safetensors "$(sum "$T/x")"; ok "fetch --prune leaves it alone"
varve fsck >"$T/out" 2>&1; ok "fsck in the clone"

git clone -q -s "$T/a" "$T/shared"; cd "$T/shared" && same m.safetensors "$two"; ok "git clone -s reads the other store"

new_repo "$T/s256" --object-format=sha256
model m.safetensors seed=4; s=$(sum m.safetensors); git add .; git commit -q -m one
model m.safetensors seed=5; git commit -q -am two; git checkout -q HEAD~1
same m.safetensors "$s" && clean; ok "a SHA-256 repository"

new_repo "$T/sparse"; mkdir in out; model in/m.safetensors seed=1; model out/m.safetensors seed=2; o=$(sum out/m.safetensors)
git add .; git commit -q -m both
git sparse-checkout set in 2>/dev/null; [ ! -e out/m.safetensors ] && clean; ok "sparse-checkout leaves models out"
git sparse-checkout disable; same out/m.safetensors "$o"; ok "and brings them back"
clean; ok "clean after sparse-checkout"

new_repo "$T/super"; git -c protocol.file.allow=always submodule --quiet add "$T/a" sub 2>/dev/null; ok "git submodule add"
same sub/m.safetensors "$two"; ok "the submodule has the model"
git commit -q -m sub; cd sub; clean; ok "clean in the submodule"

git init -q "$T/hooked"; cd "$T/hooked"
printf '#!/bin/sh\necho "mine $3" >>"%s/ran"\n' "$T" >.git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
varve init -q; ok "init beside an existing hook"
varve track -q '*.safetensors'; model m.safetensors seed=1; git add .; git commit -q -m one; git branch other
git checkout -q other; grep -q '^mine 1' "$T/ran"; ok "the old hook still runs"
varve doctor >"$T/out"; ok "doctor finds nothing wrong"
rm .git/hooks/post-index-change; [ "$(status_of varve doctor)" = 1 ] && said 'NO .*hooks'; ok "doctor sees a missing hook"
varve doctor --fix >/dev/null && varve doctor >/dev/null; ok "doctor --fix mends it"
one=$(sum m.safetensors); varve leave -q >/dev/null; ok "varve leave"
same m.safetensors "$one" && ! grep -q varve .gitattributes; ok "leaves the model, takes the attributes"
grep -q mine .git/hooks/post-checkout; ok "and puts the old hook back"
git commit -q -am left && git show HEAD:m.safetensors | cmp -s - m.safetensors; ok "git has the plain file"

cd "$T/a"; git checkout -q main; git archive HEAD | tar xO m.safetensors | grep -q '^varve 1'; ok "git archive has manifests"
varve archive HEAD | tar xO m.safetensors | sha256sum | grep -q "^$two"; ok "varve archive has models"
# A push without varve leaves a hole; the next one with it fills it.
new_repo "$T/hole"; git init -q --bare "$T/hole.git"; git remote add o "$T/hole.git"
model m.safetensors seed=1; git add m.safetensors; git commit -q -m one; git push -q o main
model m.safetensors seed=2; gap=$(sum m.safetensors); git commit -q -am two; git push -q --no-verify o main
model m.safetensors seed=3; git commit -q -am three; git push -q o main
git init -q "$T/reader" && cd "$T/reader" && varve init -q && git fetch -q "$T/hole.git" main && git remote add h "$T/hole.git"
mv "$T/hole" "$T/hole.gone"; git checkout -q FETCH_HEAD~1; same m.safetensors "$gap"; ok "a version that was pushed with --no-verify is there after the next push"
mv "$T/hole.gone" "$T/hole"; cd "$T/hole"; [ "$(cat "$T/hole.git/varve/sent" | head -1)" = "$(git rev-parse main)" ]; ok "what was sent is noted"
model m.safetensors seed=4; git commit -q -am four; GIT_TRACE="$T/trace" git push -q o main; [ "$(head -1 "$T/hole.git/varve/sent")" = "$(git rev-parse main)" ]; ok "at each push"
(cd "$T/hole.git" && varve gc -q) && [ ! -e "$T/hole.git/varve/sent" ]; ok "and forgotten when gc may have taken something"
model m.safetensors seed=5; git commit -q -am five; rm -rf .git/varve/packs/*
fails git push -q o main && said 'push to .*is not in the store' && [ "$(git -C "$T/hole.git" log --format=%s -1 main)" = four ]; ok "what is new and not here is not pushed"
# A partial clone sends what is new there, and fetches nothing for it.
cd "$T/hole"; git reset -q --hard HEAD~1; git -C "$T/hole.git" config uploadpack.allowFilter true; git clone -q --filter=blob:none "file://$T/hole.git" "$T/partial" 2>/dev/null
cd "$T/partial" && varve init -q && model m.safetensors seed=7 && s=$(sum m.safetensors) && git add m.safetensors && git commit -q -m seven
GIT_TRACE="$T/trace.partial" git push -q origin main; ok "a push from a partial clone"
! grep -q 'git fetch\|fetch-pack' "$T/trace.partial"; ok "fetches no old blob"
rm m.safetensors; rm -rf .git/varve/packs; git checkout -q m.safetensors && same m.safetensors "$s"; ok "and sends what is new"

# A sharded model is one: what moves to another shard, or is split into more of them, is coded against itself.
new_repo "$T/shards"; python3 - <<'P'
import json, os, struct, random
r = random.Random(1)
T = {f"h.{i}.weight": bytearray(struct.pack("<20000f", *(r.gauss(0, .02) for _ in range(20000)))) for i in range(6)}
def save(dir, count):
    os.makedirs(dir, exist_ok=True)
    names = sorted(T)
    for k in range(count):
        part = names[k * 6 // count:(k + 1) * 6 // count]
        head, body = {}, b""
        for n in part:
            head[n] = {"dtype": "F32", "shape": [100, 200], "data_offsets": [len(body), len(body) + 80000]}
            body += T[n]
        h = json.dumps(head).encode()
        h += b" " * (-len(h) % 8)
        with open(f"{dir}/model-{k + 1:05}-of-{count:05}.safetensors", "wb") as f:
            f.write(struct.pack("<Q", len(h)) + h + body)
save("m", 2)
for t in T.values():
    for i in range(0, 80000, 4):
        t[i] ^= r.getrandbits(8) & 3
save("m3", 3)
P
git add m && git commit -q -m two; rm m/*; mv m3/* m/; rmdir m3
varve add --json m >"$T/out"; python3 - "$T/out" <<'P'
import json, sys
files = json.load(open(sys.argv[1]))["files"]
assert len(files) == 3 and all(f["stored"] < f["size"] * .5 for f in files), files
P
ok "resharded, each tensor against its last version"
git commit -q -am three; git checkout -q HEAD~1 && [ "$(ls m | wc -l)" = 2 ] && git checkout -q main && [ "$(ls m | wc -l)" = 3 ] && varve fsck -q && [ -z "$(git status --porcelain)" ]; ok "and back and forth"
plan_end
