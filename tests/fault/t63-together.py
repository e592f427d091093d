#!/usr/bin/env python3
"""Several at once, and git itself cut short.

Rows C14 (two adds), C17 (git and its filters killed), C18's share of gc, C27 (gc beside writers), C30
(what gc must keep); readers beside gc; two checkouts; locks left behind.
"""
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib
from lib import *

WORDS = ["n=3", "elems=2000"]
ROUNDS = 50 if FULL else 3


def start(words, cwd, **env):
    return subprocess.Popen(words, cwd=cwd, env=dict(os.environ, **env), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def finish(p):
    out = p.communicate(timeout=60)[0].decode(errors="replace")
    return Result(p.args, p.returncode, out, "")


def packs(repo):
    return [p for p in files_below(os.path.join(repo, ".git/varve/packs")) if p.endswith(".pack")]


def two_adds(tap, folder):
    """C14: the same model added from two worktrees at once: one object, both succeed."""
    a, b = os.path.join(folder, "a"), os.path.join(folder, "b")
    new_repo(a)
    git(a, "worktree", "add", "-q", b, "-b", "other")
    wrong = []
    for n in range(ROUNDS):
        want = make_model(os.path.join(a, MODEL), "seed=%d" % (100 + n), *WORDS)
        shutil.copy2(os.path.join(a, MODEL), os.path.join(b, "new"))
        os.rename(os.path.join(b, "new"), os.path.join(b, MODEL))
        for r in [finish(p) for p in [start([w, "add", MODEL], d) for w, d in (("varve", a), ("git", b))]]:
            if r.status:
                wrong.append(str(r))
        if git(a, "ls-files", "-s") != git(b, "ls-files", "-s"):
            wrong.append("round %d: two manifests of one file" % n)
        for d in (a, b):
            git(d, "commit", "-q", "-m", "round")
            wrong += restores(d, {"HEAD": want})
    wrong += fsck_wrong(a)
    tap.ok(not wrong, "two adds of one model at once, %d rounds" % ROUNDS, wrong[:6])


def collect_beside(tap, folder):
    """C27: gc runs all the time; adds come back to objects it is about to clear away; readers read."""
    r = os.path.join(folder, "gc")
    new_repo(r)
    m = os.path.join(r, MODEL)
    sums = {}
    for n in range(3):
        sums["keep%d" % n] = make_model(m, "seed=%d" % n, *WORDS)
        git(r, "add", MODEL)
        git(r, "commit", "-q", "-m", "x")
        git(r, "tag", "keep%d" % n)
    stop, wrong, ran = threading.Event(), [], [0, 0]

    def clear():
        while not stop.is_set():
            age_packs(r)
            done = finish(start(["varve", "gc", "-q", "--grace", "2s"], r))
            ran[0] += 1
            # Also when git prunes an object between naming and reading it: then nothing is removed.
            if done.status and "another varve holds this lock" not in done.out and "nothing is removed" not in done.out:
                wrong.append(str(done))

    def look():
        while not stop.is_set():
            for rev in sums:
                done = finish(start(["varve", "cat", "--raw", "-o", "/dev/null", rev + ":" + MODEL, "t1"], r))
                ran[1] += 1
                if done.status:
                    wrong.append(str(done))

    threads = [threading.Thread(target=f) for f in (clear, look)]
    lib.alone = False
    for t in threads:
        t.start()
    for n in range(ROUNDS // 2 + 1):
        # Added, forgotten, and added again: the objects are dead in between.
        want = make_model(m, "seed=7", "set=t0:%d" % (n % 2), *WORDS)
        done = finish(start(["varve", "add", "-q", MODEL], r))
        if done.status:
            wrong.append(str(done))
        git(r, "commit", "-q", "-m", "y")
        git(r, "tag", "-f", "last")
        wrong += restores(r, {"last": want})
        git(r, "reset", "-q", "--hard", "keep2")
        git(r, "tag", "-d", "last")
        git(r, "reflog", "expire", "--expire=now", "--all")
        git(r, "prune", "--expire=now")
    stop.set()
    for t in threads:
        t.join()
    lib.alone = True
    wrong += list(restores(r, sums)) + list(fsck_wrong(r))
    tap.ok(not wrong, "gc (%d times) beside adds and readers (%d)" % tuple(ran), wrong[:6])


def age_packs(r):
    """Packs that nobody has used for two seconds become a month old; what is in use stays young."""
    now = time.time()
    for p in packs(r):
        try:
            if now - os.stat(p).st_mtime > 2:
                os.utime(p, (now - 30 * 86400,) * 2)
        except FileNotFoundError:
            pass


def two_checkouts(tap, folder):
    r = os.path.join(folder, "co")
    new_repo(r)
    sums = {}
    for n in range(4):
        name = "m%d.safetensors" % n
        sums[name] = make_model(os.path.join(r, name), "seed=%d" % n, *WORDS)
    git(r, "add", "-A")
    git(r, "commit", "-q", "-m", "x")
    wrong = []
    for _ in range(ROUNDS):
        for name in sums:
            text = git(r, "show", "HEAD:" + name)
            with open(os.path.join(r, name), "w") as f:
                f.write(text)
        for done in [finish(p) for p in [start(["varve", "checkout", "-q"], r) for _ in range(2)]]:
            if done.status:
                wrong.append(str(done))
        wrong += [name for name in sums if sum_of(os.path.join(r, name)) != sums[name]]
        wrong += leftovers(r)
        s = git(r, "status", "--porcelain")
        if s:
            wrong.append(s)
    tap.ok(not wrong, "two varve checkout at once, %d rounds" % ROUNDS, wrong[:6])


def kept_by_gc(tap, folder):
    """C30: staged only, stash, reflog, another worktree, an unreachable but present manifest."""
    r = os.path.join(folder, "kept")
    new_repo(r)
    m = os.path.join(r, MODEL)
    sums = {}

    def version(name, seed):
        sums[name] = make_model(m, "seed=%d" % seed, *WORDS)
        git(r, "add", MODEL)

    version("commit", 1)
    git(r, "commit", "-q", "-m", "commit")
    version("reflog", 2)
    git(r, "commit", "-q", "-m", "gone from every branch")
    gone = git(r, "rev-parse", "HEAD").strip()
    git(r, "reset", "-q", "--hard", "HEAD~1")
    version("stash", 3)
    git(r, "stash", "-q")
    git(r, "worktree", "add", "-q", "--detach", os.path.join(folder, "kept-wt"))
    w = os.path.join(folder, "kept-wt")
    sums["worktree"] = make_model(os.path.join(w, MODEL), "seed=4", *WORDS)
    git(w, "add", MODEL)
    version("staged", 5)
    store = os.path.join(r, ".git/varve")
    for _ in range(2):
        age_store(store)
        must(["varve", "gc", "-q", "--grace", "now"], r)
    wrong = list(fsck_wrong(r))
    wrong += restores(r, {"HEAD": sums["commit"], gone: sums["reflog"], "stash@{0}": sums["stash"]})
    for d, name in ((r, "staged"), (w, "worktree")):
        os.unlink(os.path.join(d, MODEL))
        git(d, "checkout-index", "-f", MODEL)
        must(["varve", "checkout", "-q"], d)
        if sum_of(os.path.join(d, MODEL)) != sums[name]:
            wrong.append("lost: " + name)
    tap.ok(not wrong, "gc keeps what is staged, stashed, in a reflog or in another worktree", wrong)


def unreadable_roots(tap, folder):
    """A manifest that git cannot read now may be read again: its tensors stay."""
    r = os.path.join(folder, "roots")
    new_repo(r)
    want = make_model(os.path.join(r, MODEL), "seed=1", *WORDS)
    git(r, "add", MODEL)
    git(r, "commit", "-q", "-m", "x")
    oid = git(r, "rev-parse", "HEAD:" + MODEL).strip()
    path = os.path.join(r, ".git/objects", oid[:2], oid[2:])
    with open(path, "rb") as f:
        good = f.read()
    wrong = []
    for bad in (b"", good[:40], b"\0" * len(good)):
        os.chmod(path, 0o644)
        with open(path, "wb") as f:
            f.write(bad)
        for _ in range(2):
            age_store(os.path.join(r, ".git/varve"))
            done = run(["varve", "gc", "-q", "--grace", "now"], r)
            if done.status not in (1, 128) or len(done.err.splitlines()) < 1:
                wrong.append(str(done))
        done = run(["varve", "fsck", "-q"], r)
        if done.status not in (1, 128) or not done.out + done.err:
            wrong.append("fsck: " + str(done))
        with open(path, "wb") as f:
            f.write(good)
        wrong += list(restores(r, {"HEAD": want})) + list(fsck_wrong(r))
    tap.ok(not wrong, "gc removes nothing while git has a manifest that it cannot read", wrong)


def git_killed(tap, folder):
    """C17: git itself dies at its n-th write or rename. The file is old, new, git's text (which git may not
    have written to its end) or absent; all comes back."""
    base = os.path.join(folder, "killed")
    new_repo(base)
    m = os.path.join(base, MODEL)
    sums = {}
    for n in (1, 2):
        sums["v%d" % n] = make_model(m, "seed=%d" % n, *WORDS)
        git(base, "add", MODEL)
        git(base, "commit", "-q", "-m", "v%d" % n)
        git(base, "tag", "v%d" % n)
    classes = "write,name,unlink,create"
    for words in (["git", "checkout", "-q", "v1"], ["git", "commit", "-q", "--amend", "-m", "z"], ["git", "stash", "-q"]):
        counted = Fault(classes, program="git")
        at = os.path.join(folder, "killed-run")
        wrong = []

        def prepare():
            copy(base, at)
            if words[1] == "stash":
                sums["new"] = make_model(os.path.join(at, MODEL), "seed=9", *WORDS)

        prepare()
        run(words, at, env=counted.env(at + ".state"))
        counted.read(at + ".state")
        for n in sample(counted.calls, 3):
            f = Fault(classes, "kill", n, program="git")
            prepare()
            done = run(words, at, env=f.env(at + ".state"))
            f.read(at + ".state")
            path = os.path.join(at, MODEL)
            seen = sum_of(path) if os.path.exists(path) else None
            if seen and os.path.getsize(path) and seen not in sums.values() and not is_text(path):
                wrong.append("%s: the worktree has something else\n%s" % (f, done))
            # What git asks for after its own death: the lock is removed by hand.
            for lock in files_below(os.path.join(at, ".git")):
                if lock.endswith(".lock") and "/varve/" not in lock:
                    os.unlink(lock)
            again = run(["git", "checkout", "-q", "-f", "v2"], at)
            fixed = run(["varve", "checkout", "-q"], at)
            if again.status or fixed.status or sum_of(path) != sums["v2"]:
                wrong.append("%s\n%s%s" % (f, again, fixed))
            wrong += ["%s\n%s" % (f, w) for w in list(restores(at, {"v1": sums["v1"]})) + list(fsck_wrong(at))]
        tap.ok(not wrong, "%s killed at %d places: all comes back" % (" ".join(words[:2]), counted.calls), wrong[:5])


def git_full(tap, folder):
    """C2, C8: git's own writes fail or end it while it commits. Old or new; the same command completes it."""
    base = os.path.join(folder, "commit")
    new_repo(base)
    m = os.path.join(base, MODEL)
    old = make_model(m, "seed=1", *WORDS)
    git(base, "add", MODEL)
    git(base, "commit", "-q", "-m", "old")
    git(base, "tag", "old")
    new = make_model(m, "seed=2", *WORDS)
    words = ["git", "commit", "-q", "-a", "-m", "new"]
    classes = "write,name,create,sync,unlink"
    counted = Fault(classes, program="git")
    at = os.path.join(folder, "commit-run")
    copy(base, at)
    run(words, at, env=counted.env(at + ".state"))
    counted.read(at + ".state")
    wrong = []
    for n in sample(counted.calls, 3):
        for do, which in (("ENOSPC", "write,create"), ("EIO", classes), ("kill", classes)):
            f = Fault(which, do, n, keep=do == "ENOSPC", program="git")
            copy(base, at)
            done = run(words, at, env=f.env(at + ".state"))
            f.read(at + ".state")
            for lock in files_below(os.path.join(at, ".git")):
                if lock.endswith(".lock") and "/varve/" not in lock and do != "ENOSPC":
                    os.unlink(lock)
            bad = list(fsck_wrong(at)) + list(git_wrong(at))
            again = run(words, at)
            if again.status and "nothing to commit" not in again.out:
                bad.append("again: %s" % again)
            bad += restores(at, {"old": old, "HEAD": new})
            wrong += ["%s\n%s%s" % (f, done, b) for b in bad]
    tap.ok(not wrong, "git commit on a full or broken disk, at %d places" % counted.calls, wrong[:5])


def stale_locks(tap, folder):
    """Locks are held by living processes: files that dead ones left behind hold nobody up."""
    r = os.path.join(folder, "locks")
    new_repo(r)
    make_model(os.path.join(r, MODEL), "seed=1", *WORDS)
    store = os.path.join(r, ".git/varve")
    for name in ("lock", "gc.lock", "sync.lock", "wait.lock"):
        open(os.path.join(store, name), "w").close()
    for words in (["varve", "add", "-q", MODEL], ["git", "commit", "-q", "-m", "x"], ["varve", "gc", "-q"],
                  ["varve", "checkout", "-q"], ["varve", "fsck", "-q", "--repair"]):
        done = run(words, r, timeout=10)
        if not tap.ok(done.status == 0, "lock files of the dead do not stop %s" % " ".join(words[:2]), str(done)):
            return
    # Two gc at once: the second says that the first is at work, and removes nothing.
    import fcntl
    with open(os.path.join(store, "gc.lock")) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        done = run(["varve", "gc", "-q"], r, timeout=10)
        tap.ok(done.status == 128 and done.err.count("\n") == 1, "a second gc says that one is at work", str(done))
        make_model(os.path.join(r, MODEL), "seed=2", *WORDS)
        done = run(["varve", "add", "-q", MODEL], r, timeout=10)
        tap.ok(done.status == 0, "and does not hold up an add", str(done))


def clocks(tap, folder):
    """C18: gc by a clock that is ten years ahead, or behind, or a store from the future."""
    base = os.path.join(folder, "clock")
    new_repo(base)
    m = os.path.join(base, MODEL)
    sums = {}
    for n in (1, 2):
        sums["v%d" % n] = make_model(m, "seed=%d" % n, *WORDS)
        git(base, "add", MODEL)
        git(base, "commit", "-q", "-m", "v")
        git(base, "tag", "v%d" % n)
    year = 365 * 86400
    for what, shift in (("ten years old", -10 * year), ("ten years ahead", 10 * year), ("before 1970", -100 * year)):
        at = os.path.join(folder, "clock-run")
        copy(base, at)
        for p in packs(at):
            os.utime(p, (time.time() + shift,) * 2)
        wrong = []
        for _ in range(3):
            done = run(["varve", "gc", "-q"], at)
            if done.status:
                wrong.append(str(done))
        wrong += list(restores(at, sums)) + list(fsck_wrong(at))
        tap.ok(not wrong, "a store %s: gc removes nothing that lives" % what, wrong)
    lib = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1",
                            "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1") if os.path.exists(p)), None)
    if not lib:
        tap.skip("a clock that jumps", "no libfaketime")
        return
    at = os.path.join(folder, "clock-run")
    copy(base, at)
    wrong = []
    for jump in ("+3650d", "-3650d", "+40d", "-1d"):
        env = {"LD_PRELOAD": lib, "FAKETIME": jump}
        for words in (["varve", "gc", "-q"], ["varve", "add", "-q", MODEL], ["varve", "gc", "-q"]):
            make_model(os.path.join(at, MODEL), "seed=5", "set=t1:%d" % len(jump), *WORDS) if words[1] == "add" else None
            done = run(words, at, env=env)
            if done.status:
                wrong.append(jump + " " + str(done))
    git(at, "commit", "-q", "-m", "jumped")
    sums["HEAD"] = sum_of(os.path.join(at, MODEL))
    wrong += list(restores(at, sums)) + list(fsck_wrong(at))
    tap.ok(not wrong, "a clock that jumps ten years ahead and back", wrong)


def main():
    tap = Tap()
    folder = work_folder()
    for part in (two_adds, collect_beside, two_checkouts, kept_by_gc, unreadable_roots, git_killed, git_full, stale_locks, clocks):
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part(tap, folder)
            print("# %s: %.1f s" % (part.__name__, time.time() - tap.begun))
    tap.end()


main()
