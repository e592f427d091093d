#!/usr/bin/env python3
"""The n-th call fails, is cut short, or is the last: for every n, every kind of call, every command.

Rows C1, C2, C7, C9-C12, C15-C17 and M-rows of writing. After each run: a documented exit status and one
clear line; nothing half-written under a final name, no temporary file unless killed; the worktree's
model old, new or git's text; what was acknowledged comes back; the command run again succeeds.
"""
import json
import multiprocessing
import os
import sys
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

WORDS = ["n=3", "elems=2000"]
CHANGES = "create,write,sync,name,unlink,mkdir,meta"


class Base(Scenario):
    """main: v1 - v2 (a small step); side: v1 - v3 (another tensor). A bare hub has v1."""

    name = "base"

    def __init__(self, folder):
        self.template = os.path.join(folder, "base")
        os.mkdir(self.template)
        self.r = r = os.path.join(self.template, "r")
        m = os.path.join(r, MODEL)
        new_repo(r)
        self.old = {"v1": make_model(m, "seed=1", *WORDS)}
        git(r, "add", MODEL)
        git(r, "commit", "-q", "-m", "v1")
        git(r, "tag", "v1")
        git(r, "switch", "-q", "-c", "side")
        self.old["v3"] = make_model(m, "seed=1", "set=t2:9", *WORDS)
        git(r, "commit", "-q", "-a", "-m", "v3")
        git(r, "tag", "v3")
        git(r, "switch", "-q", "main")
        with open(m, "rb") as f:
            data = bytearray(f.read())
        for i in range(len(data) - 3 * 4000, len(data) - 2 * 4000, 6):
            data[i] ^= 1
        with open(m + ".new", "wb") as f:
            f.write(data)
        os.rename(m + ".new", m)
        os.utime(m, (time.time() - 10,) * 2)
        self.old["v2"] = sum_of(m)
        git(r, "commit", "-q", "-a", "-m", "v2")
        git(r, "tag", "v2")
        self.head = "v2"


class AddNew(Scenario):
    name = "varve add of a new model"
    steps = [["varve", "add", "-q", "new.safetensors"]]
    finish = [["git", "commit", "-q", "-m", "new"]]

    def prepare(self, base):
        self.sum = make_model(os.path.join(self.r, "new.safetensors"), "seed=5", *WORDS)

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        yield from restores(os.path.join(at, "r"), {"HEAD": self.sum}, "new.safetensors")


class AddDelta(Scenario):
    name = "varve add of the next version"
    steps = [["varve", "add", "-q", MODEL]]
    finish = [["git", "commit", "-q", "-m", "v4"]]

    def prepare(self, base):
        self.worktree = near(os.path.join(self.r, MODEL), os.path.join(self.r, MODEL))
        self.new = {"HEAD": self.worktree}


class GitAdd(AddDelta):
    name = "git add, git commit"
    steps = [["git", "add", MODEL], ["git", "commit", "-q", "-m", "v4"]]
    finish = []

    def again(self, at):
        r = run(["git", "commit", "-q", "-a", "-m", "v4"], os.path.join(at, "r"))
        if r.status and "nothing to commit" not in r.out:
            yield "again: " + str(r)


class Checkout(Scenario):
    name = "git checkout"
    steps = [["git", "checkout", "-q", "v3"]]

    def prepare(self, base):
        self.worktree = base.old["v3"]


class Reset(Checkout):
    name = "git reset --hard"
    steps = [["git", "reset", "-q", "--hard", "v3"]]


class Materialise(Scenario):
    name = "varve checkout"
    steps = [["varve", "checkout", "-q"]]

    def __init__(self, base, folder):
        super().__init__(base, folder)
        m = os.path.join(self.r, MODEL)
        text = git(self.r, "show", "HEAD:" + MODEL)
        with open(m, "w") as f:
            f.write(text)
        os.utime(m, (time.time() - 10,) * 2)


