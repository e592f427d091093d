#!/usr/bin/env python3
"""Disks that are full, read-only, somebody else's, or gone: for real, where the system lets us mount.

Rows C7, C8, C13, C20 and the full disk of a checkout: one line says why, nothing half-written stays,
reads go on, and with room the same command succeeds.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

WORDS = ["n=4", "elems=60000"]  # half a megabyte


def repo(folder, name):
    r = os.path.join(folder, name)
    new_repo(r)
    want = make_model(os.path.join(r, MODEL), "seed=1", *WORDS)
    git(r, "add", MODEL)
    git(r, "commit", "-q", "-m", "v1")
    git(r, "tag", "v1")
    return r, want


class Mount:
    """A file system of this size in memory, at `path`; None of it when mounting is not permitted."""

    def __init__(self, path, size):
        self.path = path
        os.makedirs(path, exist_ok=True)
        self.ok = os.geteuid() == 0 and subprocess.call(
            ["mount", "-t", "tmpfs", "-o", "mode=755,size=" + size, "none", path], stderr=subprocess.DEVNULL) == 0

    def again(self, options):
        subprocess.check_call(["mount", "-o", "remount," + options, self.path])

    def gone(self):
        if self.ok:
            subprocess.call(["umount", "-l", self.path])
            self.ok = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone()


def one_line(r):
    return r.status in (1, 128) and len([l for l in r.err.splitlines() if not l.startswith("hint: ")]) == 1


def fill(path, leave):
    with open(os.path.join(path, "ballast"), "wb") as f:
        s = os.statvfs(path)
        f.write(bytes(max(0, s.f_bavail * s.f_frsize - leave)))


def full_store(tap, folder):
    """C7: the store's disk fills up during an add, at many points."""
    r, want = repo(folder, "full")
    store = os.path.join(r, ".git/varve")
    copy(store, store + ".kept")
    shutil.rmtree(store)
    with Mount(store, "4m") as m:
        if not m.ok:
            return tap.skip("a full disk under the store", "mounting is not permitted")
        subprocess.check_call("cp -a %s.kept/. %s/" % (store, store), shell=True)
        wrong = []
        new = make_model(os.path.join(r, MODEL), "seed=2", *WORDS)
        for leave in (0, 4096, 50000, 200000, 300000) if FULL else (0, 200000):
            fill(store, leave)
            for words in (["varve", "add", "-q", MODEL], ["git", "add", MODEL]):
                done = run(words, r)
                if done.status not in (1, 128) or "No space left" not in done.err or "varve: " not in done.err:
                    wrong.append("%d left: %s" % (leave, done))
                if words[0] == "varve" and not one_line(done):
                    wrong.append("not one line: %s" % done)
            wrong += leftovers(r) + list(store_wrong(store)) + list(fsck_wrong(r))
            os.unlink(os.path.join(store, "ballast"))
        fill(store, 0)
        wrong += restores(r, {"v1": want})
        os.unlink(os.path.join(store, "ballast"))
        new = make_model(os.path.join(r, MODEL), "seed=2", *WORDS)
        done = run(["varve", "add", "-q", MODEL], r)
        git(r, "commit", "-q", "-m", "v2")
        wrong += [str(done)] if done.status else []
        wrong += restores(r, {"v1": want, "HEAD": new})
        tap.ok(not wrong, "a full disk under the store: told, nothing left, reads go on, later it works", wrong[:6])


def full_worktree(tap, folder):
    """A checkout that does not fit: the text stays, the reason is told, room makes it work."""
    r, want = repo(folder, "wt")
    with Mount(os.path.join(folder, "small"), "3m") as m:
        if not m.ok:
            return tap.skip("a full disk under the worktree", "mounting is not permitted")
        w = os.path.join(m.path, "w")
        fill(m.path, 200000)
        done = run(["git", "worktree", "add", "-q", w, "--detach"], r)
        wrong = [] if "stays a manifest" in done.err and is_text(os.path.join(w, MODEL)) else [str(done)]
        done = run(["varve", "checkout", "-q"], w)
        wrong += [] if done.status == 1 and one_line(done) else [str(done)]
        wrong += leftovers(w)
        os.unlink(os.path.join(m.path, "ballast"))
        done = run(["varve", "checkout", "-q"], w)
        if done.status or sum_of(os.path.join(w, MODEL)) != want:
            wrong.append(str(done))
        # The room runs out while the model is written, behind the check.
        f = Fault("write", "ENOSPC", 2, keep=True, under=w)
        text = git(r, "show", "v1:" + MODEL)
        with open(os.path.join(w, MODEL), "w") as out:
            out.write(text)
        done = run(["varve", "checkout", "-q"], w, env=f.env(os.path.join(folder, "state")))
        if done.status != 1 or not is_text(os.path.join(w, MODEL)) or leftovers(w):
            wrong.append(str(done))
        tap.ok(not wrong, "a full disk under the worktree", wrong)


