#!/usr/bin/env python3
"""Every #include "..." in src/<module>/ is allowed by src/LAYERS, and exists."""
import os
import re
import lint

allowed = {}
for line in lint.text("src/LAYERS").splitlines():
    if line.strip() and not line.startswith("#"):
        module, below = line.split(":")
        unknown = [b for b in below.split() if b not in allowed]
        if unknown:
            lint.found("src/LAYERS", 0, f"{module} uses {', '.join(unknown)}, which is not below it")
        allowed[module.strip()] = below.split()
n = 0
for path in lint.files(".c", ".h", under="src/"):
    parts = path.split("/")
    if len(parts) != 3 or parts[1] not in allowed:
        lint.found(path, 0, "not in a module of src/LAYERS")
        continue
    for i, line in enumerate(lint.text(path).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not m:
            continue
        n += 1
        target = m.group(1).split("/")[0]
        if not os.path.exists(os.path.join(lint.ROOT, "src", m.group(1))):
            lint.found(path, i, f'"{m.group(1)}" is not a path below src/')
        elif target != parts[1] and target not in allowed[parts[1]]:
            lint.found(path, i, f"{parts[1]} may not include {m.group(1)} (src/LAYERS)")
        elif target != parts[1] and m.group(1).endswith("/internal.h"):
            lint.found(path, i, f"{m.group(1)} is {target}'s own")
lint.done(n)