class Restore(Scenario):
    name = "varve restore --tensor"
    steps = [["varve", "restore", "-q", "v3", "--tensor", "t2", "--", MODEL]]

    def prepare(self, base):
        copy(self.r, self.r + ".x")
        must(self.steps[0], self.r + ".x")
        self.worktree = sum_of(os.path.join(self.r + ".x", MODEL))
        subprocess.check_call(["rm", "-rf", self.r + ".x"])


class Revert(Scenario):
    """One tensor of v2 is undone: the file is the one before or the one after."""

    name = "varve revert"
    steps = [["varve", "revert", "-q", "-t", "t*", "v2", MODEL]]

    def prepare(self, base):
        self.worktree = self.old["v1"]


class Stash(Scenario):
    name = "git stash, git stash pop"
    steps = [["git", "stash", "-q"], ["git", "stash", "pop", "-q"]]

    def prepare(self, base):
        self.head_sum = base.old["v2"]
        self.worktree = near(os.path.join(self.r, MODEL), os.path.join(self.r, MODEL))

    def allowed(self):
        return {self.before, self.worktree, self.head_sum}

    def again(self, at):
        r = os.path.join(at, "r")
        m = os.path.join(r, MODEL)
        if os.path.exists(m):
            run(["varve", "checkout", "-q"], r)
        if os.path.exists(m) and sum_of(m) == self.worktree:
            return
        for words in (["git", "checkout", "-q", "-f", "HEAD", "--", "."], ["git", "stash", "pop", "-q"]):
            done = run(words, r)
            if done.status:
                yield "again: " + str(done)


class Merge(Scenario):
    name = "git merge"
    steps = [["git", "merge", "-q", "--no-edit", "side"]]

    def prepare(self, base):
        copy(self.r, self.r + ".x")
        must(self.steps[0], self.r + ".x")
        self.worktree = sum_of(os.path.join(self.r + ".x", MODEL))
        self.new = {"HEAD": self.worktree}
        subprocess.check_call(["rm", "-rf", self.r + ".x"])

    def allowed(self):
        return {self.before, self.worktree, self.old["v3"]}

    def again(self, at):
        r = os.path.join(at, "r")
        if run(["git", "rev-parse", "-q", "--verify", "HEAD^2"], r).status == 0:
            return
        done = run(["git", "reset", "-q", "--hard"], r)
        if done.status:
            yield "again: " + str(done)
        yield from super().again(at)


class MergeRule(Merge):
    """Both sides changed t0: a rule makes one of both, and that is noted."""

    name = "git merge by a rule"
    steps = [["git", "-c", "varve.merge=* linear", "merge", "-q", "--no-edit", "clash"]]

    def clash(self):
        git(self.r, "switch", "-q", "-c", "clash", "v1")
        make_model(os.path.join(self.r, MODEL), "seed=1", "set=t0:7", "set=t2:9", *WORDS)
        git(self.r, "commit", "-q", "-a", "-m", "clash")
        git(self.r, "switch", "-q", "main")

    def prepare(self, base):
        self.clash()
        super().prepare(base)

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        done = run(["git", "notes", "--ref=varve-merge", "list", "HEAD:" + MODEL], os.path.join(at, "r"))
        if done.status:
            yield "how it was merged is not noted: " + str(done)


