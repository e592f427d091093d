#!/bin/sh
# log: the commits that changed a model, or one of its tensors.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; git config log.showRoot false
model m.safetensors n=6; git add .; git commit -q -m 'first one'
echo x >other; git add .; git commit -q -m 'not the model'
model m.safetensors n=6 set=t3:4 set=new:1; git commit -q -am 'two more'
git mv m.safetensors 'n ü.safetensors'; git commit -q -m 'another name'
model 'n ü.safetensors' n=6 set=t3:4 set=new:1 set=t5:2 drop=t1; git commit -q -am 'dropped'
git checkout -q -b side; model 'n ü.safetensors' n=6 set=t3:4 set=new:1 set=t5:2 set=t0:9 drop=t1; git commit -q -am 'on the side'
git checkout -q main; model 'n ü.safetensors' n=6 set=t3:4 set=new:1 set=t5:2 set=t4:9 drop=t1; git commit -q -am 'on main'
git merge -q -m merged side >/dev/null 2>&1; f='n ü.safetensors'

status_is 0 varve log "$f"; ok "log"
cut -d' ' -f1 "$T/out" | tr '\n' ' ' >"$T/a"; git log --follow --format=%h -- "$f" | tr '\n' ' ' >"$T/b"
git log -1 --format=%h >"$T/c"; [ "$(cat "$T/a")" = "$(cat "$T/c") $(cat "$T/b")" ] || cmp "$T/a" "$T/b"; ok "the commits of git log --follow, and the merge"
said '  1 of 6 tensors, -1 .*dropped$' && said '  1 of 7 tensors, +1 .*two more$' && said '  +6 tensors .*first one$'; ok "how many tensors"
said '  renamed .*another name$' && ! grep -q 'not the model' "$T/out"; ok "a rename; no other commits"
out varve log -t t3 "$f" && lines 2 && said 'two more$' && said 'first one$'; ok "--tensor"
out varve log -t 't[05]' "$f"; [ "$(grep -c . "$T/out")" = 3 ] && said 'on the side$' && said dropped; ok "a pattern; the merge made no such tensor"
out varve log -t 'none*' "$f" && lines 0; ok "a pattern that matches nothing"
out varve log -n 2 "$f" && lines 2; ok "-n"
out varve log --names HEAD~1 "$f"; said '^    changed   t4$' && said '^    removed   t1$'; ok "--names, from a revision"
out varve log v 2>/dev/null; status_is 128 varve log nope && err 'nope: no version in this history' && one_line; ok "a file that never was"
status_is 128 varve log none..HEAD "$f" && one_line; ok "a bad revision"
status_is 129 varve log && err 'one file'; ok "no file"
out varve log --json --names "$f"; json 'len(d["commits"]) == 7 and d["commits"][-1]["added"] == 6 and d["commits"][-1]["author"] == "tester" and d["path"] == "n ü.safetensors"'; ok "--json"
json '[c for c in d["commits"] if c["subject"] == "dropped"][0]["names"] == [{"name": "t1", "change": "removed"}, {"name": "t5", "change": "changed"}]'; ok "with names"
json '[c for c in d["commits"] if c["subject"] == "another name"][0]["old_path"] == "m.safetensors"'; ok "and the old path"
mkdir sub; cd sub; out varve log "../$f"; [ "$(grep -c . "$T/out")" = 7 ]; ok "from a subfolder"
cd "$T"; git clone -q --bare r b.git; cd b.git; out varve log -- "$f"; [ "$(grep -c . "$T/out")" = 7 ]; ok "in a bare clone"

