#!/usr/bin/env python3
"""Calls that are not used here, and what to use instead. (Arrays of variable length: -Wvla.)"""
import re
import lint

EVERYWHERE = {
    "strcpy strcat strncpy strncat stpcpy": "snprintf, or struct vv_buf",
    "sprintf vsprintf": "snprintf",
    "gets scanf fscanf": "a bounded read",
    "strtok strtok_r": "strsep, or struct vv_cursor",
    "atoi atol atoll atof": "strtoul with a check",
    "rand srand random drand48": "vv_random64",
    "tmpnam tempnam mktemp": "vv_temp_open, or mkstemp",
    "system popen": "vv_child_run: no shell ever sees a name",
    "alloca": "an arena, or malloc",
    "asctime ctime gmtime localtime": "the _r form",
}
BELOW_CLI = {
    "printf puts putchar fprintf fputs perror": "struct vv_err: nothing below cli prints",
    "exit abort": "an error code: nothing below cli ends the process",
}
# err.c holds VV_BUG, which ends the process on a programmer's error.
ENDS = {"src/base/err.c"}

n = 0
for path in lint.files(".c", ".h", under=("src/", "fuzz/", "bench/")):
    rules = dict(EVERYWHERE)
    if path.startswith("src/") and not path.startswith("src/cli/") and path not in ENDS:
        rules.update(BELOW_CLI)
    names = {name: instead for group, instead in rules.items() for name in group.split()}
    call = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    n += 1
    for i, line in enumerate(lint.code(path).splitlines(), 1):
        for m in call.finditer(line):
            lint.found(path, i, f"{m.group(1)}(): use {names[m.group(1)]}")
lint.done(n)
