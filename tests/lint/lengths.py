#!/usr/bin/env python3
"""No source file above 800 lines, no function above a screen, no line of src wider than a screen."""
import lint

FILE, FUNCTION, COLUMNS = 800, 70, 140
SCRIPTS = (".py", ".sh", ".build", ".bash", ".fish")

n = 0
for path in lint.files(".c", ".h", *SCRIPTS):
    if path.startswith("tests/golden/"):
        continue
    lines = lint.text(path).split("\n")
    n += 1
    if len(lines) > FILE + 1:
        lint.found(path, 0, f"{len(lines) - 1} lines, more than {FILE}")
    start = None
    for i, line in enumerate(lines, 1):
        width = len(line.expandtabs(8))
        if width > COLUMNS and path.startswith("src/"):
            lint.found(path, i, f"{width} columns, more than {COLUMNS}")
        if line != line.rstrip():
            lint.found(path, i, "blanks at the end")
        if not path.endswith(".c"):
            continue
        if line == "{":
            start = i
        elif line.startswith("}") and start:
            if i - start - 1 > FUNCTION and path.startswith("src/"):
                lint.found(path, start, f"a function of {i - start - 1} lines, more than {FUNCTION}: {lines[start - 2]}")
            start = None
lint.done(n)
