#!/usr/bin/env python3
"""Every public command is in help, has a manual page with its synopsis and options, and is completed by each shell.

usage: commands.py VARVE
"""
import os
import re
import subprocess
import sys
import lint

varve = sys.argv[1]
EVERY = {"--json", "--quiet", "--help", "-q", "-h"}
shells = {s: lint.text(f"completions/{p}") for s, p in
          (("bash", "varve.bash"), ("zsh", "_varve"), ("fish", "varve.fish"))}


def run(*args):
    return subprocess.run([varve, *args], check=True, capture_output=True, text=True).stdout


def plain(roff):
    """roff as text: fonts and escapes taken out."""
    s = re.sub(r'^\.\\".*$', "", roff, flags=re.M)
    s = re.sub(r"\\f.|\\&", "", s).replace("\\-", "-").replace("\\(aq", "'")
    return re.sub(r"^\.(?:BR|BI|B|IR|IB|I|RB|RI|SH|SS|TP|PP|RS|RE|IP|SY|YS)\b ?", "", s, flags=re.M)


table = re.findall(r'^\t\{"([a-z-]+)", \w+, ([^"]*), (NULL|"\w+"),\s*"([^"]*)",\s*"([^"]*)"\}',
                   lint.text("src/cli/main.c").split("vv_cmds[] = {")[1], flags=re.M)
public = [(name, summary, usage) for name, flags, group, summary, usage in table if group != "NULL"]
listing, top = run("help"), plain(lint.text("docs/man/varve.1"))
for name, summary, usage in public:
    if not re.search(rf"^  {name} +{re.escape(summary)}$", listing, flags=re.M):
        lint.found("src/cli/main.c", 0, f"'varve help' does not list {name}")
    if not re.search(rf"varve-{name}\b", top):
        lint.found("docs/man/varve.1", 0, f"does not name varve-{name}(1)")
    text = run(name, "--help")
    if f"usage: varve {name} {usage}" not in text:
        lint.found("src/cli/main.c", 0, f"'varve {name} --help' has another usage than the table")
    options = set(re.findall(r"^  +(-\w), ", text, flags=re.M)) | set(re.findall(r"^  .*?(--[\w-]+)", text, flags=re.M))
    page = f"docs/man/varve-{name}.1"
    if not os.path.exists(os.path.join(lint.ROOT, page)):
        lint.found(page, 0, "is not there")
    else:
        body = plain(lint.text(page))
        # The page's synopsis is the table's usage, word for word, however it is set.
        if usage not in re.sub(r"\s+", " ", body.replace('"', "")):
            lint.found(page, 0, f"SYNOPSIS is not '{usage}'")
        for o in sorted(options - EVERY):
            if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", body):
                lint.found(page, 0, f"does not explain {o}")
        for o in sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]+", body.split("EXAMPLES")[0])) - options):
            if not re.search(rf"(?:git|varve)[ -][\w -]*{re.escape(o)}", body):
                lint.found(page, 0, f"explains {o}, which varve {name} does not have")
    for shell, script in shells.items():
        if not re.search(rf"(?<![\w-]){name}(?![\w-])", script):
            lint.found(f"completions for {shell}", 0, f"do not know {name}")
        for o in sorted(o for o in options - EVERY if o.startswith("--")):
            if not re.search(rf"(?:{o}|-l {o[2:]})(?![\w-])", script):
                lint.found(f"completions for {shell}", 0, f"do not know {o} of {name}")
lint.done(len(public))
