"""Shared by the fault tests: repositories, the shim around a command, what must hold afterwards, TAP.

Needs on PATH: varve, git-varve, mkmodel (meson puts them there), and in FAULT_SHIM the shim of
tests/lib/faultshim.c. VV_FULL=1 tries everything, else a sample.
"""
import ctypes
import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

FULL = bool(os.environ.get("VV_FULL"))
SHIM = os.environ.get("FAULT_SHIM", "")
DOCUMENTED = (0, 1, 128, 129)
MODEL = "m.safetensors"


class Tap:
    def __init__(self):
        self.n, self.failed, self.begun = 0, 0, time.time()

    def ok(self, cond, what, why=()):
        self.n += 1
        self.failed += not cond
        print("%sok %d - %s" % ("" if cond else "not ", self.n, what), flush=True)
        if not cond:
            for line in [why] if isinstance(why, str) else why:
                print("# " + line.replace("\n", "\n# "), flush=True)
        return cond

    def skip(self, what, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, what, why), flush=True)

    def end(self):
        print("# %.1f s" % (time.time() - self.begun))
        print("1..%d" % self.n)
        sys.exit(self.failed != 0)


def work_folder():
    """A folder for this test, in memory when that is offered; also sets the environment for git."""
    base = os.environ.get("TMPDIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    folder = tempfile.mkdtemp(prefix="varve-fault.", dir=base)
    pid = os.getpid()

    def remove():
        if os.getpid() == pid:
            subprocess.call(["chmod", "-R", "u+rwX", folder], stderr=subprocess.DEVNULL)
            shutil.rmtree(folder, ignore_errors=True)

    import atexit
    atexit.register(remove)
    home = os.path.join(folder, "home")
    os.mkdir(home)
    for name in [n for n in os.environ if n.startswith(("GIT_", "FAULT_A", "FAULT_D", "VARVE_"))]:
        del os.environ[name]
    os.environ.update(HOME=home, XDG_CONFIG_HOME=home + "/.config", GIT_CONFIG_NOSYSTEM="1", LC_ALL="C",
                      GIT_PAGER="cat", GIT_EDITOR="true", GIT_AUTHOR_NAME="tester", GIT_AUTHOR_EMAIL="t@example.invalid",
                      GIT_COMMITTER_NAME="tester", GIT_COMMITTER_EMAIL="t@example.invalid", VARVE_THREADS="1", VARVE_MEASURE="0",
                      GIT_TERMINAL_PROMPT="0")
    with open(home + "/.gitconfig", "w") as f:
        f.write("[init]\n\tdefaultBranch = main\n\ttemplateDir =\n[advice]\n\tdetachedHead = false\n"
                "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[protocol \"file\"]\n\tallow = always\n")
    adopt_orphans()
    return folder


def adopt_orphans(yes=True):
    """What our children leave behind becomes our child: the waiter that varve detaches can be waited for."""
    try:
        ctypes.CDLL(None).prctl(36, int(yes), 0, 0, 0)
    except (OSError, AttributeError):
        pass


def wait_orphans(limit=20):
    end = time.time() + limit
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                if time.time() > end:
                    return False
                time.sleep(0.002)
        except ChildProcessError:
            return True


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def __str__(self):
        return "%s: status %d\n%s%s" % (" ".join(self.argv), self.status, self.out, self.err)


alone = True  # false while other children of ours are running


def run(argv, cwd, env=None, stdin=b"", timeout=60, **kw):
    """Ends when the command and all that it left running have ended. Status -9: killed; 999: hung."""
    full = dict(os.environ, **env) if env else None
    p = subprocess.Popen(argv, cwd=cwd, env=full, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         start_new_session=True, **kw)
    try:
        out, err = p.communicate(stdin, timeout)
        status = p.returncode
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        status = 999
    if alone and not wait_orphans():
        status = 999
    return Result(argv, status, out.decode(errors="replace"), err.decode(errors="replace"))


def must(argv, cwd, **kw):
    r = run(argv, cwd, **kw)
    if r.status:
        raise RuntimeError(str(r))
    return r.out


class Fault:
    """One way to do harm. `at` 0 only counts."""

    def __init__(self, classes, do="EIO", at=0, keep=False, under="", program="varve", nosync="", journal=""):
        self.classes, self.do, self.at, self.keep = classes, do, at, keep
        self.under, self.program, self.nosync, self.journal = under, program, nosync, journal
        self.calls, self.hits, self.what = 0, 0, ""

    def __str__(self):
        return "%s %s%s of call %d%s (%s)" % (self.program, self.do, " from there on" if self.keep else "", self.at,
                                              " of class " + self.classes, self.what or "not reached")

    def env(self, state):
        with open(state, "wb") as f:
            f.write(bytes(512))
        e = {"LD_PRELOAD": SHIM, "FAULT_STATE": state, "FAULT_CLASS": self.classes, "FAULT_AT": str(self.at),
             "FAULT_DO": self.do, "FAULT_PROGRAM": self.program}
        if self.keep:
            e["FAULT_KEEP"] = "1"
        for name, value in (("UNDER", self.under), ("NOSYNC", self.nosync), ("JOURNAL", self.journal)):
            if value:
                e["FAULT_" + name] = value
        return e

    def read(self, state):
        with open(state, "rb") as f:
            data = f.read(512)
        self.calls, self.hits = struct.unpack("QQ", data[:16])
        self.what = data[16:].split(b"\0")[0].decode(errors="replace")

    @property
    def killed(self):
        return self.hits and self.do.startswith("kill")


def sum_of(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def make_model(path, *words, age=10):
    """A new file each time, older than the index git will write, as after a training that took a while."""
    must(["mkmodel", path + ".new"] + list(words), "/")
    then = time.time() - age
    os.utime(path + ".new", (then, then))
    os.rename(path + ".new", path)
    return sum_of(path)


def new_repo(path, *options):
    must(["git", "init", "-q", *options, path], "/")
    must(["varve", "init", "-q"], path)
    must(["varve", "track", "-q", "*.safetensors"], path)
    git(path, "add", ".gitattributes")
    git(path, "commit", "-q", "-m", "Keep models")


def git(repo, *words, **kw):
    return must(["git"] + list(words), repo, **kw)


def copy(src, dst):
    if os.path.exists(dst):
        shutil.rmtree(dst)
    subprocess.check_call(["cp", "-a", src, dst])


def files_below(folder):
    for at, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(at, name)


def is_text(path):
    with open(path, "rb") as f:
        return f.read(6) == b"varve "


def store_wrong(store):
    """What lies under a final name must be whole: a pack is named by its SHA-256."""
    for path in files_below(os.path.join(store, "packs")):
        name = os.path.basename(path)
        if name.endswith(".pack") and sum_of(path) != name[:-5]:
            yield "%s is not what its name says" % path


def age_store(store, days=30):
    """Packs, and what lies in the trash, become old."""
    then = time.time() - days * 86400
    for path in files_below(os.path.join(store, "packs")):
        os.utime(path, (then, then))
    trash = os.path.join(store, "trash")
    for name in os.listdir(trash) if os.path.isdir(trash) else []:
        os.rename(os.path.join(trash, name), os.path.join(trash, "%020d" % then))


def flip(path, at, mask=1):
    mode = os.stat(path).st_mode
    os.chmod(path, 0o644)
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ mask]))
    os.chmod(path, mode)


