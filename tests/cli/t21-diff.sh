#!/bin/sh
# diff: sides and files as git diff picks them, changes by tensor, how far they moved.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"
model m.safetensors n=4; echo text >note; git add .; git commit -q -m one; git tag v1
status_is 0 varve diff && lines 0; ok "nothing changed"
model m.safetensors n=4 set=t1:7 set=new:1 drop=t3; echo more >>note
status_is 0 varve diff; ok "the worktree against the index"
said '^m.safetensors: 1 of 4 tensors changed, 1 added, 1 removed$'; ok "counted"
said '^  changed  t1 .*bf16 \[4096\] .*1\.4.e+00 .*>99.9 %  [45][0-9.]* %  *-$' || said '^  changed  t1 .*bf16 \[4096\] .*1\.4.e+00 .*%  [45][0-9.]* %  *-$'; ok "a changed tensor with its distance"
said '^  removed  t3 ' && said '^  added    new '; ok "added and removed ones"
[ "$(grep -c . "$T/out")" = 6 ] && tail -1 "$T/out" | grep -q '^1 file, 1 tensor changed, 1 added, 1 removed; most changed: t1'; ok "a summary, and no word about other files"
out varve diff --json; json 'len(d["files"]) == 1 and [(i["change"], i["name"]) for i in d["files"][0]["items"]] == [("changed", "t1"), ("removed", "t3"), ("added", "new")]'
ok "--json, in file order"
json 'i0["delta"]["elements"] == 4096 and i0["delta"]["changed"] > 4000 and abs(i0["delta"]["cosine"]) < 0.1 and i0["delta"]["max_abs"] > 0 if (i0 := d["files"][0]["items"][0]) else 0'
ok "with its numbers"
status_is 0 varve diff --stat; said '^ m.safetensors  1 of 4 tensors changed, 1 added, 1 removed  33' && lines 2; ok "--stat"
status_is 1 varve diff --exit-code && status_is 1 varve diff -q && lines 0; ok "--exit-code, --quiet"
git commit -q -am two; git tag v2
status_is 0 varve diff HEAD && lines 0; status_is 0 varve diff --exit-code HEAD; ok "equal to HEAD"
out varve diff v1; cp "$T/out" "$T/a"; out varve diff v1 v2; cmp -s "$T/a" "$T/out"; ok "one revision, two revisions"
out varve diff v1..v2; cmp -s "$T/a" "$T/out" && out varve diff v1.. && cmp -s "$T/a" "$T/out"; ok "A..B, A.."
git checkout -q -b side v1; echo x >x; git add x; git commit -q -m side
out varve diff side...main; cmp -s "$T/a" "$T/out"; ok "A...B"; git checkout -q main
out varve diff v1 v2 -- note && lines 0 && out varve diff v1 v2 -- m.safetensors && cmp -s "$T/a" "$T/out"; ok "paths"
mkdir sub; cd sub; out varve diff v1 v2 -- .. && cmp -s "$T/a" "$T/out" && out varve diff v1 v2 . && lines 0; ok "from a subfolder"; cd ..
out varve diff v1:m.safetensors v2:m.safetensors && cmp -s "$T/a" "$T/out"; ok "REV:FILE twice"
git mv m.safetensors 'a new ü.safetensors'; git commit -q -m moved; out varve diff HEAD~1 HEAD && said '^m.safetensors → a new ü.safetensors: renamed, the same bytes$'; ok "a renamed file"
status_is 1 varve diff --exit-code HEAD~1 HEAD; ok "is a change"
model 'a new ü.safetensors' n=4 set=t1:8 set=new:1 drop=t3; git add .; git commit -q -m three
out varve diff v2 HEAD; said '^m.safetensors → a new ü.safetensors: 1 of 4 tensors changed$'; ok "renamed and changed"
out varve diff v2 HEAD --json; json 'd["files"][0]["change"] == "renamed" and d["files"][0]["old_path"] == "m.safetensors"'; ok "in --json"
model other.safetensors n=2; git add other.safetensors; git rm -q --cached 'a new ü.safetensors'
out varve diff --cached; said '^other.safetensors: new model, 2 tensors$' && said 'a new ü.safetensors: removed, 4 tensors'; ok "--cached: a new and a removed model"
git reset -q --hard; model z.safetensors n=2 elems=8; cp z.safetensors y.safetensors
python3 - <<'P'
import json, struct
def write(f, t):
    off, head, body = 0, {}, b""
    for n, (dt, shape, data) in t.items():
        head[n] = {"dtype": dt, "shape": shape, "data_offsets": [off, off + len(data)]}
        off += len(data); body += data
    h = json.dumps(head).encode()
    open(f, "wb").write(struct.pack("<Q", len(h)) + h + body)
