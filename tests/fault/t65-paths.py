#!/usr/bin/env python3
"""Paths that lead out of the tree, and manifests that lie: refused with one line, the target untouched.

Rows M37-M42, M45, M48, M52 of writing. The race of M38 is no gamble: varve is stopped before each of
its calls in the worktree, things are changed under its eyes, and it goes on.
"""
import hashlib
import os
import resource
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

WORDS = ["n=2", "elems=500"]
SECRET = b"do not touch\n"


class Tree:
    """A repository with sub/m.safetensors, whose manifest's text stands in the worktree; a target outside."""

    def __init__(self, folder, name):
        self.r = os.path.join(folder, name, "r")
        self.out = os.path.join(folder, name, "outside")
        os.makedirs(self.out)
        new_repo(self.r)
        os.mkdir(os.path.join(self.r, "sub"))
        self.file = os.path.join(self.r, "sub", MODEL)
        self.sum = make_model(self.file, "seed=1", *WORDS)
        git(self.r, "add", "-A")
        git(self.r, "commit", "-q", "-m", "x")
        self.text = git(self.r, "show", "HEAD:sub/" + MODEL)
        self.to_text()
        self.target = os.path.join(self.out, "secret")
        with open(self.target, "wb") as f:
            f.write(SECRET)
        with open(os.path.join(self.out, MODEL), "w") as f:
            f.write(self.text)

    def to_text(self, path=None):
        path = path or self.file
        with open(path + ".t", "w") as f:
            f.write(self.text)
        os.rename(path + ".t", path)

    def touched(self):
        with open(self.target, "rb") as f:
            same = f.read() == SECRET
        with open(os.path.join(self.out, MODEL)) as f:
            same = same and f.read() == self.text
        if not same or sorted(os.listdir(self.out)) != sorted([MODEL, "secret"]):
            yield "outside was touched: " + " ".join(os.listdir(self.out))


def one_line(r):
    return len([l for l in r.err.splitlines() if l.startswith("varve: ")]) == 1


def links(tap, folder):
    """M37: a folder on the way, or the file itself, is a link."""
    t = Tree(folder, "links")
    sub = os.path.join(t.r, "sub")
    os.rename(sub, sub + ".was")
    os.symlink(t.out, sub)
    for words in (["varve", "checkout", "-q"], ["varve", "restore", "-q", "HEAD", "--", "sub/" + MODEL]):
        done = run(words, t.r)
        wrong = list(t.touched())
        tap.ok(done.status in (1, 128) and one_line(done) and "link" in done.err and not wrong,
               "%s through a linked folder" % " ".join(words[:2]), [str(done)] + wrong)
    done = run(["git", "reset", "-q", "--hard"], t.r)
    tap.ok(not list(t.touched()) and not os.path.islink(sub) and done.status == 0, "git reset --hard puts the folder back",
           str(done))
    t.to_text()
    os.unlink(t.file)
    os.symlink(t.target, t.file)
    for words in (["varve", "checkout", "-q"], ["varve", "add", "-q", "."], ["varve", "status", "-q"]):
        done = run(words, t.r)
        tap.ok(not list(t.touched()) and os.path.islink(t.file), "%s at a link" % " ".join(words[:2]), str(done))
    done = run(["varve", "restore", "-q", "HEAD", "--", "sub/" + MODEL], t.r)
    tap.ok(not list(t.touched()), "varve restore at a link", str(done))

    # A tree that has the link and the folder under one name: git itself does not check it out; nor do we.
    t = Tree(folder, "both")
    blob = git(t.r, "rev-parse", "HEAD:sub/" + MODEL).strip()
    link = must(["git", "hash-object", "-w", "--stdin"], t.r, stdin=t.out.encode()).strip()
    inner = must(["git", "mktree"], t.r, stdin=b"100644 blob %s\t%s\n" % (blob.encode(), MODEL.encode())).strip()
    tree = must(["git", "mktree"], t.r, stdin=("120000 blob %s\tsub\n040000 tree %s\tsub\n" % (link, inner)).encode()).strip()
    commit = git(t.r, "commit-tree", "-m", "evil", tree).strip()
    for words in (["git", "checkout", "-q", "-f", commit], ["varve", "checkout", "-q"], ["git", "reset", "-q", "--hard", commit],
                  ["varve", "restore", "-q", commit, "--", "sub/" + MODEL]):
        done = run(words, t.r)
        tap.ok(not list(t.touched()), "a tree with link and folder: " + " ".join(words[:2]), str(done))


