#!/usr/bin/env python3
"""The power goes: at every moment, with every part of what was not synced.

Rows C3-C6, C15, C16. What varve writes below the store (or the worktree) is noted by the shim and
played on a disk that forgets; git's own files are taken as they are, which is the worst case: a
manifest that survived while tensors did not. At each moment the store must be sound and have all that
was acknowledged before; from the moment on at which git was told of a version, that version too. The
same without fsync must lose something, else this test could not fail.
"""
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + "/../lib"]
from faultdisk import Disk, records
from lib import *

WORDS = ["n=3", "elems=2000"]
STORE = ".git/varve"


class Play:
    """A template repository, commands whose writes below `under` are noted, and what must hold."""

    def __init__(self, template, commands, under, old, new, worktree=None):
        self.template, self.commands, self.under = template, commands, under
        self.old, self.new, self.worktree = old, new, worktree

    def perform(self, nosync=""):
        """Runs the commands in a copy; the records and the state before and after."""
        self.at = os.path.join(FOLDER, "play")
        journal = os.path.join(FOLDER, "journal")
        copy(self.template, self.at)
        if os.path.exists(journal):
            os.unlink(journal)
        self.disk = Disk(os.path.join(self.at, self.under))
        for words, fault in self.commands:
            f = fault or Fault("")
            f.under, f.journal, f.nosync = os.path.join(self.at, self.under), journal, nosync
            r = run(words, os.path.join(self.at, "r"), env=f.env(os.path.join(FOLDER, "state")))
            if r.status and not fault:
                raise RuntimeError(str(r))
        self.records = list(records(journal))
        self.touched = {n for kind, _, _, names, _ in self.records if kind in "crlumd" for n in names}

    def acked(self):
        """The moment at which git is told of the new version; the end when nobody is told."""
        told = [i for i, r in enumerate(self.records) if r[0] == "a"]
        return told[-1] if told else len(self.records)

    def wrong_at(self, moment, how, seed):
        """The disk has played `moment` records."""
        told = moment >= self.acked()
        clone = os.path.join(FOLDER, "clone")
        copy(self.at if told else self.template, clone)
        self.disk.crash(os.path.join(clone, self.under), self.touched, how, seed)
        r = os.path.join(clone, "r")
        where = "after %d of %d records, %s kept (%d): " % (moment, len(self.records), how, seed)
        if self.worktree and sum_of(os.path.join(r, MODEL)) not in self.worktree:
            yield where + "the worktree has a file that is neither old nor new"
        for repo in [r] + ([os.path.join(clone, "hub.git")] if os.path.exists(clone + "/hub.git/varve/format") else []):
            done = run(["varve", "fsck", "-q"], repo)
            if done.status and not (done.status == 128 and not told and not self.old):
                yield where + str(done)
        for line in restores(r, dict(self.old, **(self.new if told else {}))):
            yield where + line

    def moments(self, few):
        n = len(self.records)
        picked = set(range(n + 1)) if FULL else {n, self.acked()} | set(sample(n, few))
        return sorted(m for m in picked if m <= n)

    def wrong(self, few, hows=Disk.HOW, only_told=False):
        played = 0
        for moment in self.moments(few):
            while played < moment:
                self.disk.play(self.records[played])
                played += 1
            if only_told and moment < self.acked():
                continue
            for i, how in enumerate(hows if FULL or only_told else [hows[moment % len(hows)], "nothing"]):
                yield from self.wrong_at(moment, how, moment)


def base_repo(folder):
    """v1, v2 in packs of their own; the worktree has the next version, not yet added."""
    r = os.path.join(folder, "r")
    os.mkdir(folder)
    new_repo(r)
    sums = {}
    for rev, words in (("v1", ["seed=1"]), ("v2", ["seed=1", "set=t2:9"])):
        sums[rev] = make_model(os.path.join(r, MODEL), *words, *WORDS)
        git(r, "add", MODEL)
        git(r, "commit", "-q", "-m", rev)
        git(r, "tag", rev)
    return r, sums


