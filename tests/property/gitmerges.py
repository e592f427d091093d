#!/usr/bin/env python3
"""Random histories of one model merged by the real git: merge, rebase, cherry-pick, both branches merged into each other.

What comes out is compared, tensor by tensor, with a merge of maps from names to seeds; conflicts are settled at random or
given up.

usage: gitmerges.py [COUNT [SEED]]
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

NAMES = ["t%d" % i for i in range(8)] + ["x", "y"]
M = "m.safetensors"
failed = 0


def run(*words, status=None):
    p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if status is not None and p.returncode != status:
        raise AssertionError("%s: %d\n%s" % (" ".join(words), p.returncode, p.stdout.decode(errors="replace")))
    return p.returncode, p.stdout.decode(errors="replace")


def git(*words):
    return run("git", *words, status=0)[1]


def tensors(path):
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + n])
    return {k: data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in head.items() if k != "__metadata__"}


def write(model, path):
    words = ["drop=" + n for n in NAMES[:8] if n not in model] + ["set=%s:%d" % (n, s) for n, s in model.items()]
    run("mkmodel", path + ".new", "n=8", "elems=64", "seed=1", *words, status=0)
    then = time.time() - 10
    os.utime(path + ".new", (then, then))
    os.rename(path + ".new", path)


def must_be(model, what):
    write(model, "../want")
    if tensors(M) != tensors("../want"):
        raise AssertionError("%s: the model has %s" % (what, sorted(k for k, v in tensors(M).items() if tensors("../want").get(k) != v)))


def merged(base, ours, theirs):
    """The merge, and what is in conflict; of that ours."""
    out, conflicts = {}, set()
    for n in NAMES:
        b, o, t = base.get(n), ours.get(n), theirs.get(n)
        if o != t and o != b and t != b:
            conflicts.add(n)
        pick = t if o == b else o
        if pick is not None:
            out[n] = pick
    return out, conflicts


def edited(model, rng):
    model = dict(model)
    for _ in range(rng.randint(1, 3)):
        n = rng.choice(NAMES)
        if rng.random() < 0.2 and len(model) > 2:
            model.pop(n, None)
        else:
            model[n] = rng.randint(1, 3)
    return model


def commit(model):
    write(model, M)
    git("commit", "-q", "--allow-empty", "-a", "-m", "c")


def settled():
    for _ in range(100):
        if not os.path.exists(".git/varve/wanted") and run("flock", "-n", ".git/varve/sync.lock", "true")[0] == 0 and \
                run("flock", "-n", ".git/varve/wait.lock", "true")[0] == 0:
            return
        time.sleep(0.1)


def step(words, go_on, give_up, base, ours, theirs, rng):
    """One command that merges. The model afterwards; None when it was given up."""
    want, conflicts = merged(base, ours, theirs)
    status, said = run("git", *words)
    settled()
    must_be(want, "%s, %d conflicts" % (words[0], len(conflicts)))
    if (status != 0) != bool(conflicts):
        raise AssertionError("%s: status %d with %d conflicts\n%s" % (words[0], status, len(conflicts), said))
    if not conflicts:
        return want
    left = {x["tensor"] for f in json.loads(run("varve", "resolve", "--json", status=1)[1])["files"] for x in f["left"]}
    if left != conflicts:
        raise AssertionError("conflicts are %s, not %s" % (left, conflicts))
    if rng.random() < 0.2:
        git(*give_up)
        settled()
        return None
    for i, n in enumerate(sorted(conflicts)):
        side, values = rng.choice([("ours", ours), ("theirs", theirs), ("base", base)])
        run("varve", "resolve", "-q", "--" + side, "--tensor", n, status=i + 1 < len(conflicts))
        want.pop(n, None)
        if n in values:
            want[n] = values[n]
        must_be(want, "resolve --" + side)
    if run("git", "diff", "--cached", "--quiet", "HEAD")[0] == 0 and words[0] != "merge":
        go_on = give_up[:1] + ("--skip",)
    git("-c", "core.editor=true", *go_on)
    settled()
    return want


def check_end(model, what):
    must_be(model, what)
    status = git("status", "--porcelain")
    if status:
        raise AssertionError(what + ": git status says " + status)
    if os.path.isdir(".git/varve/conflicts") and os.listdir(".git/varve/conflicts"):
        raise AssertionError(what + ": a record was left")


def two_branches(kind, rng):
    base = {n: 1 for n in NAMES[:8]}
    commit(base)
    git("checkout", "-q", "-b", "side")
    theirs = edited(base, rng)
    commit(theirs)
    git("checkout", "-q", "main")
    ours = edited(base, rng)
    commit(ours)
    if kind == "merge":
        got = step(("merge", "--no-edit", "side"), ("commit", "--no-edit"), ("merge", "--abort"), base, ours, theirs, rng)
    elif kind == "cherry-pick":
        got = step(("cherry-pick", "--allow-empty", "--keep-redundant-commits", "side"), ("cherry-pick", "--continue"),
                   ("cherry-pick", "--abort"), base, ours, theirs, rng)
    else:
        git("checkout", "-q", "side")
        got = step(("rebase", "--empty=keep", "main"), ("rebase", "--continue"), ("rebase", "--abort"), base, ours, theirs, rng)
        check_end(theirs if got is None else got, kind)
        return
    check_end(ours if got is None else got, kind)


def crossed(rng):
    """Each branch merges the other as it was, settles that in its own way and goes on."""
    base = {n: 1 for n in NAMES[:8]}
    commit(base)
    a, b = edited(base, rng), edited(base, rng)
    git("checkout", "-q", "-b", "side")
    commit(b)
    git("tag", "b")
    git("checkout", "-q", "main")
    commit(a)
    git("tag", "a")
    if git("rev-parse", "a^{tree}") == git("rev-parse", "b^{tree}"):
        return
    ours = step(("merge", "--no-edit", "b"), ("commit", "--no-edit"), ("reset", "-q", "--hard"), base, a, b, rng)
    git("checkout", "-q", "side")
    theirs = step(("merge", "--no-edit", "a"), ("commit", "--no-edit"), ("reset", "-q", "--hard"), base, b, a, rng)
    if ours is None or theirs is None:
        return
    theirs = edited(theirs, rng)
    commit(theirs)
    git("checkout", "-q", "main")
    ours = edited(ours, rng)
    commit(ours)
    virtual, conflicts = merged(base, a, b)
    for n in conflicts:
        virtual.pop(n, None)
        if n in base:
            virtual[n] = base[n]
    got = step(("merge", "--no-edit", "side"), ("commit", "--no-edit"), ("merge", "--abort"), virtual, ours, theirs, rng)
    check_end(ours if got is None else got, "crossed")


def one(kind, rng):
    run("rm", "-rf", "../r", status=0)
    git("init", "-q", "../r")
    os.chdir("../r")
    run("varve", "init", "-q", status=0)
    run("varve", "track", "-q", "*.safetensors", status=0)
    write({n: 1 for n in NAMES[:8]}, M)
    git("add", ".")
    git("commit", "-q", "-m", "root")
    if kind == "crossed":
        crossed(rng)
    else:
        two_branches(kind, rng)


def main():
    global failed
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    kinds = ["merge", "rebase", "cherry-pick", "crossed"]
    print("# seed %d, %d histories" % (seed, count))
    with tempfile.TemporaryDirectory(prefix="varve-merges.") as t:
        os.environ.update(HOME=t, XDG_CONFIG_HOME=t, GIT_CONFIG_NOSYSTEM="1", LC_ALL="C", GIT_AUTHOR_NAME="t",
                          GIT_AUTHOR_EMAIL="t@example.invalid", GIT_COMMITTER_NAME="t",
                          GIT_COMMITTER_EMAIL="t@example.invalid", GIT_EDITOR="true", VARVE_MEASURE="0")
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            os.environ.pop(name, None)
        os.mkdir(t + "/r")
        os.chdir(t + "/r")
        git("config", "--global", "init.defaultBranch", "main")
        for k, kind in enumerate(kinds):
            wrong = []
            for i in range(k, count, len(kinds)):
                try:
                    one(kind, random.Random(seed * 1000003 + i))
                except AssertionError as e:
                    wrong.append("history %d: %s" % (i, e))
            failed += bool(wrong)
            print("%sok %d - %s" % ("not " if wrong else "", k + 1, kind))
            for w in wrong[:5]:
                print("# " + w.replace("\n", "\n# "))
            sys.stdout.flush()
        os.chdir("/")
    print("1..%d" % len(kinds))
    sys.exit(failed != 0)


main()
