#!/usr/bin/env python3
"""Every shell script parses, and shellcheck finds nothing in it, where it is installed."""
import os
import shutil
import subprocess
import lint

n = 0
check = shutil.which("shellcheck")
for path in lint.files():
    if path.startswith(("fuzz/corpus/", "tests/golden/")):
        continue
    with open(os.path.join(lint.ROOT, path), "rb") as f:
        first = f.readline(80)
    shell = "bash" if b"bash" in first else "sh"
    if not path.endswith((".sh", ".bash")) and not (first.startswith(b"#!") and first.rstrip().endswith(b"sh")):
        continue
    n += 1
    full = os.path.join(lint.ROOT, path)
    if path.endswith(".bash"):
        shell = "bash"
    r = subprocess.run([shell, "-n", full], capture_output=True, text=True)
    if r.returncode:
        lint.found(path, 0, r.stderr.strip())
    # Tests source lib.sh, whose variables and `[ ... ]; ok "..."` style shellcheck cannot follow; a cd
    # that fails there fails what comes after it.
    not_followed = ["-e", "SC1091,SC2154,SC2034,SC2319,SC2317,SC2164,SC2010"] if path.startswith("tests/") else ["-e", "SC1091"]
    if check and not path.startswith("completions/"):
        r = subprocess.run([check, "-S", "warning", "-f", "gcc", *not_followed, "-s", shell, full], capture_output=True,
                           text=True)
        for line in r.stdout.splitlines():
            lint.found(os.path.relpath(line.split(":")[0], lint.ROOT), line.split(":")[1], line.split(":", 3)[3].strip())
lint.done(n)
