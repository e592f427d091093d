"""Shared by the interop tests: commands, and TAP. On PATH: varve, git-varve."""
import hashlib
import os
import subprocess
import sys

tests = failed = 0


def ok(good, what, why=""):
    global tests, failed
    tests += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {tests} - {what}")
    if not good and why:
        print("# " + str(why).replace("\n", "\n# "))


def end():
    print(f"1..{tests}")
    sys.exit(failed != 0)


def run(*words, cwd=None):
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True)


def git(*words, cwd=None):
    r = run("git", *words, cwd=cwd)
    if r.returncode:
        ok(False, "git " + " ".join(words), r.stderr)
    return r.stdout


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Repo:
    """A new repository in which varve keeps files of this pattern."""

    def __init__(self, path, pattern):
        self.path, self.commits = path, 0
        os.environ.update(HOME=path, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid",
                          GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid", VARVE_MEASURE="0")
        os.mkdir(path)
        self.git("init", "-q", "-b", "main")
        self.run("varve", "init", "-q")
        self.run("varve", "track", "-q", pattern)

    def run(self, *words):
        return run(*words, cwd=self.path)

    def git(self, *words):
        return git(*words, cwd=self.path)

    def read(self, file):
        with open(f"{self.path}/{file}", "rb") as f:
            return f.read()

    def commit(self, file, data):
        self.commits += 1
        with open(f"{self.path}/{file}", "wb") as f:
            f.write(data)
        # Of the same size, within a tick of the clock: a change all the same.
        os.utime(f"{self.path}/{file}", (1e9, 1e9 + self.commits))
        self.git("add", file)
        self.git("commit", "-q", "--allow-empty", "-m", file)
