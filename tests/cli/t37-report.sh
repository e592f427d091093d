#!/bin/sh
# diff --html and --markdown: what they hold, what names cannot do to them, and where they are written.
. "$(dirname "$0")/lib.sh"
holds() { grep -q -- "$2" "$1" || { echo "# no $2 in $1"; false; }; }
lacks() { ! grep -q -- "$2" "$1" || { echo "# $2 in $1"; false; }; }

mkdir "$T/f"; cd "$T/f"
python3 - <<'P'
import json, struct
def write(f, t):
    off, head, body = 0, {}, b""
    for n, v in t.items():
        data = struct.pack("<%df" % len(v), *v)
        head[n] = {"dtype": "F32", "shape": [2, len(v) // 2], "data_offsets": [off, off + len(data)]}
        off += len(data); body += data
    h = json.dumps(head).encode()
    open(f, "wb").write(struct.pack("<Q", len(h)) + h + body)
a, b = {}, {}
for i in range(12):
    a["m.layers.%d.attn.q.weight" % i] = [3, 0, 0, 4]
    b["m.layers.%d.attn.q.weight" % i] = [3, 0, 0, 4 + i / 2]
    a["m.layers.%d.mlp.up.weight" % i] = b["m.layers.%d.mlp.up.weight" % i] = [1, 1, 1, 1 + i]
for i in range(9):
    a["m.layers.1.experts.%d.weight" % i] = [1, 1]
    b["m.layers.1.experts.%d.weight" % i] = [1, 1 + (i == 4)]
b["m.layers.3.attn.q.weight"][0] = float("nan")
a["gone"] = [7, 7]
for n in ('<script>alert("1")</script>', "a|b`c``d", "\u202eevil\n# title", "' onmouseover='x", "&lt;"):
    a[n], b[n] = [1, 2], [1, 3]
write("old.safetensors", a)
write("new.safetensors", b)
P
status_is 0 varve diff --no-index old.safetensors new.safetensors --html r.html --markdown r.md && said '17 of 38 tensors changed, 1 removed'; ok "both, beside what is printed"
holds r.html '^<!DOCTYPE html>$' && holds r.html '^</html>$' && holds r.html '<meta charset="utf-8">' && holds r.html '<html lang="en">'; ok "a whole page"
lacks r.html 'https*:' && lacks r.html ' src=' && lacks r.html '<script' && lacks r.html '@import' && lacks r.html 'url('; ok "that needs nothing else"
holds r.html '<span>attn.q</span>' && holds r.html '<span>mlp.up</span>' && holds r.html '<span>experts.\*</span>'; ok "kinds are columns, experts share one"
python3 - r.html <<'P'; ok "layers are rows, by number; cells say how far"
import re, sys
page = open(sys.argv[1], encoding="utf-8").read()
heat = page[page.index('class="heat"'):]
rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', heat)
assert [r[0] for r in rows[:13]] == [str(i) for i in range(12)] + ["all"], rows
cells = [re.findall(r"<td[^>]*>([^<]*)</td>", r[1]) for r in rows]
assert cells[2][0] == "20 %" and cells[0][0] == cells[4][1] == "·" and cells[3][0] == "NaN" and cells[0][2] == "", cells[:5]
assert cells[1][2] == "71 %" and "1 of 9 changed" in rows[1][1], rows[1]
P
holds r.html 'gained NaN or infinite values' && holds r.html 'NaN 0 → 1, inf 0 → 0'; ok "a NaN is told"
[ "$(grep -c '<figure>' r.html)" = 6 ] && [ "$(grep -o '<svg ' r.html | wc -l)" = 12 ] && holds r.html 'aria-label="Histogram of old and new values'; ok "six tensors have histograms, with words for those who do not see them"
holds r.html 'prefers-color-scheme:dark' && holds r.html '@media print'; ok "light, dark and on paper"
holds r.html '&lt;script&gt;alert(' && holds r.html '&#39; onmouseover=&#39;x' && holds r.html '&amp;lt;' && lacks r.html "$(printf '\342\200\256')" && holds r.html 'u202eevil'; ok "names are text, whatever they say"

holds r.md '^| 1 | 17 | 0 | 1 | 0 | `m.layers.11.attn.q.weight` by ' && holds r.md '^> \*\*1 tensor gained NaN'; ok "the text: a summary"
holds r.md '^<details><summary>By layer</summary>$' && holds r.md '^| `m.layers.2` | 1 of 2 | ' && holds r.md '^<details><summary>8 more tensors</summary>$'; ok "layers, and the rest folded"
holds r.md '^| changed | ``` a\\|b`c``d ``` | f32 \[2,1\] |' && lacks r.md '^# title' && [ "$(grep -c '^|' r.md)" = "$(grep -c '|$' r.md)" ]; ok "names stay in their cells"
cp r.html a.html; cp r.md a.md; VARVE_THREADS=1 varve diff -q --no-index old.safetensors new.safetensors --html r.html --markdown r.md; cmp -s r.html a.html && cmp -s r.md a.md; ok "the same again, with one thread and --quiet"
out varve diff --no-index old.safetensors new.safetensors --markdown - && cmp -s "$T/out" a.md; ok "- is standard output, which gets nothing else"
out varve diff --no-index old.safetensors new.safetensors --tensor 'm.*' --html r.html --markdown r.md && lacks r.html script && holds r.md '^| 1 | 12 | 0 | 0 | 0 |'; ok "a filter holds for reports"
out varve diff --json --no-index old.safetensors new.safetensors --html r.html && json 'd["changed"] == 17' && cmp -s r.html a.html; ok "beside --json"
status_is 129 varve diff --json --no-index old.safetensors new.safetensors --html - && err 'both want standard output'; ok "not on the same stream"
status_is 129 varve diff --no-index old.safetensors new.safetensors --html x --markdown x && err 'same file' && [ ! -e x ]; ok "two reports are two files"
echo kept >keep; status_is 128 varve diff --no-index old.safetensors nothing.safetensors --html keep && [ "$(cat keep)" = kept ] && [ -z "$(find . -name '.*' -type f)" ]; ok "after a failure the old file is there, and no half of a new one"
status_is 128 varve diff --no-index old.safetensors new.safetensors --html no/such/r.html && err 'no/such' && one_line; ok "a folder that is not there"
varve diff -q --no-index old.safetensors old.safetensors --html r.html --markdown r.md; holds r.html 'Nothing differs' && holds r.md 'Nothing differs'; ok "nothing differs"

python3 - <<'P'
import json, struct
def write(f, x):
    head = {"%s%d" % ("\u00fc" * 300, i): {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i in range(3000)}
    head.update({"l%d.%d.w" % (i // 500, i): {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i in range(3000, 12000)})
    h = json.dumps(head).encode()
    open(f, "wb").write(struct.pack("<Q", len(h)) + h + struct.pack("<12000f", *[x + i for i in range(12000)]))
write("old.safetensors", 1)
write("new.safetensors", 2)
P
out varve diff -q --no-index old.safetensors new.safetensors --html r.html --markdown r.md; [ "$(wc -c <r.md)" -lt 65536 ] && holds r.md 'more are not listed here' && holds r.md '^</details>$' && [ "$(grep -c '<details>' r.md)" = "$(grep -c '</details>' r.md)" ]; ok "a huge model still fits into a comment"
[ "$(wc -c <r.html)" -lt 4000000 ] && holds r.html '10000 more are not listed here' && holds r.html 'more tensors do not fit into the map'; ok "and into a page"

new_repo "$T/r"; model m.safetensors n=3; git add .; git commit -q -m one
model m.safetensors n=3 set=t1:5; model n.safetensors n=2; git add n.safetensors; varve diff -q HEAD --html "$T/r.html" --markdown "$T/r.md"
holds "$T/r.html" '<h2>n.safetensors</h2>' && holds "$T/r.html" 'new model, 2 tensors' && holds "$T/r.md" '^### `n.safetensors`$' && holds "$T/r.md" '^1 of 3 tensors changed$'; ok "files of a commit, a new one too"
git commit -q -am two; git checkout -q -b side HEAD~1; model m.safetensors n=3 set=t1:6; git commit -q -am side; git merge main >/dev/null 2>&1
varve diff -q --html "$T/r.html" --markdown "$T/r.md"; holds "$T/r.html" 'In conflict' && holds "$T/r.md" 'In conflict'; ok "a conflict"

new_repo "$T/d"; mkdir d; echo a >d/note; model d/m.safetensors n=3; varve track -q d/; git add .gitattributes; varve add -q d; git commit -q -m one
echo b >d/note; echo new >d/more; model d/m.safetensors n=3 set=t1:5; varve add -q d; git commit -q -m two
varve diff -q HEAD~1 HEAD --html "$T/r.html" --markdown "$T/r.md"; holds "$T/r.html" '<h2>d/note</h2>' && holds "$T/r.html" '<p class="soft">new file</p>' && holds "$T/r.html" 't1' && holds "$T/r.md" '^### `d/more`$' && holds "$T/r.md" '^1 of 3 tensors changed$'; ok "files of a directory"
varve diff HEAD~1 HEAD --tensor t1 --markdown "$T/r.md" >"$T/out"; said '1 of 1 tensors' && ! grep -q note "$T/out" && lacks "$T/r.md" note; ok "with a filter only models"
out varve diff HEAD~1 HEAD --markdown -; head -1 "$T/out" | grep -q '^## ' && ! said '^d/note: ' >/dev/null; ok "and nothing beside a report on standard output"
plan_end
