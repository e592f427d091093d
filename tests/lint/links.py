#!/usr/bin/env python3
"""Every relative link in a .md leads to a file of the tree, and every page of docs/ is reachable from docs/README.md."""
import os
import re
import lint

n = 0
linked = set()
pages = lint.files(".md")
for path in pages:
    body = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), lint.text(path), flags=re.S)
    for i, line in enumerate(body.splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line) if "](" not in line else line):
            if "://" in target or target.startswith(("#", "mailto:")):
                continue
            n += 1
            to = os.path.normpath(os.path.join(os.path.dirname(path), target.split("#")[0]))
            linked.add(to)
            if not os.path.exists(os.path.join(lint.ROOT, to)):
                lint.found(path, i, f"leads nowhere: {target}")
for path in pages:
    if path.startswith("docs/") and path != "docs/README.md" and path not in linked:
        lint.found(path, 0, "no page links to it")
lint.done(n)
