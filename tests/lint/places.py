#!/usr/bin/env python3
"""Nothing in the tree names somebody's machine, or a host that it need not name."""
import re
import lint

# Folders in which people keep their own things: no file here can rely on them.
OWN = re.compile(r"(?<![\w.$}\"'/>-])/(?:home|root|Users|work|workspace|mnt|media|srv|data)/[\w.]")
URL = re.compile(r"(?<!\+)\b(?:https?|ssh|git|ftp)://(?:[\w.-]+@)?([\w.-]+)")
# www.w3.org: in the name of the namespace of SVG, which nobody fetches.
HOSTS = re.compile(r"^(?:www\.apache\.org|www\.w3\.org|(?:.+\.)?example(?:\.com|\.org|\.net|\.invalid)?|localhost|127\.0\.0\.1|host)$")

n = 0
for path in lint.files():
    if path in ("LICENSE", "tests/lint/places.py") or path.startswith(("fuzz/corpus/", "tests/golden/")) or \
            not lint.is_text(path):
        continue
    n += 1
    for i, line in enumerate(lint.text(path).splitlines(), 1):
        for m in OWN.finditer(line):
            lint.found(path, i, f"names a folder of one machine: {m.group(0)}")
        for m in URL.finditer(line):
            if not HOSTS.match(m.group(1)):
                lint.found(path, i, f"names the host {m.group(1)}")
lint.done(n)