def things(tap, folder):
    """M41: a FIFO or a folder where the file should be: no hang, nothing opened."""
    t = Tree(folder, "things")
    for what in ("fifo", "folder"):
        os.unlink(t.file) if os.path.exists(t.file) else None
        os.mkfifo(t.file) if what == "fifo" else os.mkdir(t.file)
        for words in (["varve", "checkout", "-q"], ["varve", "status"], ["varve", "add", "-q", "sub"], ["varve", "diff"],
                      ["varve", "show", "sub/" + MODEL], ["varve", "restore", "-q", "HEAD", "--", "sub/" + MODEL]):
            done = run(words, t.r, timeout=10)
            tap.ok(done.status in DOCUMENTED, "a %s in the file's place: %s" % (what, " ".join(words[:2])), str(done))
        if os.path.isdir(t.file):
            os.rmdir(t.file)
    done = run(["varve", "checkout", "-q"], t.r)


def swaps(t):
    """What somebody may do to the worktree while varve works."""
    keep = t.file + ".away"
    sub = os.path.dirname(t.file)

    def link():
        os.rename(t.file, keep)
        os.symlink(t.target, t.file)

    def folder_link():
        os.rename(sub, sub + ".away")
        os.symlink(t.out, sub)

    def fifo():
        os.rename(t.file, keep)
        os.mkfifo(t.file)

    def folder():
        os.rename(t.file, keep)
        os.mkdir(t.file)

    def mine():
        os.rename(t.file, keep)
        with open(t.file, "wb") as f:
            f.write(SECRET)

    return link, folder_link, fifo, folder, mine