class Resolve(MergeRule):
    """The same without a rule, settled by hand; after a failure first given up."""

    name = "git merge with a conflict, varve resolve"
    steps = [["sh", "-c", "git merge -q --no-edit clash; git rev-parse -q --verify MERGE_HEAD >/dev/null && varve resolve -q --theirs"]]
    finish = [["git", "commit", "-q", "--no-edit"]]

    def prepare(self, base):
        self.clash()
        r = self.r + ".x"
        copy(self.r, r)
        run(["git", "merge", "-q", "--no-edit", "clash"], r)
        self.partial = sum_of(os.path.join(r, MODEL))
        must(["varve", "resolve", "-q", "--theirs"], r)
        self.worktree = sum_of(os.path.join(r, MODEL))
        self.new = {"HEAD": self.worktree}
        subprocess.check_call(["rm", "-rf", r])
        if self.partial in (self.worktree, self.old["v2"]):
            raise AssertionError("the conflict leaves nothing to be seen")

    def allowed(self):
        return {self.before, self.partial, self.worktree}

    def again(self, at):
        r = os.path.join(at, "r")
        going = run(["git", "rev-parse", "-q", "--verify", "MERGE_HEAD"], r).status == 0
        done = run(["git", "merge", "--abort"] if going else ["git", "reset", "-q", "--hard"], r)
        if done.status:
            done = run(["git", "reset", "-q", "--hard"], r)
        if done.status:
            yield "abort: " + str(done)
        run(["varve", "checkout", "-q"], r)
        if sum_of(os.path.join(r, MODEL)) != self.before:
            yield "the model before the merge is not back"
        if os.listdir(os.path.join(r, ".git/varve/conflicts")) if os.path.isdir(os.path.join(r, ".git/varve/conflicts")) else []:
            yield "a record was left"
        yield from Scenario.again(self, at)


class Push(Scenario):
    name = "git push to a path"
    steps = [["git", "push", "-q", "hub", "main", "side", "--tags"]]

    def prepare(self, base):
        git(self.template, "clone", "-q", "--bare", "r", "hub.git")
        git(os.path.join(self.template, "hub.git"), "remote", "remove", "origin")
        for ref in git(os.path.join(self.template, "hub.git"), "for-each-ref", "--format=%(refname)").split():
            git(os.path.join(self.template, "hub.git"), "update-ref", "-d", ref)
        git(os.path.join(self.template, "hub.git"), "gc", "-q", "--prune=now")
        git(self.r, "remote", "add", "hub", "../hub.git")

    def stores(self, at):
        return super().stores(at) + [os.path.join(at, "hub.git/varve")]

    def wrong_after(self, at, fault, result):
        yield from super().wrong_after(at, fault, result)
        yield from self.hub_wrong(at)

    def hub_wrong(self, at):
        """Objects before refs: what the hub's refs name, the hub has."""
        hub = os.path.join(at, "hub.git")
        refs = git(hub, "for-each-ref", "--format=%(refname)").split()
        if refs and not os.path.isdir(os.path.join(hub, "varve/packs")):
            yield "the hub has refs and no store"
        elif refs:
            yield from fsck_wrong(hub)

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        yield from self.hub_wrong(at)
        hub = os.path.join(at, "hub.git")
        if len(git(hub, "for-each-ref").splitlines()) != 5:
            yield "the hub lacks refs"
        os.rename(os.path.join(at, "r"), os.path.join(at, "away"))
        git(at, "clone", "-q", "hub.git", "c")
        must(["varve", "init", "-q"], os.path.join(at, "c"))
        yield from restores(os.path.join(at, "c"), self.old)
        os.rename(os.path.join(at, "away"), os.path.join(at, "r"))


def far(repo):
    """What stands for ssh runs the far end in the folder above, where it is harmed as well."""
    with open(os.path.join(repo, "../ssh"), "w") as f:
        f.write('cd "$(dirname "$0")" && exec sh -c "$2"\n')
    git(repo, "config", "core.sshCommand", "sh ../ssh")
    git(repo, "config", "ssh.variant", "simple")


class PushFar(Push):
    name = "git push over ssh"

    def prepare(self, base):
        super().prepare(base)
        git(self.r, "remote", "set-url", "hub", "host:hub.git")
        far(self.r)


