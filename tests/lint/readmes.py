#!/usr/bin/env python3
"""README.md and README.zh-CN.md say the same: the same headings, code blocks, commands and tables, in order."""
import re
import lint


def outline(path):
    """(line, mark) of each part that both must have."""
    out, block = [], None
    for i, line in enumerate(lint.text(path).splitlines(), 1):
        if line.startswith("```"):
            block = None if block else line
            out.append((i, line.strip()))
        elif block and line.strip() and not line.lstrip().startswith("#"):
            # Commands and output are the same in both; comments beside them are in the page's language.
            out.append((i, re.sub(r"\s+#\s.*", "", line).rstrip()))
        elif not block and re.match(r"#+ ", line):
            out.append((i, line.split(" ")[0]))
        elif not block and line.startswith("|"):
            out.append((i, f"a table's row of {line.count('|') - 1} cells"))
    return out


a, b = outline("README.md"), outline("README.zh-CN.md")
for (i, x), (j, y) in zip(a, b):
    if x != y:
        lint.found("README.zh-CN.md", j, f"has '{y}' where README.md:{i} has '{x}'")
        break
else:
    if len(a) != len(b):
        lint.found("README.zh-CN.md", 0, f"has {len(b)} headings, rows and code lines, README.md {len(a)}")
lint.done(len(a))
