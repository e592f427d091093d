"""Shared by the interop tests: commands, and TAP. On PATH: varve, git-varve."""
import hashlib
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