class FetchFar(Scenario):
    """The first checkout of a clone, whose objects are all at the other end."""
    name = "varve init over ssh"
    repo = "c"
    steps = [["varve", "init", "-q"]]

    def prepare(self, base):
        r, hub = os.path.join(self.template, "r"), os.path.join(self.template, "hub.git")
        git(self.template, "clone", "-q", "--bare", "r", "hub.git")
        os.rename(os.path.join(r, ".git/varve"), os.path.join(hub, "varve"))
        git(self.template, "clone", "-q", "--no-local", "hub.git", "c")
        shutil.rmtree(r)
        git(self.r, "remote", "set-url", "origin", "host:hub.git")
        far(self.r)
        self.worktree = base.old["v2"]

    def stores(self, at):
        return super().stores(at) + [os.path.join(at, "hub.git/varve")]

    def wrong_after(self, at, fault, result):
        # Not fsck: what nobody asked for is at the other end.
        if result.status > 0 and not fault.killed and not ERROR_LINE.search(result.err):
            yield "no line says why"
        for store in self.stores(at):
            yield from store_wrong(store)
        for path in [] if fault.killed else leftovers(at):
            yield path + " was left behind"
        m = os.path.join(at, "c", MODEL)
        if not is_text(m) and sum_of(m) != self.worktree:
            yield "the worktree has neither the model nor git's text"


class Clone(Scenario):
    name = "git clone"
    repo = "c"
    steps = [(".", ["git", "clone", "-q", "r", "c"])]

    def __init__(self, base, folder):
        super().__init__(base, folder)
        home = os.path.join(self.template, "home")
        os.mkdir(home)
        shutil.copy(os.environ["HOME"] + "/.gitconfig", home)
        self.env = {"HOME": home, "XDG_CONFIG_HOME": home + "/.config"}
        must(["varve", "init", "--global", "-q"], home, env=self.env)
        self.worktree = base.old["v2"]

    def stores(self, at):
        return [os.path.join(at, "r/.git/varve"), os.path.join(at, "c/.git/varve")]

    def wrong_after(self, at, fault, result):
        if os.path.exists(os.path.join(at, "c/.git/varve/format")) and result.status == 0:
            yield from super().wrong_after(at, fault, result)
        elif not fault.killed:
            if not ERROR_LINE.search(result.err):
                yield "no line says why"
            for path in leftovers(at):
                yield path + " was left behind"

    def again(self, at):
        if os.path.exists(os.path.join(at, "c")):
            shutil.rmtree(os.path.join(at, "c"))
        yield from super().again(at)

    def wrong_at_end(self, at, result):
        # A clone whose first smudge could not set varve up says so in doctor, and is mended by it.
        c = os.path.join(at, "c")
        done = run(["varve", "doctor", "--fix"], c, env=self.env)
        if done.status:
            yield str(done)
        yield from super().wrong_at_end(at, result)


class Init(Scenario):
    name = "varve init"
    steps = [["varve", "init", "-q"]]

    def __init__(self, base, folder):
        super().__init__(base, folder)
        for part in ("varve", "hooks"):
            shutil.rmtree(os.path.join(self.r, ".git", part), ignore_errors=True)
        for key in ("filter.varve", "merge.varve", "diff.varve"):
            run(["git", "config", "--remove-section", key], self.r)
        os.mkdir(os.path.join(self.r, ".git/hooks"))
        with open(os.path.join(self.r, ".git/hooks/post-checkout"), "w") as f:
            f.write("#!/bin/sh\necho mine >>ran\n")
        os.chmod(f.name, 0o755)
        self.old = {}

    def wrong_after(self, at, fault, result):
        h = os.path.join(at, "r/.git/hooks/post-checkout")
        texts = [open(p).read() for p in (h, h + ".before-varve") if os.path.exists(p)]
        if not any("echo mine" in t for t in texts) or not os.access(h, os.X_OK):
            yield "the user's own hook is lost"

    def wrong_at_end(self, at, result):
        r = os.path.join(at, "r")
        for name in os.listdir(os.path.join(r, ".git/hooks")):
            if name[0] != "." and not os.access(os.path.join(r, ".git/hooks", name), os.X_OK):
                yield "the hook %s cannot be run" % name
        make_model(os.path.join(r, MODEL), "seed=3", *WORDS)
        git(r, "add", MODEL)
        git(r, "commit", "-q", "-m", "x")
        git(r, "checkout", "-q", "--detach")
        if not os.path.exists(os.path.join(r, "ran")):
            yield "the user's own hook does not run"
        done = run(["varve", "doctor"], r)
        if done.status:
            yield str(done)