def leftovers(repo):
    return [p for p in files_below(repo) if os.path.basename(p).startswith(".varve-tmp")]


def restores(repo, versions, path=MODEL):
    """Every version comes back byte for byte, through varve restore. `versions`: revision → sum."""
    for rev, want in versions.items():
        r = run(["varve", "restore", "-q", rev, "--", path], repo)
        if r.status:
            yield str(r)
        elif sum_of(os.path.join(repo, path)) != want:
            yield "%s of %s is not the %s it was" % (path, rev, want[:12])


def fsck_wrong(repo):
    r = run(["varve", "fsck", "-q"], repo)
    if r.status:
        yield str(r)


def git_wrong(repo):
    r = run(["git", "fsck", "--no-progress", "--no-dangling"], repo)
    if r.status:
        yield str(r)


def sample(n, count):
    """The numbers of 1..n to try: all in full mode, else `count` of them, first and last included."""
    if FULL or n <= count:
        return list(range(1, n + 1))
    return sorted({1 + round(i * (n - 1) / (count - 1)) for i in range(count)})


ERROR_LINE = re.compile(r"^(varve|fatal|error): .", re.M)


def near(src, dst):
    """The model after a small step of training: a delta pays."""
    with open(src, "rb") as f:
        data = bytearray(f.read())
    for i in range(len(data) // 3, len(data), 6):
        data[i & ~1] ^= 1
    with open(dst + ".new", "wb") as f:
        f.write(data)
    then = time.time() - 10
    os.utime(dst + ".new", (then, then))
    os.rename(dst + ".new", dst)
    return sum_of(dst)


class Scenario:
    """`r` is the repository; `old` what was acknowledged before; `allowed` what the worktree may show meanwhile."""

    name = ""
    repo = "r"
    steps = []      # the commands that are harmed: words, or (folder, words)
    finish = []     # commands after success that make `new` reachable
    new = {}        # revision → sum, once steps and finish have succeeded
    worktree = None # sum of the worktree's model then; None: as it was
    slow = False    # fewer runs

    def __init__(self, base, folder):
        self.template = os.path.join(folder, self.name)
        copy(base.template, self.template)
        self.r = os.path.join(self.template, self.repo)
        self.old = dict(base.old)
        self.head = base.head
        self.env = {}
        self.prepare(base)
        must(["varve", "checkout"], self.r) if os.path.isdir(os.path.join(self.r, ".git/varve")) else None
        m = os.path.join(self.r, MODEL)
        self.before = sum_of(m) if os.path.exists(m) else None

    def prepare(self, base):
        pass

    def harm(self, at, fault):
        """Runs the steps with the fault. The result of the last command that ran."""
        env = dict(self.env, **(fault.env(at + ".state") if fault else {}))
        env["VARVE_THREADS"] = "2" if fault and fault.at % 2 else "1"
        for step in self.steps:
            folder, words = step if isinstance(step, tuple) else (self.repo, step)
            r = run(words, os.path.join(at, folder), env=env)
            if r.status:
                break
        if fault:
            fault.read(at + ".state")
        return r

    def again(self, at):
        """What a user does then: the same once more."""
        r = self.harm(at, None)
        if r.status:
            yield "again: " + str(r)

    def wrong_after(self, at, fault, result):
        """Right after the harm: what may be seen in no case."""
        r = os.path.join(at, self.repo)
        if result.status not in DOCUMENTED and not fault.killed:
            yield "status %d is not documented" % result.status
        if result.status > 0 and not fault.killed and not ERROR_LINE.search(result.err):
            yield "no line says why"
        if result.argv[0] == "varve" and result.err.count("\nvarve: ") + result.err.startswith("varve: ") > 1:
            yield "more than one line says why"
        for store in self.stores(at):
            yield from store_wrong(store)
        if not fault.killed:
            for path in leftovers(at):
                yield path + " was left behind"
        m = os.path.join(r, MODEL)
        if os.path.exists(m) and sum_of(m) not in self.allowed() and not is_text(m):
            yield "the worktree has neither the old model, nor the new one, nor git's text"
        yield from fsck_wrong(r)

    def stores(self, at):
        return [os.path.join(at, self.repo, ".git/varve")]

    def allowed(self):
        return {self.before, self.worktree}

    def wrong_at_end(self, at, result):
        """After success, of the harmed run or of the next: everything acknowledged is there."""
        r = os.path.join(at, self.repo)
        for step in self.finish:
            done = run(step, r)
            if done.status:
                yield str(done)
        yield from self.worktree_wrong(at, result)
        yield from restores(r, dict(self.old, **self.new))
        yield from git_wrong(r)
        if result.status:
            yield from fsck_wrong(r)

    def worktree_wrong(self, at, result):
        m = os.path.join(at, self.repo, MODEL)
        if is_text(m):
            # A hook could not write the model: it said so, or died; the user's next command mends it.
            done = run(["varve", "checkout"], os.path.join(at, self.repo))
            if done.status:
                yield str(done)
        if sum_of(m) != (self.worktree or self.before):
            yield "the worktree's model is not the one it should be"