def gone_store(tap, folder):
    """C20: the disk of the store is not there. No empty store is made in its place."""
    r, want = repo(folder, "gone")
    store = os.path.join(r, ".git/varve")
    os.rename(store, store + ".away")
    new = make_model(os.path.join(r, MODEL), "seed=3", *WORDS)
    for there in (False, True):
        if there:
            os.mkdir(store)
        what = "an empty mount point" if there else "nothing"
        for words in (["varve", "add", "-q", MODEL], ["git", "add", MODEL], ["varve", "checkout", "-q", "."],
                      ["varve", "fsck", "-q"], ["varve", "gc", "-q"], ["varve", "restore", "-q", "v1", "--", MODEL]):
            done = run(words, r)
            told = done.status == 128 and done.err.startswith("varve: ")
            tap.ok(told and sum_of(os.path.join(r, MODEL)) == new and not os.path.exists(os.path.join(store, "packs")),
                   "%s where the store was: %s" % (what, " ".join(words[:2])), str(done))
        run(["git", "checkout", "-q", "v1"], r)
        tap.ok(not os.path.exists(os.path.join(store, "format")), "%s where the store was: git checkout" % what)
    done = run(["varve", "init", "-q"], r)
    tap.ok(done.status == 0 and os.path.exists(os.path.join(store, "format")), "varve init makes a new one when asked",
           str(done))
    shutil.rmtree(store)
    os.rename(store + ".away", store)
    new = make_model(os.path.join(r, MODEL), "seed=3", *WORDS)
    wrong = []
    done = run(["varve", "add", "-q", MODEL], r)
    wrong += [str(done)] if done.status else []
    wrong += list(restores(r, {"v1": want})) + list(fsck_wrong(r))
    tap.ok(not wrong, "mounted again, all is as before", wrong)
    f = Fault("create,name,sync", "ENOENT", 2, keep=True, under=store)
    make_model(os.path.join(r, MODEL), "seed=4", *WORDS)
    done = run(["varve", "add", "-q", MODEL], r, env=f.env(os.path.join(folder, "state")))
    tap.ok(done.status == 128 and done.err.startswith("varve: "), "a store that vanishes during an add", str(done))


def read_only(tap, folder):
    """C13: reads work, writes say why."""
    r, want = repo(folder, "ro")
    keep = os.path.join(folder, "ro-kept")
    copy(r, keep)
    at = os.path.join(folder, "ro-mount")
    with Mount(at, "16m") as m:
        if not m.ok:
            return tap.skip("a read-only file system", "mounting is not permitted")
        subprocess.check_call("cp -a %s/. %s/" % (keep, at), shell=True)
        make_model(os.path.join(at, MODEL), "seed=5", *WORDS)
        m.again("ro")
        for words in (["varve", "fsck", "-q"], ["varve", "show", "v1:" + MODEL], ["varve", "diff", "v1"],
                      ["varve", "du"], ["varve", "log", MODEL], ["varve", "blame", "v1", "--", MODEL],
                      ["varve", "cat", "--raw", "-o", "/dev/null", "v1:" + MODEL, "t1"], ["varve", "status"]):
            done = run(words, at)
            tap.ok(done.status in (0, 1) and "varve: " not in done.err, "read-only: " + " ".join(words[:2]), str(done))
        for words in (["varve", "add", "-q", MODEL], ["varve", "gc", "-q", "--grace", "now"],
                      ["varve", "restore", "-q", "v1", "--", MODEL], ["varve", "init", "-q"],
                      ["varve", "track", "-q", "*.x"], ["varve", "fsck", "-q", "--repair"]):
            done = run(words, at)
            tap.ok(one_line(done) and "Read-only" in done.err, "read-only: %s says why" % " ".join(words[:2]), str(done))


def others_files(tap, folder):
    """C13: umask 077, a store of another user, a pack that may not be read."""
    old = os.umask(0o077)
    r, want = repo(folder, "umask")
    os.umask(old)
    wrong = list(restores(r, {"v1": want}))
    tap.ok(not wrong, "umask 077", wrong)
    if os.geteuid():
        return tap.skip("a store of another user", "not root")
    for path in [folder, r] + list(files_below(r)):
        os.chmod(path, os.stat(path).st_mode | 0o044)
    subprocess.check_call(["chmod", "-R", "a+rX", folder])
    git("/", "config", "--global", "--add", "safe.directory", "*")

    def other():
        os.setgid(65534)
        os.setuid(65534)

    def as_other(words, **kw):
        return run(words, r, preexec_fn=other, **kw)

    make_model(os.path.join(r, MODEL), "seed=6", *WORDS)
    for words in (["varve", "fsck", "-q"], ["varve", "show", "v1:" + MODEL], ["varve", "diff", "v1"]):
        done = as_other(words)
        tap.ok(done.status in (0, 1) and "varve: " not in done.err, "somebody else's: " + " ".join(words[:2]), str(done))
    for words in (["varve", "add", "-q", MODEL], ["varve", "gc", "-q", "--grace", "now"], ["varve", "checkout", "-q"]):
        done = as_other(words)
        tap.ok(one_line(done) and "Permission denied" in done.err, "somebody else's: %s says why" % " ".join(words[:2]),
               str(done))
    pack = next(p for p in files_below(os.path.join(r, ".git/varve/packs")) if p.endswith(".pack"))
    os.chmod(pack, 0o400)
    done = as_other(["varve", "fsck", "-q"])
    tap.ok(done.status and "Permission denied" in done.out + done.err, "a pack that may not be read is not a broken one",
           str(done))


def no_output(tap, folder):
    """A reader that has gone, a full disk behind standard output."""
    r, want = repo(folder, "out")
    with open("/dev/full", "w") as full:
        p = subprocess.run(["varve", "show", "--json", "v1:" + MODEL], cwd=r, stdout=full, stderr=subprocess.PIPE)
    tap.ok(p.returncode == 128 and p.stderr.count(b"\n") == 1, "standard output is full", p.stderr.decode())
    p = subprocess.run("varve show --json v1:%s | true" % MODEL, cwd=r, shell=True, stderr=subprocess.PIPE)
    tap.ok(p.stderr.count(b"\n") <= 1, "a reader that has gone", p.stderr.decode())


def main():
    tap = Tap()
    folder = work_folder()
    for part in (full_store, full_worktree, gone_store, read_only, others_files, no_output):
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part(tap, folder)
    tap.end()


main()