f = lambda *v: struct.pack("<%df" % len(v), *v)
write("p.safetensors", {"a": ("F32", [2, 2], f(3, 0, 0, 4)), "b": ("F32", [4], f(1, 2, 3, 4)), "c": ("F32", [2], f(1, 1)), "d": ("F32", [1], f(9)), "n": ("F32", [2], f(1, 1))})
write("q.safetensors", {"a": ("F32", [2, 2], f(3, 0, 0, 5)), "b": ("F32", [2, 2], f(1, 2, 3, 4)), "c": ("F64", [2], struct.pack("<2d", 1, 1)), "e": ("F32", [1], f(9)), "n": ("F32", [2], f(1, float("nan")))})
P
out varve diff --no-index p.safetensors q.safetensors; ok "two files"
said '^  changed  *a  *f32 \[2,2\]  *2.00e-01  *0.994[0-9]*  *1.00e+00  *25.0 %  *0.0 %  *1.0$'; ok "relative L2, cosine, max, share"
said '^  reshaped  *b  *f32 \[4\] → f32 \[2,2\]' && said '^  retyped  *c  *f32 \[2\] → f64 \[2\]  *0.00e+00'; ok "reshaped, retyped"
said '^  renamed  *d → e  *f32 \[1\]$'; ok "renamed"
said '^  changed  *n .*NaN 0 → 1, inf 0 → 0$'; ok "NaN is told"
sed -n '3p' "$T/out" | grep -q '^  changed  *n '; ok "and comes first"
out varve diff --json --no-index p.safetensors q.safetensors; json '{i["name"]: i["change"] for i in d["files"][0]["items"]} == {"a": "changed", "b": "reshaped", "c": "retyped", "e": "renamed", "n": "changed"}'; ok "and in --json"
json '[i["order"] for i in d["files"][0]["items"]] == [2, 4, 3, 5, 1] and (x := d["files"][0]["items"][0]["delta"])["stable_rank"] == 1 and x["zeros_old"] == x["zeros_new"] == 2 and x["sign_flips"] == 0 and x["mean_old"] == 1.75 and abs(x["std_new"] - 2.1213203) < 1e-6'; ok "with more numbers, and the order of change"
out varve diff --order=file --no-index p.safetensors q.safetensors; [ "$(sed -n '3,7s/^  [a-z]*  *\([a-z]\).*/\1/p' "$T/out" | tr -d '\n')" = abcdn ]; ok "--order=file"
status_is 129 varve diff --order=name --no-index p.safetensors q.safetensors && err "not 'name'"; ok "another order"
python3 - <<'P'
import json, struct
def write(f, t):
    off, head, body = 0, {}, b""
    for n, v in t.items():
        data = struct.pack("<%df" % len(v), *v)
        head[n] = {"dtype": "F32", "shape": [len(v)], "data_offsets": [off, off + len(data)]}
        off += len(data); body += data
    h = json.dumps(head).encode()
    open(f, "wb").write(struct.pack("<Q", len(h)) + h + body)