def plays():
    folder = os.path.join(FOLDER, "next")
    r, old = base_repo(folder)
    copy(folder, os.path.join(FOLDER, "clean"))
    new = make_model(os.path.join(r, MODEL), "seed=1", "set=t2:9", "set=t1:7", *WORDS)
    store = "r/" + STORE
    commit = (["git", "commit", "-q", "-a", "-m", "v3"], None)
    add = ["varve", "add", "-q", MODEL]
    yield "varve add", Play(folder, [(add, None), commit], store, old, {"HEAD": new})
    yield "git add", Play(folder, [(["git", "add", MODEL], None), commit], store, old, {"HEAD": new})
    yield "killed after naming the pack, then added again", Play(
        folder, [(add, Fault("name", "killafter", 1)), (add, None), commit], store, old, {"HEAD": new})

    fresh = os.path.join(FOLDER, "fresh")
    os.mkdir(fresh)
    git(fresh, "init", "-q", "r")
    r = os.path.join(fresh, "r")
    os.mkdir(os.path.join(r, ".git/hooks"))
    with open(os.path.join(r, ".gitattributes"), "w") as f:
        f.write("*.safetensors filter=varve diff=varve merge=varve varve=1 -text\n")
    new = make_model(os.path.join(r, MODEL), "seed=4", *WORDS)
    start = [(["varve", "init", "-q"], None), (["git", "add", "-A"], None), (["git", "commit", "-q", "-m", "v1"], None)]
    yield "init and the first add", Play(fresh, start, "r/.git", {}, {"HEAD": new})
    for what, n in (("mkdir", 1), ("mkdir", 2), ("name", 1)):
        yield "init killed after %s %d, and again" % (what, n), Play(
            fresh, [(["varve", "init", "-q"], Fault(what, "killafter", n))] + start, "r/.git", {}, {"HEAD": new})

    folder = os.path.join(FOLDER, "gc")
    copy(os.path.join(FOLDER, "clean"), folder)
    r = os.path.join(folder, "r")
    make_model(os.path.join(r, MODEL), "seed=6", *WORDS)
    git(r, "commit", "-q", "-a", "-m", "forgotten")
    git(r, "reset", "-q", "--hard", "v2")
    git(r, "reflog", "expire", "--expire=now", "--all")
    git(r, "gc", "-q", "--prune=now")
    age_store(os.path.join(r, STORE))
    gc = (["varve", "gc", "-q", "--grace", "now"], None)
    yield "varve gc, twice", Play(folder, [gc, gc], store, old, {})

    folder = os.path.join(FOLDER, "revived")
    copy(os.path.join(FOLDER, "gc"), folder)
    r = os.path.join(folder, "r")
    must(gc[0], r)
    new = make_model(os.path.join(r, MODEL), "seed=6", *WORDS)
    yield "add of what lies in the trash, then gc", Play(folder, [(add, None), commit, gc], store, old, {"HEAD": new})

    folder = os.path.join(FOLDER, "push")
    copy(os.path.join(FOLDER, "clean"), folder)
    r = os.path.join(folder, "r")
    git(folder, "init", "-q", "--bare", "hub.git")
    git(r, "remote", "add", "hub", "../hub.git")
    yield "git push", Play(folder, [(["git", "push", "-q", "hub", "main"], None)], "hub.git", old, {})

    folder = os.path.join(FOLDER, "checkout")
    copy(os.path.join(FOLDER, "clean"), folder)
    r = os.path.join(folder, "r")
    text = git(r, "show", "v1:" + MODEL)
    with open(os.path.join(r, MODEL), "w") as f:
        f.write(text)
    git(r, "add", MODEL)
    seen = {sum_of(f.name), old["v1"]}
    yield "varve checkout", Play(folder, [(["varve", "checkout", "-q"], None)], "r", old, {}, seen)


def main():
    global FOLDER
    tap = Tap()
    FOLDER = work_folder()
    first = None
    for name, play in plays():
        if sys.argv[1:] and not any(w in name for w in sys.argv[1:]):
            continue
        first = play if name == "varve add" else first
        play.perform()
        wrong = list(play.wrong(2))
        tap.ok(not wrong, "%s: sound after every power cut (%d records)" % (name, len(play.records)), wrong[:6])
    for what in ("file", "dir") if first else ():
        first.perform(what)
        lost = next(first.wrong(0, ("nothing", "names", "everything"), True), None)
        tap.ok(lost, "without fsync of a %s something is lost, and this test sees it" %
               ("file" if what == "file" else "folder"))
    tap.end()


main()
