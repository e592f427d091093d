#!/usr/bin/env python3
"""The lists in meson.build name all that is there and nothing that is not."""
import os
import lint

n = 0


def same(folder, there, build, what):
    """`there`: names in the folder; `build`: names in its meson.build."""
    global n
    n += len(there)
    for x in sorted(set(there) - set(build)):
        lint.found(f"{folder}/{x}", 0, "is not in meson.build")
    for x in sorted(set(build) - set(there)):
        lint.found(f"{folder}/meson.build", 0, f"names {x}: no such {what}")


def names(folder, *suffixes):
    return [os.path.basename(p) for p in lint.files(*suffixes, under=folder + "/") if os.path.dirname(p) == folder]


for module in sorted({p.split("/")[1] for p in lint.files(".c", under="src/")}):
    sources = [x for x in names(f"src/{module}", ".c") if (module, x) != ("cli", "main.c")]
    build = [x for x in lint.listed(f"src/{module}/meson.build") if x.endswith(".c")]
    same(f"src/{module}", sources, build, "file")
same("docs/man", names("docs/man", ".1"), [x for x in lint.listed("docs/man/meson.build")
     if x.startswith("varve") and x.endswith(".1")], "page")
for suite in ("cli", "git", "fault", "interop"):
    known = {os.path.basename(x) for x in lint.listed("tests/meson.build") + lint.listed(f"tests/{suite}/meson.build")}
    for x in names(f"tests/{suite}", ".sh", ".py"):
        n += 1
        if x not in ("lib.sh", "lib.py") and x not in known and x.rsplit(".", 1)[0] not in known:
            lint.found(f"tests/{suite}/{x}", 0, "is run by no meson.build")
lints = {x[:-3] for x in names("tests/lint", ".py")} - {"lint"}
run = {x.removesuffix(".py") for x in lint.listed("tests/lint/meson.build")}
n += len(lints)
for x in sorted(lints - run):
    lint.found(f"tests/lint/{x}.py", 0, "is run by no meson.build")
targets = {os.path.basename(p)[5:-2] for p in lint.files(".c", under="fuzz/targets/")}
corpora = {p.split("/")[2] for p in lint.files(under="fuzz/corpus/")}
for module in sorted({p.split("/")[2] for p in lint.files(".c", under="fuzz/targets/")}):
    here = [os.path.basename(p)[5:-2] for p in lint.files(".c", under=f"fuzz/targets/{module}/fuzz_")]
    same(f"fuzz/targets/{module}", here,
         [x for x in lint.listed(f"fuzz/targets/{module}/meson.build") if x != module or module in here], "target")
for x in sorted(targets - corpora):
    lint.found(f"fuzz/corpus/{x}", 0, "the target has no corpus")
for x in sorted(corpora - targets):
    lint.found(f"fuzz/corpus/{x}", 0, "the corpus has no target")
lint.done(n)