class Leave(Scenario):
    name = "varve leave"
    steps = [["varve", "leave", "-q"]]

    def wrong_at_end(self, at, result):
        r = os.path.join(at, "r")
        if sum_of(os.path.join(r, MODEL)) != self.old["v2"]:
            yield "the model is not in the worktree"
        with open(os.path.join(r, ".gitattributes")) as f:
            if "varve" in f.read():
                yield "attributes are left"
        if run(["git", "config", "--local", "filter.varve.clean"], r).status == 0:
            yield "the filter is left"
        if any("varve" in open(p).read() for p in files_below(os.path.join(r, ".git/hooks"))):
            yield "hooks are left"
        git(r, "commit", "-q", "-a", "-m", "left")
        out = subprocess.run(["git", "show", "HEAD:" + MODEL], cwd=r, stdout=subprocess.PIPE).stdout
        if hashlib.sha256(out).hexdigest() != self.old["v2"]:
            yield "git does not have the plain file"


class Convert(Scenario):
    name = "varve convert"
    own = "f16.npz"
    exported = "exported.safetensors"
    steps = [["varve", "convert", "-q", "-d", "f16", "v1:" + MODEL, "-o", own],
             ["varve", "convert", "-q", "--with", 'cp "$1" "$VARVE_OUTPUT"; echo more >"$VARVE_OUTPUT.data"', "v1:" + MODEL, "-o", exported]]

    def made(self, at, whole):
        """Each file is whole or not there; `whole`: all are there."""
        r = os.path.join(at, "r")
        path, own, record = (os.path.join(r, n) for n in (self.exported, self.own, self.exported + ".lineage.json"))
        if whole or os.path.exists(path):
            if sum_of(path) != self.old["v1"] or open(path + ".data").read() != "more\n":
                yield "the exported file is not whole"
        if whole or os.path.exists(record):
            if json.load(open(record))["output"]["sha256"] != self.old["v1"]:
                yield "the record is another's"
        if whole or os.path.exists(own):
            if len(zipfile.ZipFile(own).namelist()) != 3 or zipfile.ZipFile(own).testzip():
                yield "the converted file is not whole"

    def wrong_after(self, at, fault, result):
        yield from super().wrong_after(at, fault, result)
        yield from self.made(at, False)
        # Without memory folders cannot be walked.
        left = [n for n in os.listdir(os.path.join(at, "r")) if n.startswith(".varve-")]
        if left and not fault.killed and "alloc" not in fault.classes:
            yield "left behind: %s" % left

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        yield from self.made(at, True)


class MergeModels(Scenario):
    name = "varve merge"
    made = ["ties.safetensors", "folder/model.safetensors"]
    steps = [["varve", "merge", "-q", "-m", "ties", "-b", "v1:" + MODEL, "--density", "0.5", "v2:" + MODEL, "v3:" + MODEL, "-o", made[0]],
             ["varve", "merge", "-q", "v1:" + MODEL, MODEL, "-o", "folder/"]]

    def prepare(self, base):
        copy(self.r, self.r + ".x")
        for step in self.steps:
            must(step, self.r + ".x")
        self.sums = [sum_of(os.path.join(self.r + ".x", name)) for name in self.made]
        subprocess.check_call(["rm", "-rf", self.r + ".x"])

    def files_wrong(self, at, whole):
        """Each file is whole or not there; `whole`: all are there."""
        for name, want in zip(self.made, self.sums):
            path = os.path.join(at, "r", name)
            if (whole or os.path.exists(path)) and sum_of(path) != want:
                yield name + " is not whole"

    def wrong_after(self, at, fault, result):
        yield from super().wrong_after(at, fault, result)
        yield from self.files_wrong(at, False)
        left = [p for p in files_below(os.path.join(at, "r")) if "/.varve-tmp-" in p]
        if left and not fault.killed and "alloc" not in fault.classes:
            yield "left behind: %s" % left

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        yield from self.files_wrong(at, True)
        for name in self.made:
            done = run(["varve", "merge", "-q", "--verify", name], os.path.join(at, "r"))
            if done.status:
                yield str(done)