write("k.safetensors", {"m.0.a": (3, 4), "m.0.b": (0, 12), "m.1.a": (1, 1), "m.10.a": (1, 1), "n": (1, 0)})
write("l.safetensors", {"m.0.a": (3, 5), "m.0.b": (0, -12), "m.1.a": (1, 1), "m.10.a": (1, 2), "n": (10, 0), "o": (1, 2)})
P
out varve diff --layers --no-index k.safetensors l.safetensors
said '^  m  *3 of 4 changed  1.8[0-9e+]*' && said '^    0  *2 of 2 changed  1.85e+00  -0.66[0-9]*  2.40e+01  *50.0 %  *25.0 %$' && said '^      b  *changed' && ! grep -q '^    1  ' "$T/out" && said '^  o  *added$' && said '^    10.a  *changed'; ok "--layers: sums of what is below, only where something changed"
[ "$(sed -n 3p "$T/out" | cut -c1-5)" = "  n  " ]; ok "what changed most first"
out varve diff --layers --order=file --depth 1 --no-index k.safetensors l.safetensors; [ "$(sed -n '3,5s/^  \(.\).*/\1/p' "$T/out" | tr -d '\n')" = mno ] && lines 6; ok "--order=file, --depth"
out varve diff --layers --json --no-index k.safetensors l.safetensors; json '[(l["layer"], l["changed"]) for l in d["files"][0]["layers"]][:4] == [("n", 1), ("m", 3), ("m.0", 2), ("m.0.b", 1)] and abs(d["files"][0]["layers"][2]["relative_l2"] - 577 ** .5 / 13) < 1e-6 and len(d["files"][0]["items"]) == 5'; ok "--layers --json"
out varve diff --layer m.0 --no-index k.safetensors l.safetensors; said ': 2 of 2 tensors changed$' && ! grep -q 'm.10' "$T/out"; ok "--layer"
out varve diff --layer 'm.1*' -t o --no-index k.safetensors l.safetensors; said ': 1 of 3 tensors changed, 1 added$'; ok "--layer and --tensor: either"
status_is 0 varve diff --exit-code --tensor 'no*' --no-index k.safetensors l.safetensors && lines 0; ok "nothing of that name: no difference"
status_is 129 varve diff --depth 1 --no-index k.safetensors l.safetensors && err 'goes with --layers' && status_is 129 varve diff --layers --stat; ok "options that do not go together"
out varve diff --exact --no-index p.safetensors q.safetensors && said '1.0$'; ok "--exact"
out git difftool -y -x 'varve diff --no-index' v1 v2 && said ': 1 of 4 tensors changed, 1 added, 1 removed$' && said '^  changed  t1 '; ok "git difftool with it"
git config difftool.varve.cmd 'varve diff --no-index "$LOCAL" "$REMOTE"'; out git difftool -y -t varve v1 v2 && said ': 1 of 4 tensors changed, 1 added, 1 removed$'; ok "set up as a tool"
mv .git/varve/packs "$T/packs"
for c in 'diff v1 v2' 'log -p --all' 'show v2' 'log -p -S t1' 'diff --stat v1 v2'; do
	GIT_TRACE="$T/trace" git --no-pager $c -- m.safetensors >"$T/out" 2>"$T/err" && [ ! -s "$T/err" ] && ! grep -q varve "$T/trace" || break; rm "$T/trace"
done && [ ! -e "$T/trace" ]; ok "git diff, log -p and show are text: nothing of varve runs, and no weights are there"
mv "$T/packs" .git/varve/packs
out git diff v1 v2 -- m.safetensors && said '^-tensor "t1" bf16 \[[0-9]*\] [0-9a-f]*$' && said '^+tensor "new"' && [ "$(grep -c '^[-+]tensor' "$T/out")" = 4 ]; ok "a line for each tensor"
cd "$T"; out varve diff r/p.safetensors r/q.safetensors; said '^  renamed '; ok "outside of git"
cd "$T/r"; status_is 128 varve diff nope && err "'nope' names no commit and no file here" && one_line; ok "neither revision nor file"
status_is 129 varve diff v1 v2 v1 -- m.safetensors && err "at most two"; ok "too many revisions"
printf 'x' >v1; status_is 129 varve diff v1 && err 'is a revision and a file'; ok "what is both is refused"; rm v1
git clone -q --bare . "$T/b.git"; cd "$T/b.git"; out varve diff v1 v2; cmp -s "$T/a" "$T/out"; ok "a bare repository"
status_is 129 varve diff && err 'no worktree'; ok "which has no worktree"
cd "$T/r"; git checkout -q -b left v2; model m.safetensors n=4 set=t1:10 set=new:1 drop=t3; git commit -q -am l
git checkout -q -b right v2; model m.safetensors n=4 set=t1:11 set=new:1 drop=t3; git commit -q -am r; git merge left >/dev/null 2>&1
out varve diff; said '^m.safetensors: in conflict'; ok "a conflict is named"
git merge --abort; git worktree add -q "$T/wt" v2; cd "$T/wt"; model m.safetensors n=4 set=t2:1 set=new:1 drop=t3; out varve diff; said '2 of 4 tensors'; ok "a linked worktree"
out git difftool -y -t varve && said ': 2 of 4 tensors changed$'; ok "git difftool of a worktree's model"
plan_end
