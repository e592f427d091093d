#!/usr/bin/env python3
"""Each src/<m>/x.c below git has its tests/unit/<m>/test_x.c, which meson runs, and no test is orphaned."""
import os
import lint

n = 0
for module in lint.MODULES_TESTED:
    sources = {os.path.basename(p)[:-2] for p in lint.files(".c", under=f"src/{module}/")}
    tests = {os.path.basename(p)[5:-2] for p in lint.files(".c", under=f"tests/unit/{module}/test_")}
    run = set(lint.listed(f"tests/unit/{module}/meson.build"))
    n += len(sources)
    for x in sorted(sources - tests):
        lint.found(f"src/{module}/{x}.c", 0, f"has no tests/unit/{module}/test_{x}.c")
    for x in sorted(tests - sources):
        lint.found(f"tests/unit/{module}/test_{x}.c", 0, f"tests no src/{module}/{x}.c")
    for x in sorted(tests - run):
        lint.found(f"tests/unit/{module}/test_{x}.c", 0, "is not in that folder's meson.build")
lint.done(n)
