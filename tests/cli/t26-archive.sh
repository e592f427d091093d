#!/bin/sh
# archive: git archive, with models instead of manifests.
. "$(dirname "$0")/lib.sh"

new_repo "$T/r"; d=$(printf 'd%.0s' $(seq 1 80)); mkdir -p "sub/$d/$d" ign
model m.safetensors n=3; model "sub/a name ü.safetensors" n=40 seed=2; model "sub/$d/$d/deep.safetensors" n=1 seed=3
echo text >note; printf '#!/bin/sh\n' >run; chmod +x run; ln -s m.safetensors link; echo no >ign/x; chmod +x m.safetensors
echo 'ign export-ignore' >>.gitattributes; git add .; git commit -q -m one; git tag v1
model m.safetensors n=3 seed=9; git commit -q -am two

varve archive v1 >"$T/a.tar"; ok "archive"
mkdir "$T/x"; tar xf "$T/a.tar" -C "$T/x"; ok "tar reads it"
git archive v1 | tar t >"$T/want"; tar tf "$T/a.tar" >"$T/have"; cmp -s "$T/want" "$T/have"; ok "the files of git archive, in its order"
git -c core.hooksPath=/dev/null worktree add -q "$T/wt" v1 2>/dev/null; (cd "$T/wt" && varve checkout -q); cd "$T/r"
for f in m.safetensors "sub/a name ü.safetensors" "sub/$d/$d/deep.safetensors" note run; do
	cmp -s "$T/x/$f" "$T/wt/$f" || echo "# $f differs" >>"$T/bad"
done
[ ! -e "$T/bad" ] && [ -x "$T/x/run" ] && [ -x "$T/x/m.safetensors" ] && [ "$(readlink "$T/x/link")" = m.safetensors ]; ok "models, files, modes, links"
[ ! -e "$T/x/ign" ]; ok "export-ignore counts"
[ "$(stat -c %Y "$T/x/m.safetensors")" = "$(git log -1 --format=%ct v1)" ]; ok "the time of the commit"
varve archive v1 | cmp -s - "$T/a.tar"; ok "twice the same bytes"
[ $(($(stat -c %s "$T/a.tar") % 10240)) = 0 ]; ok "whole records"
[ "$(git get-tar-commit-id <"$T/a.tar")" = "$(git rev-parse v1)" ]; ok "with the commit's name in it"
out varve archive --prefix p/q/ -o "$T/b.tar" v1 sub && err 'b.tar: 2 files, 2 of them models'; ok "-o, --prefix, PATH"
tar tf "$T/b.tar" | grep -q '^p/q/sub/a name' && ! tar tf "$T/b.tar" | grep -q note; ok "only that"
out varve archive --json -o "$T/b.tar" v1; json 'd["models"] == 3 and d["files"] == 6 and d["bytes"] % 10240 == 0' || json 'd["models"] == 3'; ok "--json"
cd sub; varve archive v1 | tar t | grep -q '^a name'; ok "from a subfolder: what is below"; cd ..
varve archive v1:sub | tar xO "a name ü.safetensors" | cmp -s - "$T/wt/sub/a name ü.safetensors"; ok "a tree"
git clone -q --bare . "$T/b.git"; (cd "$T/b.git" && varve archive v1 | tar xO m.safetensors) | cmp -s - "$T/wt/m.safetensors"; ok "from a bare clone, whose remote has the objects"
status_is 128 varve archive nope && err "'nope' names no tree here" && one_line; ok "no such revision"
status_is 128 varve archive v1 nope && err "pathspec 'nope' did not match" && one_line; ok "no such path"
status_is 129 varve archive -o "$T/c.zip" v1 && err 'only tar'; ok "no other format"
status_is 129 varve archive --json v1; ok "--json needs -o"
git show v1:m.safetensors >fixture.txt; sed -i "s/^sha256 .*/sha256 $(printf %064d 0)/" fixture.txt; git add fixture.txt; git commit -q -m fixture
varve archive HEAD | tar xO fixture.txt | cmp -s - fixture.txt; ok "a text that only looks like a manifest stays"
chmod -R u+w .git/varve; rm .git/varve/packs/*; git remote remove origin 2>/dev/null
status_is 128 varve archive -o "$T/d.tar" HEAD && err 'm.safetensors: .*not in the store' && one_line && [ ! -e "$T/d.tar" ]; ok "missing objects: an error, and no file"
plan_end
