#!/usr/bin/env python3
"""The manual pages are sound roff: mandoc's lint and groff's warnings, whichever is here."""
import os
import shutil
import subprocess
import lint

pages = lint.files(".1", under="docs/man/")
if not shutil.which("mandoc") and not shutil.which("groff"):
    lint.skip("neither mandoc nor groff is here")
for page in pages:
    full = os.path.join(lint.ROOT, page)
    if shutil.which("mandoc"):
        # STYLE would complain of pages that are not in the system's database.
        r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", full], capture_output=True, text=True)
        for line in r.stdout.splitlines():
            lint.found(page, 0, line)
    if shutil.which("groff"):
        r = subprocess.run(["groff", "-man", "-ww", "-z", "-T", "utf8", "-rLL=80n", full], capture_output=True, text=True)
        for line in r.stderr.splitlines():
            lint.found(page, 0, line)
lint.done(len(pages))