# Shards are one model.
new_repo "$T/s"
shard() { # shard FILE NAMES [VALUE OF THE FIRST]
	model "$1" n=1 elems=5000 drop=t0 "set=a$2:${3:-1}" "set=b$2:1" "set=c$2:1"
}
for i in 1 2 3; do shard d-0000$i-of-00003.safetensors $i; done; model d-own.safetensors n=1; git add .; git commit -q -m one; varve measure
shard d-00002-of-00003.safetensors 2 9; git commit -q -am two; varve measure
model d-own.safetensors n=2; git commit -q -am 'another model'
shard d-00003-of-00003.safetensors 1; shard d-00001-of-00003.safetensors 3; git commit -q -am swapped
shard d-00003-of-00003.safetensors 1 7; shard d-00001-of-00003.safetensors 3 7; git commit -q -am 'two files'; varve measure
out varve log d-00001-of-00003.safetensors; [ "$(sed 's/.*  //' "$T/out" | tr '\n' ',')" = 'two files,swapped,two,one,' ]; ok "the commits of any shard, and no other model's"
said '  2 tensors, 2 files  *1\.[0-9]e+00  *two files$' && said '  1 tensor, 1 file  *1\.[0-9]e+00  *two$' && said '  order of tensors  .*swapped$' && said '  +9 tensors  .*one$'; ok "what they did to the model, and how far"
out varve log -t a2 d-00003-of-00003.safetensors && lines 2 && said 'two$' && said 'one$'; ok "--tensor: of any of them"
out varve log --json --names d-00002-of-00003.safetensors; json 'd["commits"][2]["files_changed"] == 1 and d["commits"][2]["path"] == "d-*-of-00003.safetensors" and [n["name"] for n in d["commits"][2]["names"]] == ["a2"]'; ok "--json"
out varve log --one-file d-00002-of-00003.safetensors; lines 2; ok "--one-file"
out varve log -n 1 d-00002-of-00003.safetensors; lines 1 && said 'two files$'; ok "-n of them"
git rm -q d-0000*; for i in 1 2; do shard d-0000$i-of-00002.safetensors $i; done; git add .; git commit -q -m 'fewer files'; out varve log d-00001-of-00002.safetensors; lines 5 && said '[^0-9]3 .*fewer files$\|-3 tensors.*fewer files$'; ok "cut into another number of files"

# Many versions: one git log and one git cat-file, no weights.
git init -q "$T/many"; cd "$T/many"; varve init -q; varve track -q '*.safetensors'
model m.safetensors n=12 elems=8; git add .; git commit -q -m start; git show HEAD:m.safetensors >"$T/base"
python3 - "$T/base" >"$T/stream" <<'P'
import hashlib, re, sys
base = open(sys.argv[1]).read()
out = sys.stdout
print("reset refs/heads/many\n")
for i in range(1000):
    text = re.sub(r'^(tensor "t%d" .* )[0-9a-f]{64}$' % (i % 12), lambda m: m[1] + hashlib.sha256(b"%d" % i).hexdigest(), base, flags=re.M)
    text = re.sub(r"^sha256 .*$", "sha256 " + hashlib.sha256(b"f%d" % i).hexdigest(), text, flags=re.M)
    bare = re.sub(r"^root .*\n", "", text, flags=re.M)
    text = re.sub(r"^root .*$", "root " + hashlib.sha256(bare.encode()).hexdigest(), text, flags=re.M)
    base = text
    print("commit refs/heads/many\ncommitter a <a@example.invalid> %d +0000\ndata 2\nc%d" % (1700000000 + i, i % 10))
    print("M 100644 inline m.safetensors\ndata %d\n%s" % (len(text), text))
P
git fast-import --quiet <"$T/stream"
s=$(date +%s); out varve log many m.safetensors; e=$(date +%s)
[ "$(grep -c . "$T/out")" = 1000 ] && [ "$(grep -c '1 of 12 tensors' "$T/out")" = 999 ]; ok "a thousand versions"
[ $((e - s)) -le 5 ]; ok "in a moment"
out varve log -t t5 many m.safetensors; [ "$(grep -c . "$T/out")" = 84 ]; ok "of which one tensor has eighty-four"
plan_end
