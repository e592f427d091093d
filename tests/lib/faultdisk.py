"""A disk that loses what was not synced: plays the shim's journal, and shows what a power cut may leave.

As strict as POSIX allows, with two favours that every journalling file system does: a rename happens
whole or not at all, and what was synced stays. Everything else, data and names, each on their own,
may be there or not; data also by halves of its sectors.
"""
import os
import random
import shutil
import struct

SECTOR = 512
RECORD = struct.Struct("=c3xIQQQ")


def records(path):
    """(kind, inode, offset, names, data) in order."""
    with open(path, "rb") as f:
        raw = f.read()
    at = 0
    while at < len(raw):
        kind, n_names, inode, off, length = RECORD.unpack_from(raw, at)
        at += RECORD.size
        names = [os.fsdecode(n) for n in raw[at:at + n_names].split(b"\0")[:-1]]
        at += n_names
        yield kind.decode(), inode, off, names, raw[at:at + length]
        at += length


class File:
    def __init__(self, data=b""):
        self.synced = bytes(data)
        self.pending = []  # ("w", offset, data) or ("t", length)

    def sync(self):
        self.synced = self.after(self.pending)
        self.pending = []

    def after(self, ops):
        data = bytearray(self.synced)
        for op in ops:
            if op[0] == "t":
                data = data[:op[1]].ljust(op[1], b"\0")
            else:
                if len(data) < op[1]:
                    data = data.ljust(op[1], b"\0")
                data[op[1]:op[1] + len(op[2])] = op[2]
        return bytes(data)

    def crashed(self, how, dice):
        if how in ("nothing", "names"):
            return self.synced
        if how in ("everything", "data"):
            return self.after(self.pending)
        if how == "writes":
            return self.after([op for op in self.pending if dice.random() < 0.5])
        ops = []
        for op in self.pending:
            if op[0] == "t":
                ops.append(op)
                continue
            # Sectors of a write, each for itself; the length may be that of the whole.
            for at in range(0, len(op[2]), SECTOR):
                if dice.random() < 0.5:
                    ops.append(("w", op[1] + at, op[2][at:at + SECTOR]))
            if dice.random() < 0.5 and op[2]:
                ops.append(("w", op[1] + len(op[2]) - 1, b"\0"))
        return self.after(ops)


class Folder:
    def __init__(self):
        self.live, self.synced = {}, {}


class Disk:
    HOW = ("nothing", "everything", "names", "data", "writes", "sectors")

    def __init__(self, root):
        self.inodes = {}
        self.root = self.load(root)
        self.pending = []  # changes of names not yet durable: lists of (folder, name, node or None)

    def load(self, path):
        folder = Folder()
        for e in os.scandir(path):
            if e.is_dir(follow_symlinks=False):
                node = self.load(e.path)
            elif e.is_file(follow_symlinks=False):
                with open(e.path, "rb") as f:
                    node = self.inodes[e.inode()] = File(f.read())
            else:
                continue
            folder.live[e.name] = folder.synced[e.name] = node
        return folder

    def find(self, path):
        node = self.root
        for part in [] if path == "." else path.split("/"):
            node = node.live.get(part)
            if node is None:
                return None
        return node

    def change(self, *names):
        """Names that change together: (path, node or None)."""
        group = []
        for path, node in names:
            folder = self.find(os.path.dirname(path) or ".")
            name = os.path.basename(path)
            group.append((folder, name, node))
            if node is None:
                folder.live.pop(name, None)
            else:
                folder.live[name] = node
        self.pending.append(group)

    def sync_folder(self, folder):
        kept = []
        for group in self.pending:
            if any(f is folder for f, _, _ in group):
                self.settle(group)
            else:
                kept.append(group)
        self.pending = kept

    @staticmethod
    def settle(group):
        for folder, name, node in group:
            if node is None:
                folder.synced.pop(name, None)
            else:
                folder.synced[name] = node

    def play(self, record):
        kind, inode, off, names, data = record
        if kind == "c":
            self.inodes[inode] = File()
            self.change((names[0], self.inodes[inode]))
        elif kind == "w":
            self.inodes[inode].pending.append(("w", off, data))
        elif kind == "t" and inode in self.inodes:
            self.inodes[inode].pending.append(("t", off))
        elif kind == "s" and inode in self.inodes:
            self.inodes[inode].sync()
        elif kind == "S":
            self.sync_folder(self.find(names[0]))
        elif kind == "r":
            self.change((names[0], None), (names[1], self.find(names[0])))
        elif kind == "l":
            self.change((names[1], self.find(names[0])))
        elif kind in "ud":
            self.change((names[0], None))
        elif kind == "m":
            self.change((names[0], Folder()))

    def crash(self, root, touched, how, seed):
        """
        Makes of the copy at `root` what may be found there after the power comes back. `touched`: all
        names that the whole journal has; the others stay as they are in the copy.
        """
        dice = random.Random(seed)
        saved = {}

        def keep(folder):
            if id(folder) not in saved:
                saved[id(folder)] = (folder, dict(folder.synced))

        for group in self.pending:
            if how in ("nothing", "data") or (how in ("writes", "sectors") and dice.random() < 0.5):
                continue
            for folder, _, _ in group:
                keep(folder)
            self.settle(group)
        for path in sorted(touched, key=len, reverse=True):
            full = os.path.join(root, path)
            if os.path.isdir(full):
                shutil.rmtree(full)
            elif os.path.lexists(full):
                os.unlink(full)
        for path in sorted(touched, key=len):
            node, at = self.root, root
            for part in path.split("/"):
                node = node.synced.get(part) if isinstance(node, Folder) else None
            full = os.path.join(at, path)
            if node is not None and os.path.isdir(os.path.dirname(full)) and not os.path.lexists(full):
                self.write(node, full, how, dice)
        for folder, synced in saved.values():
            folder.synced = synced

    def write(self, node, path, how, dice):
        if isinstance(node, Folder):
            os.mkdir(path)
            for name, child in node.synced.items():
                self.write(child, os.path.join(path, name), how, dice)
        else:
            with open(path, "wb") as f:
                f.write(node.crashed(how, dice))
            if path.endswith(".pack"):
                os.chmod(path, 0o444)