class Gc(Scenario):
    """v3 is forgotten: its objects go to the trash and from there; the packs of the others are put together."""

    name = "varve gc"
    steps = [["varve", "gc", "-q", "--grace", "now"], ["varve", "gc", "-q", "--grace", "now"]]

    def prepare(self, base):
        git(self.r, "tag", "-d", "v3")
        git(self.r, "branch", "-q", "-D", "side")
        git(self.r, "reflog", "expire", "--expire=now", "--all")
        git(self.r, "gc", "-q", "--prune=now")
        del self.old["v3"]
        age_store(os.path.join(self.r, ".git/varve"))

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        if any(files_below(os.path.join(at, "r/.git/varve/trash"))):
            yield "the trash is not empty"


class Measure(Scenario):
    """What is kept of a commit is whole, or not there, and is made again."""

    name = "varve measure"
    steps = [["varve", "measure"]]

    def prepare(self, base):
        m = os.path.join(self.r, MODEL)
        for rev, word in (("v4", "set=t0:7"), ("v5", "set=t2:8")):
            self.old[rev] = make_model(m, "seed=4", word, "n=3", "elems=5000")
            git(self.r, "commit", "-q", "-a", "-m", rev)
            git(self.r, "tag", rev)
        self.head = "v5"
        self.said = must(["varve", "diff", "--json", "v4", "v5"], self.r)
        shutil.rmtree(os.path.join(self.r, ".git/varve/stats"))

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        r = os.path.join(at, "r")
        # A file that cannot be written is not missed: it is made by the next.
        must(["varve", "measure"], r)
        if run(["varve", "diff", "--json", "v4", "v5"], r).out != self.said:
            yield "another diff"
        kept = {d: len([n for n in os.listdir(os.path.join(r, ".git/varve", d)) if len(n) == 64]) for d in ("stats", "sketches")}
        if kept != {"stats": 1, "sketches": 2}:
            yield "kept: %s" % kept


class Repair(Scenario):
    """A pack is damaged; its bytes are in the worktree too."""

    name = "varve fsck --repair"
    steps = [["varve", "fsck", "-q", "--repair"]]

    def prepare(self, base):
        make_model(os.path.join(self.r, MODEL), "seed=8", *WORDS)
        packs = set(files_below(os.path.join(self.r, ".git/varve/packs")))
        git(self.r, "commit", "-q", "-a", "-m", "v5")
        self.new = {"HEAD": sum_of(os.path.join(self.r, MODEL))}
        self.bad, = set(files_below(os.path.join(self.r, ".git/varve/packs"))) - packs
        flip(self.bad, 500)
        self.bad = os.path.basename(self.bad)

    def wrong_after(self, at, fault, result):
        for path in leftovers(at):
            if not fault.killed:
                yield path + " was left behind"
        for text in store_wrong(self.stores(at)[0]):
            if self.bad not in text:
                yield text
        kept = [p for p in files_below(self.stores(at)[0]) if self.bad in p]
        if not kept:
            yield "the damaged pack was thrown away"

    def wrong_at_end(self, at, result):
        yield from store_wrong(self.stores(at)[0])
        yield from super().wrong_at_end(at, result)
        if not any(self.bad in p for p in files_below(os.path.join(self.stores(at)[0], "corrupt"))):
            yield "the damaged pack was not kept"


