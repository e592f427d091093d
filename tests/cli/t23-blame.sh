#!/bin/sh
# blame: the commit that last changed each tensor.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; at() { awk -v n="$1" '{ for (i = 1; i <= NF; i++) if ($i == n) print $1 }' "$T/out"; }
h() { git log -1 --format=%h "$@"; }
model m.safetensors n=5; git add .; git commit -q -m one; git tag one
model m.safetensors n=5 set=t1:2 set=new:1; GIT_AUTHOR_NAME='Ann B' git commit -q -am two; git tag two
git mv m.safetensors k.safetensors; git commit -q -m renamed
model k.safetensors n=5 set=t1:2 set=new:1 set=t2:3; git commit -q -am three; git tag three
status_is 0 varve blame k.safetensors && lines 6; ok "blame"
[ "$(at t0)" = "$(h one)" ] && [ "$(at t4)" = "$(h one)" ]; ok "untouched tensors are the first commit's, through the rename"
[ "$(at t1)" = "$(h two)" ] && [ "$(at new)" = "$(h two)" ] && [ "$(at t2)" = "$(h three)" ]; ok "changed and added ones"
said 'Ann B *t1 *bf16 \[4096\]$'; ok "author, type and shape"
model k.safetensors n=5 set=t1:2 set=new:1 set=t2:3 set=t4:1; out varve blame k.safetensors
[ "$(at t4)" = 0000000 ] && said 'not committed yet *t4 ' && [ "$(at t1)" = "$(h two)" ]; ok "the worktree's own change"
git add k.safetensors; out varve blame k.safetensors; [ "$(at t4)" = 0000000 ]; ok "staged is not committed"
out varve blame HEAD k.safetensors; [ "$(at t4)" = "$(h one)" ]; ok "at a revision"
out varve blame two m.safetensors && lines 6 && [ "$(at t2)" = "$(h one)" ]; ok "at an older one, under its old name"
out varve blame --json HEAD k.safetensors; json "{t['name']: t['commit'] for t in d['tensors']}['t1'] == '$(git rev-parse two)' and d['commits']['$(git rev-parse two)']['author'] == 'Ann B'"; ok "--json"
out varve blame -t 't[12]' k.safetensors && lines 2; ok "--tensor"
git reset -q --hard

# Reordering the tensors of a file is no change of theirs.
python3 - <<'P'
import json, struct
b = open("k.safetensors", "rb").read(); n = struct.unpack("<Q", b[:8])[0]
h = json.loads(b[8:8 + n]); body = b[8 + n:]; off, head, out = 0, {}, b""
for k in reversed(list(h)):
    a, z = h[k]["data_offsets"]; out += body[a:z]
    head[k] = dict(h[k], data_offsets=[off, off + z - a]); off += z - a
t = json.dumps(head).encode()
open("k.new", "wb").write(struct.pack("<Q", len(t)) + t + out)
P
touch -d '10 seconds ago' k.new; mv k.new k.safetensors; git commit -q -am reordered; out varve blame k.safetensors
[ "$(at t0)" = "$(h one)" ] && [ "$(at t1)" = "$(h two)" ] && [ "$(at t2)" = "$(h three)" ]; ok "a tensor that moved keeps its commit"

# A merge: each side's tensors are that side's commits'.
git checkout -q -b side; varve cat -q -o "$T/x.npy" k.safetensors t0; git checkout -q three; git checkout -q -b left
model k.safetensors n=5 set=t1:2 set=new:1 set=t2:3 set=t0:7; git commit -q -am left
git checkout -q -b right three; model k.safetensors n=5 set=t1:2 set=new:1 set=t2:3 set=t3:7; git commit -q -am right
git merge -q -m merged left >/dev/null 2>&1; out varve blame k.safetensors
[ "$(at t0)" = "$(h left)" ] && [ "$(at t3)" = "$(h right^)" ] && [ "$(at t4)" = "$(h one)" ]; ok "through a merge"
model k.safetensors n=5; git commit -q -am back; out varve blame k.safetensors; [ "$(at t0)" = "$(h HEAD)" ]; ok "what came back counts from then on"
model fresh.safetensors n=2; out varve blame fresh.safetensors && [ "$(at t0)" = 0000000 ]; ok "a file that was never committed"
status_is 128 varve blame HEAD nope && err 'HEAD:nope' && one_line; ok "no such file"
status_is 128 varve blame nope k.safetensors && err "'nope' names no commit" && one_line; ok "no such revision"
mkdir s; cd s; out varve blame ../k.safetensors && lines 5; ok "from a subfolder"; cd ..
git clone -q --bare . "$T/b.git"; cd "$T/b.git"; out varve blame three k.safetensors && [ "$(at t1)" = "$(git log -1 --format=%h two)" ]; ok "in a bare clone"
status_is 129 varve blame k.safetensors && err 'name a revision'; ok "which has no worktree"

new_repo "$T/big"; model m.safetensors n=50000 elems=8; git add .; git commit -q -m one
model m.safetensors n=50000 elems=8 set=t77:1; git commit -q -am two
s=$(date +%s); out varve blame m.safetensors; e=$(date +%s)
[ "$(cut -c1-7 "$T/out" | sort | uniq -c | awk '{ print $1 }' | sort -n | tr '\n' ' ')" = '1 49999 ' ]; ok "fifty thousand tensors"
[ $((e - s)) -le 3 ]; ok "in three seconds"
plan_end
