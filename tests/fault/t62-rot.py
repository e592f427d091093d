#!/usr/bin/env python3
"""Rotten disks: flipped bits, cut and swapped packs, lost indexes, a broken base of many deltas.

Rows C21-C25: every flip is found by fsck, and none reaches a worktree file; what is damaged is set
aside and never thrown away; what has another copy is mended, and it is said from where.
"""
import json
import multiprocessing
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

VERSIONS = 6


def step(path, n):
    """A small step of training: the low bit of every third value of the second half."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for i in range(len(data) // 2 * 2 - 8000 + 2 * n, len(data) - 1, 6):
        data[i & ~1] ^= 1
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.utime(path + ".new", (time.time() - 10,) * 2)
    os.rename(path + ".new", path)
    return sum_of(path)


def build(at):
    """v1 … v6, each a delta against the one before, each in a pack of its own; a file without structure."""
    new_repo(at)
    m = os.path.join(at, MODEL)
    with open(os.path.join(at, ".gitattributes"), "a") as f:
        f.write("*.bin filter=varve diff=varve merge=varve varve=1 -text\n")
    with open(os.path.join(at, "raw.bin"), "wb") as f:
        f.write(random.Random(1).randbytes(300000))
    git(at, "add", "-A")
    git(at, "commit", "-q", "-m", "raw")
    sums = {}
    for n in range(1, VERSIONS + 1):
        sums["v%d" % n] = step(m, n) if n > 1 else make_model(m, "seed=1", "n=2", "elems=4000")
        git(at, "add", "-A")
        git(at, "commit", "-q", "-m", "v%d" % n)
        git(at, "tag", "v%d" % n)
    return sums


def packs(repo):
    return sorted(p for p in files_below(os.path.join(repo, ".git/varve/packs")) if p.endswith(".pack"))


def write(path, data):
    mode = os.stat(path).st_mode
    os.chmod(path, 0o644)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def flips(args):
    """Flips bits one by one; returns what was wrong."""
    worker, numbers = args
    adopt_orphans()
    at = os.path.join(FOLDER, "flips-%d" % worker)
    copy(os.path.join(FOLDER, "r"), at)
    texts = {name: git(at, "show", "HEAD:" + name).encode() for name in (MODEL, "raw.bin")}
    right = {name: sum_of(os.path.join(at, name)) for name in texts}
    wrong = []
    for number in numbers:
        dice = random.Random(number)
        path = dice.choice(packs(at))
        where, bit = dice.randrange(os.path.getsize(path)), dice.randrange(8)
        flip(path, where, 1 << bit)
        told = "bit %d of byte %d of %s: " % (bit, where, os.path.basename(path)[:12])
        r = run(["varve", "fsck", "-q"], at)
        if r.status != 1 or r.err.count("\n") > 1:
            wrong.append(told + str(r))
        for name, text in texts.items():
            with open(os.path.join(at, name), "wb") as f:
                f.write(text)
        r = run(["varve", "checkout", "-q"], at)
        left = 0
        for name, text in texts.items():
            have = sum_of(os.path.join(at, name))
            left += read(os.path.join(at, name)) == text
            if have != right[name] and read(os.path.join(at, name)) != text:
                wrong.append(told + "reached " + name)
        if r.status != (1 if left else 0) or left != r.err.count("stays a manifest"):
            wrong.append(told + str(r))
        flip(path, where, 1 << bit)
    return wrong


def damage(tap, sums):
    """C22: cut, blanked, swapped, emptied. Found; set aside; not deleted; the rest readable."""
    r = os.path.join(FOLDER, "damage")

    def cut(a, b):
        write(a, read(a)[:len(read(a)) * 2 // 3])

    def blank(a, b):
        data = bytearray(read(a))
        data[100:4196] = bytes(len(data[100:4196]))
        write(a, data)

    def swap(a, b):
        data = read(a)
        write(a, read(b))
        write(b, data)

    def empty(a, b):
        write(a, b"")

    for what in (cut, blank, swap, empty):
        copy(os.path.join(FOLDER, "r"), r)
        a, b = packs(r)[0], packs(r)[1]
        what(a, b)
        bad = [read(p) for p in (a, b) if what is swap or p == a]
        found = run(["varve", "fsck", "-q"], r)
        tap.ok(found.status == 1 and os.path.basename(a)[:-5] in found.out, "%s: fsck finds it" % what.__name__, str(found))
        run(["varve", "fsck", "-q", "--repair"], r)
        kept = [read(p) for p in files_below(os.path.join(r, ".git/varve/corrupt"))]
        tap.ok(all(d in kept for d in bad), "%s: what was damaged is kept in corrupt/" % what.__name__)
        tap.ok(not list(store_wrong(os.path.join(r, ".git/varve"))), "%s: no damaged pack is left" % what.__name__)
        wrong = []
        for rev, want in sums.items():
            done = run(["varve", "restore", "-q", rev, "--", MODEL], r)
            if done.status == 0 and sum_of(os.path.join(r, MODEL)) != want:
                wrong.append(rev)
        tap.ok(not wrong, "%s: nothing wrong is restored" % what.__name__, wrong)


def lost_index(tap, sums):
    """C25: records are found again without the index."""
    r = os.path.join(FOLDER, "index")
    for what, change in (("overwritten", lambda d: d[:-32] + b"\xff" * 32), ("cut off", lambda d: d[:-40]),
                         ("damaged", lambda d: d[:-60] + b"\0" * 28 + d[-32:])):
        copy(os.path.join(FOLDER, "r"), r)
        for p in packs(r):
            write(p, change(read(p)))
        found = run(["varve", "fsck", "-q"], r)
        done = run(["varve", "fsck", "-q", "--repair"], r)
        wrong = list(restores(r, sums)) + list(fsck_wrong(r))
        tap.ok(found.status == 1 and not wrong, "every index %s: all is found again" % what,
               [str(found), str(done)] + wrong)


def broken_base(tap, sums):
    """C24: one object that others are deltas of; C23: its bytes come from the worktree, and that is said."""
    r = os.path.join(FOLDER, "base")
    copy(os.path.join(FOLDER, "r"), r)
    du = json.loads(must(["varve", "du", "--json"], r))
    tap.ok("deltas" in str(du), "du counts deltas", str(du)[:300])
    first = git(r, "show", "v1:" + MODEL)
    ids = [l.split()[-1] for l in first.splitlines() if l.startswith('tensor "t1"')]
    git(r, "checkout", "-q", "v1")
    hit = False
    for p, where in ((p, w) for p in sorted(packs(r), key=os.path.getsize) for w in range(100, os.path.getsize(p), 2000)):
        # A byte of that object's record, which fsck tells from those of others.
        flip(p, where)
        found = run(["varve", "fsck", "-q"], r)
        hit = any(ids[0] in l and " needs " not in l for l in found.out.splitlines() if l.startswith("damaged: object"))
        if hit:
            break
        flip(p, where)
    told = [v for v in sums if git(r, "rev-parse", v + "^{commit}").strip()[:12] in found.out]
    tap.ok(hit and found.status == 1 and len(told) >= 5, "a broken base: every version that needs it is named", str(found))
    tap.ok(found.out.count('"t1"') >= 5 and MODEL in found.out, "by tensor and file", str(found))
    done = run(["varve", "fsck", "--repair"], r)
    tap.ok("repaired" in done.out and "in the worktree" in done.out, "mended from the worktree, which is said", str(done))
    wrong = list(fsck_wrong(r)) + list(restores(r, sums))
    tap.ok(not wrong, "and all that depend on it are back", wrong)


def from_peers(tap, sums):
    """C23: another copy in a local remote, or in a store that is borrowed from."""
    for how in ([], ["-s"]):
        copy(os.path.join(FOLDER, "r"), os.path.join(FOLDER, "origin"))
        c = os.path.join(FOLDER, "clone")
        if os.path.exists(c):
            shutil.rmtree(c)
        git(FOLDER, "clone", "-q", *how, "origin", "clone")
        must(["varve", "init", "-q"], c)
        list(restores(c, sums))
        git(c, "checkout", "-q", "-f", "HEAD", "--", MODEL)
        mine = packs(c)
        for p in mine:
            flip(p, os.path.getsize(p) // 2)
        with open(os.path.join(c, MODEL), "wb") as f:
            f.write(b"something else")
        done = run(["varve", "fsck", "--repair"], c)
        wrong = list(restores(c, sums)) + list(fsck_wrong(c))
        tap.ok(not wrong, "damage is mended from %s" % ("what is borrowed" if how else "a local remote"),
               [str(done)] + wrong)


def main():
    global FOLDER
    tap = Tap()
    FOLDER = work_folder()
    sums = build(os.path.join(FOLDER, "r"))
    damage(tap, sums)
    lost_index(tap, sums)
    broken_base(tap, sums)
    from_peers(tap, sums)
    total = 1000 if FULL else 12
    with multiprocessing.Pool(2) as pool:
        wrong = sum(pool.map(flips, [(w, range(w, total, 2)) for w in range(2)]), [])
    tap.ok(not wrong, "%d flipped bits: each found, none in a worktree" % total, wrong[:8])
    tap.end()


main()
