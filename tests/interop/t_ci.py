#!/usr/bin/env python3
"""The templates of docs/ci, their scripts run as a runner does: in a plain clone, with the host's commands as stubs."""
import json
import os
import shutil
import subprocess
import tempfile

from lib import Repo, end, git, ok

try:
    import yaml
except ImportError:
    print("1..0 # skip PyYAML is not here")
    raise SystemExit(0)
CI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "ci")


def stub(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


def sh(script, cwd, **env):
    r = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=cwd, env=dict(os.environ, **env), capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


def text(path):
    with open(path) as f:
        return f.read()


def runner(d, name):
    """A clone as CI makes it: there is no store, and none at the remote, which is elsewhere."""
    git("clone", "-q", f"file://{d}/r", f"{d}/{name}", cwd=d)
    git("remote", "set-url", "origin", "https://host.example.com/o/r", cwd=f"{d}/{name}")
    return f"{d}/{name}"


def github(d, base, head):
    with open(f"{CI}/github.yml") as f:
        job = yaml.safe_load(f)["jobs"]["diff"]
    steps = {s.get("name"): s for s in job["steps"]}
    at = runner(d, "github")
    code, said = sh(steps["Compare"]["run"], at, BASE=base, HEAD=head, VARVE_STORE="")
    ok(code == 0 and "`t1`" in text(f"{at}/models.md") and "e-" not in text(f"{at}/models.md"), "GitHub, without a store: names", said)
    code, said = sh(steps["Compare"]["run"], at, BASE=base, HEAD=head, VARVE_STORE=f"{d}/r")
    ok(code == 0 and "`t1`" in text(f"{at}/models.md") and "e+00" in text(f"{at}/models.md"), "with one: numbers", said)
    ok(os.path.getsize(f"{at}/models.html") > 1000, "and a page")
    stub(f"{d}/bin", "gh", f'printf "%s\\n" "$@" >{d}/gh.out')
    code, said = sh(steps["Comment"]["run"], at, NUMBER="7", REPO="o/r", GH_TOKEN="x")
    ok(code == 0 and text(f"{d}/gh.out").split()[:5] == ["pr", "comment", "7", "--repo", "o/r"] and
       "models.md" in text(f"{d}/gh.out"), "the comment", said)
    uses = [s["uses"] for s in job["steps"] if "uses" in s]
    ok(all("${{" not in s["run"] for s in job["steps"] if "run" in s) and len(uses) == 2, "no expression is in a script", uses)


def gitlab(d, base, head):
    with open(f"{CI}/gitlab.yml") as f:
        job = yaml.safe_load(f)["models"]
    script = "\n".join(job["script"])
    ok(all(isinstance(line, str) for line in job["script"]), "GitLab: every line is a command")
    at = runner(d, "gitlab")
    env = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_COMMIT_SHA": head, "VARVE_STORE": f"{d}/r", "VARVE_NOTE_TOKEN": "",
           "CI_API_V4_URL": "https://host.example.com/api/v4", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "5"}
    code, said = sh(script, at, **env)
    ok(code == 0 and "e+00" in text(f"{at}/models.md") and not os.path.exists(f"{at}/note.json"), "without a token: the files", said)
    if not shutil.which("jq"):
        ok(True, "the note # skip jq is not here")
        return
    env["VARVE_NOTE_TOKEN"] = "secret"
    for what, notes, want in (("a new note", [], "merge_requests/5/notes"),
                              ("the old one is replaced", [{"id": 4, "body": "hi"}, {"id": 9, "body": "<!-- varve -->\nold"}], "notes/9")):
        with open(f"{d}/notes.json", "w") as f:
            json.dump(notes, f)
        stub(f"{d}/bin", "curl", f'case "$*" in *per_page*) cat {d}/notes.json ;; *) printf "%s\\n" "$@" >{d}/curl.out ;; esac')
        code, said = sh(script, at, **env)
        body = json.loads(text(f"{at}/note.json"))["body"] if code == 0 else ""
        ok(code == 0 and body == "<!-- varve -->\n" + text(f"{at}/models.md") and
           text(f"{d}/curl.out").split("\n")[-2].endswith(want) and ("PUT" in text(f"{d}/curl.out")) == (notes != []), what, said)


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as d:
    r = Repo(f"{d}/r", "*.safetensors")
    os.environ["HOME"] = d
    os.mkdir(f"{d}/bin")
    os.environ["PATH"] = f"{d}/bin:" + os.environ["PATH"]
    for words in (["set=t0:1"], ["set=t1:5"]):
        subprocess.run(["mkmodel", f"{d}/r/m.safetensors", "n=4", *words], check=True)
        r.git("add", ".")
        r.git("commit", "-q", "-m", words[0])
    base, head = (r.git("rev-parse", rev).strip() for rev in ("HEAD~1", "HEAD"))
    github(d, base, head)
    gitlab(d, base, head)
end()
