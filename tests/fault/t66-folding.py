#!/usr/bin/env python3
"""A file system that does not tell upper from lower case: a model lives there as elsewhere, and a link
whose name differs only in case from a folder's (row M39) leads no write out of the tree.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = ["n=2", "elems=500"]
SECRET = b"do not touch\n"


class Fold:
    """The file system, at `path`; why is None, or says why it cannot be had."""

    def __init__(self, folder):
        self.path, below = os.path.join(folder, "fold"), os.path.join(folder, "below")
        os.mkdir(self.path)
        os.mkdir(below)
        self.why = "no /dev/fuse, or no fusermount3"
        if not os.path.exists("/dev/fuse") or not shutil.which("fusermount3"):
            return
        # Nobody's child: what varve leaves running is waited for, this is not.
        adopt_orphans(False)
        ok = run(["sh", os.path.join(HERE, "../../tools/python.sh"), "fusepy"], "/")
        if ok.status == 0:
            subprocess.call(["sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", ok.out.strip(),
                             os.path.join(HERE, "../lib/foldfs.py"), below, self.path])
            end = time.time() + 5
            while not os.path.ismount(self.path) and time.time() < end:
                time.sleep(0.02)
        adopt_orphans()
        self.why = None if os.path.ismount(self.path) else "no python3-fusepy, or no right to mount"

    def gone(self):
        if not self.why:
            subprocess.call(["fusermount3", "-u", "-z", self.path], stderr=subprocess.DEVNULL)


def life(tap, fold):
    """Add, commit, change, go back, in a folder that is asked for in another case."""
    r = os.path.join(fold, "Life")
    new_repo(r)
    os.mkdir(os.path.join(r, "Sub"))
    sums = []
    for i in (1, 2):
        sums.append(make_model(os.path.join(r, "Sub", MODEL), "seed=%d" % i, *WORDS))
        done = run(["varve", "add", "."], r)
        tap.ok(done.status == 0, "varve add of version %d" % i, str(done))
        git(r, "commit", "-q", "-m", "v%d" % i)
        git(r, "tag", "v%d" % i)
    git(r, "checkout", "-q", "v1")
    tap.ok(sum_of(os.path.join(r, "Sub", MODEL)) == sums[0], "git checkout brings the old version")
    tap.ok(git(r, "status", "--porcelain") == "", "git status is clean", git(r, "status", "--porcelain"))
    done = run(["varve", "restore", "v2", "--", "Sub/" + MODEL], r)
    tap.ok(done.status == 0 and sum_of(os.path.join(r, "sub", MODEL.upper())) == sums[1], "varve restore", str(done))
    wrong = list(fsck_wrong(r))
    tap.ok(not wrong, "varve fsck", wrong)


def links(tap, fold):
    """M39: git's tree has a folder A and a link a, to somewhere else."""
    for order in ("link first", "folder first"):
        r, out = os.path.join(fold, order.replace(" ", "-")), os.path.join(os.path.dirname(fold), "out-" + order[:4])
        os.mkdir(out)
        target = os.path.join(out, MODEL)
        new_repo(r)
        os.mkdir(os.path.join(r, "x"))
        make_model(os.path.join(r, "x", MODEL), "seed=1", *WORDS)
        git(r, "add", "-A")
        git(r, "commit", "-q", "-m", "x")
        blob = git(r, "rev-parse", "HEAD:x/" + MODEL).strip()
        attrs = git(r, "rev-parse", "HEAD:.gitattributes").strip()
        link = must(["git", "hash-object", "-w", "--stdin"], r, stdin=out.encode()).strip()
        inner = must(["git", "mktree"], r, stdin=("100644 blob %s\t%s\n" % (blob, MODEL)).encode()).strip()
        a, b = ("A", "a") if order == "link first" else ("a", "A")
        tree = must(["git", "mktree"], r, stdin=("100644 blob %s\t.gitattributes\n120000 blob %s\t%s\n040000 tree %s\t%s\n"
                                                 % (attrs, link, a, inner, b)).encode()).strip()
        commit = git(r, "commit-tree", "-m", "evil", tree).strip()
        text = git(r, "show", "HEAD:x/" + MODEL)

        def outside():
            """Secrets, or the very text that varve would replace by the model."""
            for content in (SECRET, text.encode()):
                with open(target, "wb") as f:
                    f.write(content)
                os.utime(target, (time.time() - 10,) * 2)
                yield content

        for words in (["git", "checkout", "-q", "-f", commit], ["git", "reset", "-q", "--hard", commit], ["varve", "checkout", "-q"],
                      ["varve", "restore", "-q", commit, "--", b + "/" + MODEL], ["varve", "add", "-q", "."]):
            for content in outside():
                done = run(words, r)
                with open(target, "rb") as f:
                    same = f.read() == content
                tap.ok(same and os.listdir(out) == [MODEL] and done.status in DOCUMENTED,
                       "%s: %s" % (order, " ".join(words[:2])), str(done))
        # However git resolved the two: the link stands there now, in the other case.
        entry = os.path.join(r, "a")
        if os.path.islink(entry):
            os.unlink(entry)
        else:
            shutil.rmtree(entry, ignore_errors=True)
        git(r, "read-tree", commit)
        os.symlink(out, os.path.join(r, a))
        for words in (["varve", "checkout", "-q"], ["varve", "restore", "-q", commit, "--", b + "/" + MODEL]):
            for content in outside():
                done = run(words, r)
                with open(target, "rb") as f:
                    same = f.read() == content
                tap.ok(same and os.listdir(out) == [MODEL] and done.status in (1, 128) and "link" in done.err,
                       "%s, the link stands: %s" % (order, " ".join(words[:2])), str(done))


def two(tap, fold):
    """Two models whose names differ in case: one of them is there, whole, and the other is not lost."""
    r = os.path.join(fold, "two")
    new_repo(r)
    want = {}
    for name, seed in (("m.safetensors", 1), ("M.safetensors", 2)):
        path = os.path.join(r, "m.safetensors")
        want[name] = make_model(path, "seed=%d" % seed, *WORDS)
        blob = must(["git", "hash-object", "-w", "--path", "m.safetensors", "m.safetensors"], r).strip()
        git(r, "update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, name))
        os.unlink(path)
    git(r, "commit", "-q", "-m", "two")
    done = run(["git", "reset", "-q", "--hard"], r)
    have = [n for n in os.listdir(r) if n.lower() == "m.safetensors"]
    whole = have and sum_of(os.path.join(r, have[0])) in want.values()
    tap.ok(len(have) == 1 and (whole or is_text(os.path.join(r, have[0]))), "one name, one file, whole", str(done))
    for name, s in want.items():
        done = run(["varve", "archive", "-o", os.path.join(r, "a.tar"), "HEAD"], r)
        tap.ok(done.status == 0, "varve archive", str(done))
        with open(os.path.join(r, "out"), "wb") as f:
            f.write(subprocess.run(["tar", "-xOf", "a.tar", name], cwd=r, stdout=subprocess.PIPE, check=True).stdout)
        tap.ok(sum_of(os.path.join(r, "out")) == s, "%s is in the history, byte for byte" % name)
        os.unlink(os.path.join(r, "out"))
        os.unlink(os.path.join(r, "a.tar"))
    wrong = list(fsck_wrong(r))
    tap.ok(not wrong, "varve fsck", wrong)


def main():
    tap = Tap()
    fold = Fold(work_folder())
    if fold.why:
        tap.skip("a file system that folds case", fold.why)
        tap.end()
    try:
        for part in (life, links, two):
            if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
                part(tap, fold.path)
    finally:
        fold.gone()
    tap.end()


main()
