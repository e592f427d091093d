#!/usr/bin/env python3
"""Every header compiles alone."""
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
import lint

cc = shlex.split(os.environ.get("CC", "cc"))
flags = ["-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-variable",
         "-Wno-missing-field-initializers", "-I" + lint.ROOT + "/src", "-I" + lint.ROOT + "/tests/lib"]
try:
    flags += subprocess.run(["pkg-config", "--cflags", "libcrypto", "libzstd", "libxxhash", "jansson", "zlib", "libutf8proc", "yaml-0.1"],
                            check=True, capture_output=True, text=True).stdout.split()
except (OSError, subprocess.CalledProcessError):
    lint.skip("no pkg-config, or a library is missing")


def compile_alone(path):
    return path, subprocess.run(cc + flags + ["-x", "c", "-"], input=f'#include "{lint.ROOT}/{path}"\n', text=True,
                                capture_output=True)


paths = lint.files(".h")
with ThreadPoolExecutor(2) as pool:
    for path, r in pool.map(compile_alone, paths):
        if r.returncode:
            lint.found(path, 0, "does not compile alone\n" + r.stderr.strip())
lint.done(len(paths))