def races(tap, folder):
    """M38: a change right before every call that varve makes in the worktree."""
    t = Tree(folder, "race")
    state = os.path.join(folder, "state")
    classes = "create,write,meta,sync,name,unlink"
    words = ["varve", "checkout", "-q"]
    places = []
    # Calls on the worktree itself, and on the draft of the model; what else lies in .git is another matter.
    for under in (os.path.join(t.r, "sub"), os.path.join(t.r, ".git/varve/drafts")):
        t.to_text()
        counted = Fault(classes, under=under)
        run(words, t.r, env=counted.env(state))
        counted.read(state)
        ns = range(1, counted.calls + 1)
        places += [(under, n) for n in ns if FULL or n in (1, counted.calls - 1, counted.calls)]
    for swap in swaps(t):
        wrong = []
        for under, n in places:
            t.to_text()
            f = Fault(classes, "stop", n, under=under)
            p = subprocess.Popen(words, cwd=t.r, env=dict(os.environ, **f.env(state)), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            _, status = os.waitpid(p.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                wrong.append("call %d was not reached" % n)
                continue
            f.read(state)
            swap()
            os.kill(p.pid, signal.SIGCONT)
            try:
                out, err = p.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                p.kill()
                wrong.append("%s at %s: hangs" % (swap.__name__, f.what))
                continue
            told = "%s before %s: " % (swap.__name__, f.what) + err.decode(errors="replace")
            wrong += [told + w for w in t.touched()]
            if p.returncode not in DOCUMENTED:
                wrong.append(told + "status %d" % p.returncode)
            # Between the last look and the rename there is no lock that others would heed.
            if swap.__name__ == "mine" and not f.what.startswith("rename"):
                with open(t.file, "rb") as g:
                    if g.read() != SECRET:
                        wrong.append(told + "somebody's new file was replaced")
            restore(t)
            wrong += [told + "left " + p for p in leftovers(t.r)]
        tap.ok(not wrong and len(places) >= 4, "%s: before %d calls" % (swap.__name__, len(places)), wrong[:6])


def restore(t):
    sub = os.path.dirname(t.file)
    if os.path.islink(sub):
        os.unlink(sub)
        os.rename(sub + ".away", sub)
    if os.path.isdir(t.file) and not os.path.islink(t.file):
        os.rmdir(t.file)
    elif os.path.lexists(t.file):
        os.unlink(t.file)
    if os.path.lexists(t.file + ".away"):
        os.unlink(t.file + ".away")


def index_with(t, path):
    """An index whose one entry, besides .gitattributes, has this path: git would not write it."""
    entries = []
    for name, data in ((b".gitattributes", None), (path, None)):
        oid = git(t.r, "rev-parse", "HEAD:" + (".gitattributes" if name[:4] == b".git" and name == b".gitattributes"
                                               else "sub/" + MODEL)).strip()
        e = struct.pack(">10I", 0, 0, 0, 0, 0, 0, 0o100644, 0, 0, 0) + bytes.fromhex(oid)
        e += struct.pack(">H", min(len(name), 0xfff)) + name
        e += b"\0" * (8 - len(e) % 8)
        entries.append((name, e))
    entries.sort()
    data = b"DIRC" + struct.pack(">2I", 2, len(entries)) + b"".join(e for _, e in entries)
    with open(os.path.join(t.r, ".git/index"), "wb") as f:
        f.write(data + hashlib.sha1(data).digest())


def names(tap, folder):
    """M40, M42: names that climb, or that some file system takes for .git."""
    t = Tree(folder, "names")
    # Some of these are harmless names when git has not tracked them: of those nothing is asked here.
    with open(os.path.join(t.r, ".git/info/exclude"), "w") as f:
        f.write("*\n")
    zwnj = "\u200c"
    for path in ("../" + MODEL, "sub/../../" + MODEL, ".git/" + MODEL, ".GIT/" + MODEL, ".git./" + MODEL,
                 "git~1/" + MODEL, "GIT~1/" + MODEL, ".g%sit/%s" % (zwnj, MODEL), ".git::$INDEX_ALLOCATION/" + MODEL,
                 ".git /" + MODEL, "sub/.git/" + MODEL, "./" + MODEL, "sub//" + MODEL, t.out + "/" + MODEL):
        full = os.path.join(t.r, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        t.to_text(os.path.normpath(full))
        index_with(t, path.encode())
        done = run(["varve", "checkout", "-q"], t.r, timeout=20)
        with open(os.path.normpath(full)) as f:
            same = f.read() == t.text
        tap.ok(same and done.status == 1 and "not a path that" in done.err, "a path %r" % path.replace(folder, ""), str(done))
        os.unlink(os.path.normpath(full)) if not full.startswith(t.out) else None
    long = "/".join(["d" * 200] * 30) + "/" + MODEL
    index_with(t, long.encode())
    done = run(["varve", "checkout", "-q"], t.r)
    tap.ok(done.status in (0, 1, 128), "a path longer than PATH_MAX", str(done))

    # A commit that git on this system checks out, and that others would take for .git.
    t = Tree(folder, "hfs")
    blob = git(t.r, "rev-parse", "HEAD:sub/" + MODEL).strip()
    inner = must(["git", "mktree"], t.r, stdin=b"100644 blob %s\t%s\n" % (blob.encode(), MODEL.encode())).strip()
    attrs = git(t.r, "rev-parse", "HEAD:.gitattributes").strip()
    name = ".g%sit" % zwnj
    tree = must(["git", "mktree"], t.r,
                stdin=("100644 blob %s\t.gitattributes\n040000 tree %s\t%s\n" % (attrs, inner, name)).encode()).strip()
    commit = git(t.r, "commit-tree", "-m", "evil", tree).strip()
    done = run(["git", "checkout", "-q", "-f", commit], t.r)
    path = os.path.join(t.r, name, MODEL)
    tap.ok(not os.path.exists(path) or is_text(path), "no model is written below .g<ZWNJ>it", str(done))


def lies(tap, folder):
    """M45, M48, M52: manifests that were tampered with, merged by hand, or are monstrous."""
    t = Tree(folder, "lies")
    os.unlink(t.file)
    git(t.r, "checkout", "-q", "-f", ".")
    other = make_model(os.path.join(t.r, "other.safetensors"), "seed=2", *WORDS)
    git(t.r, "add", "-A")
    git(t.r, "commit", "-q", "-m", "two")
    lines = t.text.split("\n")
    foreign = git(t.r, "show", "HEAD:other.safetensors").split("\n")
    at = next(i for i, l in enumerate(lines) if l.startswith('tensor "t1"'))
    ident = lines[at].split()[-1]

    def with_line(line):
        return "\n".join(lines[:at] + [line] + lines[at + 1:])

    def with_id(new):
        return with_line(lines[at].replace(ident, new))

    size = next(i for i, l in enumerate(lines) if l.startswith("size "))
    cases = {
        "an id that climbs": with_id("../../" + "a" * 58), "an upper-case id": with_id(ident.upper()),
        "an id of 63": with_id(ident[:-1]), "an id of 65": with_id(ident + "0"),
        "an id with a line feed": with_id(ident[:30] + "\n" + ident[30:]),
        "another model's tensor": with_line(next(l for l in foreign if l.startswith('tensor "t1"'))),
        "a tensor left out": "\n".join(lines[:at] + lines[at + 1:]),
        "a tensor twice": "\n".join(lines[:at] + [lines[at]] + lines[at:]),
        "a size of 2^62": "\n".join(lines[:size] + ["size %d" % 2**62] + lines[size + 1:]),
        "conflict markers": "<<<<<<< ours\n" + t.text + "=======\n>>>>>>> theirs\n",
    }
    if FULL:
        cases["ten million lines"] = "\n".join(lines[:at] + [lines[at]] * 10**7 + lines[at:])

    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (768 << 20,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    for what, text in cases.items():
        with open(t.file, "w") as f:
            f.write(text)
        os.utime(t.file, (time.time() - 10,) * 2)
        added = run(["git", "add", "sub/" + MODEL], t.r)
        blob = must(["git", "hash-object", "-w", "--stdin", "--no-filters"], t.r, stdin=text.encode()).strip()
        git(t.r, "update-index", "--cacheinfo", "100644,%s,sub/%s" % (blob, MODEL))
        done = run(["varve", "checkout", "-q"], t.r, preexec_fn=little_memory)
        with open(t.file) as f:
            same = f.read() == text
        tap.ok(same and done.status == 1 and one_line(done) and "stays a manifest" in done.err, what + ": stays a text",
               str(done)[:500])
        if what != "ten million lines":
            tap.ok(added.status and "varve: " in added.err, what + ": git add refuses it", str(added)[:500])
        back = run(["varve", "restore", "-q", "", "--", "sub/" + MODEL], t.r, preexec_fn=little_memory)
        commit = git(t.r, "commit-tree", "-m", "evil", git(t.r, "write-tree").strip()).strip()
        back = run(["varve", "restore", "-q", commit, "--", "sub/" + MODEL], t.r, preexec_fn=little_memory)
        with open(t.file) as f:
            same = f.read() == text
        tap.ok(back.status == 128 and same, what + ": varve restore refuses it", str(back)[:500])
        with open(t.file, "w") as f:
            f.write(t.text)
        git(t.r, "reset", "-q")


def directories(tap, folder):
    """M37, M40-M42 for a directory tracked as one: links on the way, in its place, in its manifest's paths."""
    r, out = os.path.join(folder, "dirs", "r"), os.path.join(folder, "dirs", "outside")
    os.makedirs(out)
    new_repo(r)
    for name in ("d/f", "d/sub/w"):
        os.makedirs(os.path.dirname(os.path.join(r, name)), exist_ok=True)
        with open(os.path.join(r, name), "w") as f:
            f.write(name)
    must(["varve", "track", "-q", "d/"], r)
    must(["varve", "add", "-q", "."], r)
    git(r, "add", "-A")
    git(r, "commit", "-q", "-m", "one")
    with open(os.path.join(r, "d/.varve")) as f:
        text = f.read()

    def look(what, wrong=()):
        tap.ok(not os.listdir(out) and not wrong, what, os.listdir(out) + list(wrong))

    # git has a link where the manifest has a folder.
    subprocess.check_call(["rm", "-rf", os.path.join(r, "d/sub")])
    os.symlink(out, os.path.join(r, "d/sub"))
    git(r, "add", "-f", "d/sub")
    git(r, "commit", "-q", "-m", "evil")
    for words in (["varve", "checkout", "-q", "d"], ["varve", "checkout", "-q", "--force", "d"], ["varve", "restore", "-q", "HEAD", "d"],
                  ["varve", "restore", "-q", "HEAD~1", "d/sub/w"], ["varve", "add", "-q", "d"], ["varve", "status"]):
        done = run(words, r)
        look("git's own link on the way: " + " ".join(words[:3]), [] if done.status in DOCUMENTED else [str(done)])
    must(["varve", "init", "-q", "--global"], r)
    done = run(["git", "clone", "-q", r, os.path.join(folder, "dirs", "c")], folder)
    look("a clone of it", [] if done.status == 0 else [str(done)])
    git(r, "reset", "-q", "--hard", "HEAD~1")

    # The directory is a link, and its manifest is there.
    os.rename(os.path.join(r, "d"), os.path.join(r, "d.was"))
    hidden = os.path.join(folder, "dirs", "hidden")
    os.mkdir(hidden)
    with open(os.path.join(hidden, ".varve"), "w") as f:
        f.write(text)
    os.symlink(hidden, os.path.join(r, "d"))
    for words in (["varve", "checkout", "-q"], ["varve", "checkout", "-q", "--force", "d"], ["varve", "add", "-q", "."], ["varve", "status"],
                  ["varve", "restore", "-q", "HEAD", "d"]):
        run(words, r)
        tap.ok(os.listdir(hidden) == [".varve"], "the directory is a link: " + " ".join(words[:3]), os.listdir(hidden))
    os.unlink(os.path.join(r, "d"))
    os.rename(os.path.join(r, "d.was"), os.path.join(r, "d"))

    # Things in the place of a file.
    for what in ("fifo", "link", "folder"):
        path = os.path.join(r, "d/f")
        os.unlink(path)
        os.mkfifo(path) if what == "fifo" else os.mkdir(path) if what == "folder" else os.symlink(os.path.join(out, "new"), path)
        for words in (["varve", "checkout", "-q", "d"], ["varve", "status"], ["varve", "diff"], ["varve", "restore", "-q", "HEAD", "d/f"]):
            done = run(words, r, timeout=10)
            look("a %s in a file's place: %s" % (what, " ".join(words[:2])), [] if done.status in DOCUMENTED else [str(done)])
        os.rmdir(path) if what == "folder" else os.unlink(path)
        must(["varve", "checkout", "-q", "d"], r)

    # Paths that lead out, with a root that is right.
    for evil in ("../../outside/x", "/" + out.lstrip("/") + "/x", "sub/../../x", ".git/hooks/x", "sub/.GIT/config", ".varve", "a//b"):
        path = os.path.join(r, "d/.varve")
        bad = text.replace('"sub/w"', '"%s"' % evil)
        files = "".join(line + "\n" for line in bad.split("\n") if line.startswith("file "))
        bad = bad.replace(bad.split("sha256 ")[1][:64], hashlib.sha256(files.encode()).hexdigest())
        root = bad.split("root ")[1][:64]
        bad = bad.replace(root, hashlib.sha256(bad.replace("root " + root + "\n", "").encode()).hexdigest())
        with open(path, "w") as f:
            f.write(bad)
        done = run(["varve", "checkout", "-q", "d"], r)
        look("a path %s" % evil, [] if done.status == 1 and "manifest line" in done.err else [str(done)])
    git(r, "checkout", "-q", "-f", "HEAD", "--", ".")


def main():
    tap = Tap()
    folder = work_folder()
    for part in (links, things, races, names, lies, directories):
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part(tap, folder)
    tap.end()


main()
