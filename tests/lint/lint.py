"""What the lints share. A lint prints "file:line: what is wrong" for each finding and exits 1 when
there is any, 77 when it cannot run here."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULES_TESTED = ["base", "os", "hash", "codec", "format", "store", "model", "diff", "blend", "remote"]
SKIPPED = 77
_findings = 0


def files(*suffixes, under=""):
    """Paths of the tree (those of git, when this is a checkout), relative to its root, sorted."""
    try:
        out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "-c", "-o", "--exclude-standard"],
                             check=True, capture_output=True).stdout
        names = set(os.fsdecode(out).split("\0")) - {""}
    except (OSError, subprocess.CalledProcessError):
        names = set()
        for top, dirs, here in os.walk(ROOT):
            dirs[:] = [d for d in dirs if not d.startswith((".git", "build"))]
            names.update(os.path.relpath(os.path.join(top, f), ROOT) for f in here)
    return sorted(n for n in names if n.startswith(under) and (not suffixes or n.endswith(suffixes))
                  and os.path.isfile(os.path.join(ROOT, n)))


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def is_text(path):
    with open(os.path.join(ROOT, path), "rb") as f:
        return b"\0" not in f.read(8192)


def code(path):
    """C without comments and without what stands in quotes; line numbers stay."""
    def blank(m):
        s = m.group(0)
        return '""' if s[0] == '"' else "' '" if s[0] == "'" else "\n" * s.count("\n")
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text(path), flags=re.S)


def found(path, line, what):
    global _findings
    _findings += 1
    print(f"{path}:{line}: {what}" if line else f"{path}: {what}")


def listed(path):
    """All words in quotes in a meson.build; [] when there is none."""
    if not os.path.exists(os.path.join(ROOT, path)):
        return []
    return re.findall(r"'([^']*)'", re.sub(r"^\s*#.*$", "", text(path), flags=re.M))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def done(checked):
    """Ends the lint. `checked` guards against one that looked at nothing."""
    if not checked:
        print("nothing was checked")
    elif not _findings:
        print(f"{checked} checked")
    sys.exit(1 if _findings or not checked else 0)
