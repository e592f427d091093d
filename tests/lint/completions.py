#!/usr/bin/env python3
"""The completions, in the real shells that are here: bash, zsh, fish."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import lint

MANIFEST = """varve 1 - this text stands for a model file; "varve checkout" puts the file itself here
tensor "head.weight" f32 [2] 0
tensor "body.weight" f32 [2] 0
"""
# what is typed: what must be among the answers, what must not
CASES = [
    ("varve sh", {"show"}, {"status"}),
    ("varve st", {"status"}, {"show"}),
    ("varve diff --st", {"--stat", "--staged"}, {"--all"}),
    ("varve gc --", {"--dry-run", "--json"}, {"--stat"}),
    ("varve restore ma", {"main"}, {"restore"}),
    ("varve restore main -- m", {"model.safetensors"}, {"main"}),
    ("varve -C . blame m", {"main", "model.safetensors"}, {"note.txt"}),
    ("varve cat model.safetensors he", {"head.weight"}, {"body.weight"}),
    ("varve help bl", {"blame"}, {"show"}),
]


def make_repo(d):
    env = dict(os.environ, GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")
    with open(f"{d}/.gitattributes", "w") as f:
        f.write("*.safetensors filter=varve\n")
    with open(f"{d}/model.safetensors", "w") as f:
        f.write(MANIFEST)
    with open(f"{d}/note.txt", "w") as f:
        f.write("no model\n")
    for args in (["init", "-q", "-b", "main"], ["add", "."],
                 ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", d, *args], check=True, env=env, stdin=subprocess.DEVNULL)


def bash(d, line):
    script = f"""
source "{lint.ROOT}/completions/varve.bash"
COMP_LINE=$1 COMP_POINT=${{#1}}
read -ra COMP_WORDS <<<"$1"
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_varve
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    r = subprocess.run(["bash", "-c", script, "bash", line], cwd=d, capture_output=True, text=True)
    return r.stdout + r.stderr


def fish(d, line):
    r = subprocess.run(["fish", "--no-config", "-c", f"source {lint.ROOT}/completions/varve.fish; complete -C '{line}'"],
                       cwd=d, capture_output=True, text=True, env=dict(os.environ, HOME=d))
    return r.stdout + r.stderr


class Zsh:
    """An interactive zsh on a terminal: zsh completes nowhere else."""

    def __init__(self, d):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(d)
            os.environ.update(HOME=d, TERM="dumb", COLUMNS="200")
            os.execlp("zsh", "zsh", "-f", "-i")
        os.write(self.fd, f"fpath=({lint.ROOT}/completions $fpath); autoload -Uz compinit; compinit -u -D; "
                 "LISTMAX=1000; unsetopt auto_menu menu_complete; PROMPT='READY''> '\n".encode())
        self.read("READY> ", 20)
        self.read("", 1)

    def read(self, until, seconds=5):
        out, end = "", time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in out[-60:]):
            if select.select([self.fd], [], [], 0.3)[0]:
                try:
                    out += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
            elif not until:
                break
        return out

    def complete(self, line):
        # ^D lists, tab completes; then the line is thrown away.
        os.write(self.fd, line.encode() + b"\x04\t")
        out = self.read("", 5)
        os.write(self.fd, b"\x15")
        self.read("", 1)
        out = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07", "", out)
        # Below a list the prompt and the line stand once more.
        return re.sub(r"READY> .*", "", out).replace(line, "", 1)


n, missing = 0, []
with tempfile.TemporaryDirectory() as d:
    make_repo(d)
    zsh = None
    for shell, where in (("bash", "varve.bash"), ("zsh", "_varve"), ("fish", "varve.fish")):
        if not shutil.which(shell):
            missing.append(shell)
            continue
        if shell == "zsh":
            zsh = Zsh(d)
        for line, wanted, unwanted in CASES:
            out = {"bash": bash, "fish": fish, "zsh": lambda _, x: zsh.complete(x)}[shell](d, line)
            words = set(re.split(r"[\s]+", out))
            # zsh inserts what is the only answer: then it shows the rest of the word.
            stem = line.split(" ")[-1]
            for w in sorted(wanted):
                n += 1
                if w not in words and not (shell == "zsh" and w[len(stem):] and w[len(stem):] in words):
                    lint.found(f"completions/{where}", 0, f"'{line}<tab>' does not give {w}: {out.strip()!r}")
            for w in sorted(unwanted & words):
                lint.found(f"completions/{where}", 0, f"'{line}<tab>' gives {w}")
    if zsh:
        os.close(zsh.fd)
if missing:
    print(f"not here: {', '.join(missing)}", file=sys.stderr)
lint.done(n)