class AddDir(Scenario):
    """A directory tracked as one: its next version."""

    name = "varve add of a directory"
    steps = [["varve", "add", "-q", "d"]]
    finish = [["git", "commit", "-q", "-m", "dir"]]

    def prepare(self, base):
        d = os.path.join(self.r, "d")
        self.dirs = [self.fill(d, "one")]
        must(["varve", "track", "-q", "d/"], self.r)
        must(["varve", "add", "-q", "."], self.r)
        git(self.r, "add", ".gitattributes")
        git(self.r, "commit", "-q", "-m", "d1")
        self.dirs.append(self.fill(d, "two"))

    def fill(self, d, word):
        """Some files the same each time, some other ones, one only in this version. What is there then."""
        shutil.rmtree(os.path.join(d, "only"), ignore_errors=True)
        for name, text in (("same", "same"), ("sub/a", word), ("sub/b", word * 3), ("only/" + word, "x"), ("empty", "")):
            path = os.path.join(d, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
            os.utime(path, (time.time() - 10,) * 2)
        make_model(os.path.join(d, MODEL), "seed=4", "set=t1:%d" % len(word + word[:1] * (word == "two")), *WORDS)
        return self.read(d)

    def read(self, d):
        return {os.path.relpath(p, d): sum_of(p) for p in files_below(d) if os.path.basename(p) not in (".varve", ".gitignore")}

    def wrong_after(self, at, fault, result):
        yield from super().wrong_after(at, fault, result)
        yield from self.files_wrong(at)

    def files_wrong(self, at):
        """A file is old or new, and the user's own stays."""
        if self.read(os.path.join(at, "r", "d")) != self.dirs[1]:
            yield "the files are not as they were"

    def wrong_at_end(self, at, result):
        yield from super().wrong_at_end(at, result)
        r = os.path.join(at, "r")
        for rev, want in zip(["HEAD~1", "HEAD"], self.dirs):
            done = run(["varve", "restore", "-q", rev, "d"], r)
            if done.status:
                yield str(done)
            have = self.read(os.path.join(r, "d"))
            # What the other version left there is no file of this one's to remove.
            if any(have.get(k) != v for k, v in want.items()) or set(have) - set(want) - set(self.dirs[0]):
                yield "the directory of %s does not come back" % rev


class SwitchDir(AddDir):
    name = "git switch with a directory"
    steps = [["git", "switch", "-q", "other"]]
    finish = []

    def prepare(self, base):
        super().prepare(base)
        git(self.r, "switch", "-q", "-c", "other")
        must(["varve", "add", "-q", "d"], self.r)
        git(self.r, "commit", "-q", "-m", "d2")
        git(self.r, "switch", "-q", "main")
        self.mine = {}
        for name in ("same", "own"):
            path = os.path.join(self.r, "d", name)
            with open(path, "w") as f:
                f.write("mine")
            self.mine[name] = sum_of(path)

    def files_wrong(self, at):
        old, new = self.dirs
        for name, s in self.read(os.path.join(at, "r", "d")).items():
            if s not in (self.mine.get(name), old.get(name), new.get(name)):
                yield name + " is no version's"
        for name, s in self.mine.items():
            if self.read(os.path.join(at, "r", "d")).get(name) != s:
                yield name + ", the user's own, is gone"

    def again(self, at):
        r = os.path.join(at, "r")
        for words in (["git", "checkout", "-q", "-f", "other"], ["varve", "checkout", "-q"]):
            done = run(words, r)
            if done.status not in (0, 1):
                yield "again: " + str(done)

    def wrong_at_end(self, at, result):
        r = os.path.join(at, "r")
        run(["varve", "checkout", "-q"], r)
        yield from self.files_wrong(at)
        if self.read(os.path.join(r, "d")) != dict(self.dirs[1], **self.mine):
            yield "the files are not those of the branch"
        run(["varve", "checkout", "-q", "--force", "d"], r)
        os.unlink(os.path.join(r, "d", "own"))
        yield from super().wrong_at_end(at, result)


SCENARIOS = [AddNew, AddDelta, GitAdd, Checkout, Reset, Materialise, Restore, Revert, Stash, Merge, MergeRule,
             Resolve, Push, PushFar, FetchFar, Clone, Init, Leave, Convert, MergeModels, Gc, Measure, Repair, AddDir,
             SwitchDir]

# What is done to which calls; `keep`: to all from there on. The number is how many n are tried at most
# in full mode, and in quick mode.
HARMS = [
    (CHANGES, "kill", False, 1000, 1),
    ("name,unlink,mkdir,meta", "killafter", False, 1000, 0),
    ("sync", "EIO", False, 1000, 1),
    ("write,create,mkdir", "ENOSPC", True, 12, 0),
    ("write", "ENOSPC", False, 8, 0),
    ("write", "short", False, 5, 0),
    ("read,write", "short", True, 1, 0),
    ("read,write,open,lock", "eintr", True, 1, 0),
    ("read,map", "EIO", False, 10, 0),
    ("close", "EIO", False, 6, 0),
    ("name,unlink,mkdir,meta,lock", "EIO", False, 15, 0),
    ("open,pipe", "EMFILE", False, 10, 0),
    ("open", "EACCES", False, 8, 0),
    ("alloc,map,spawn,thread", "ENOMEM", False, 40, 0),
    ("alloc", "ENOMEM", True, 4, 0),
]

# One of these in each scenario of quick mode, in turn.
EXTRAS = [("write,create,mkdir", "ENOSPC", True), ("read,write", "short", True), ("read,map", "EIO", False),
          ("open,pipe", "EMFILE", False), ("alloc,map,spawn,thread", "ENOMEM", False), ("close", "EIO", False),
          ("name,unlink,mkdir,meta,lock", "EIO", False), ("open", "EACCES", False)]


def try_one(scenario, fault, at):
    """All that is wrong with one run."""
    copy(scenario.template, at)
    result = scenario.harm(at, fault)
    wrong = list(scenario.wrong_after(at, fault, result))
    if result.status:
        wrong += list(scenario.again(at))
    wrong += list(scenario.wrong_at_end(at, result))
    if not fault.hits and result.status:
        wrong.append("nothing was harmed, and it failed")
    return [str(fault)] + wrong + [str(result)] if wrong else []


def job(args):
    scenario, fault = args
    at = os.path.join(FOLDER, "run-%d" % os.getpid())
    try:
        return try_one(scenario, fault, at)
    except Exception as e:  # noqa: a broken run is a finding, not the end of the test
        import traceback
        return [str(fault), traceback.format_exc()]


def count(scenario, classes, counts={}):
    if (scenario.name, classes) not in counts:
        f = Fault(classes)
        at = os.path.join(FOLDER, "count")
        copy(scenario.template, at)
        scenario.harm(at, f)
        counts[scenario.name, classes] = f.calls
    return counts[scenario.name, classes]


def plan(scenario, turn):
    """The faults to try, one run for each. In full mode the last n is one that is not reached."""
    if not FULL:
        for classes, do, keep, _, few in HARMS:
            if few:
                yield Fault(classes, do, 1 + count(scenario, classes) // 2, keep)
        classes, do, keep = EXTRAS[turn % len(EXTRAS)]
        yield Fault(classes, do, 1 if do == "short" else 1 + count(scenario, classes) * 2 // 3, keep)
        return
    for classes, do, keep, most, _ in HARMS:
        n = count(scenario, classes)
        k = min(most, n + 1)
        for at in [1] if k == 1 else sorted({1 + round(i * n / (k - 1)) for i in range(k)}):
            yield Fault(classes, do, at, keep)


def main():
    global FOLDER
    tap = Tap()
    FOLDER = work_folder()
    only = sys.argv[1:]
    base = Base(FOLDER)
    jobs = []
    for turn, kind in enumerate(SCENARIOS):
        if not only or any(w in kind.name for w in only):
            scenario = kind(base, FOLDER)
            jobs += [(scenario, f) for f in plan(scenario, turn)]
    # The workers come last: a child of ours would keep run() waiting.
    pool = multiprocessing.Pool(2, adopt_orphans)
    results = pool.imap(job, jobs)
    for name in dict.fromkeys(s.name for s, _ in jobs):
        runs = [next(results) for s, _ in jobs if s.name == name]
        bad = [w for w in runs if w]
        tap.ok(not bad, "%s: %d runs" % (name, len(runs)), [line for w in bad[:8] for line in w + [""]] +
               ["%d of %d runs were wrong" % (len(bad), len(runs))])
    pool.close()
    tap.end()


main()
