#!/usr/bin/env python3
"""A file system that does not tell upper from lower case: a folder shown through FUSE.

usage: foldfs.py FOLDER MOUNTPOINT    (stays in the foreground; ends when it is unmounted)
"""
import errno
import os
import sys

from fusepy import FUSE, FuseOSError, Operations

STAT = ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid", "st_ino")


class Fold(Operations):
    def __init__(self, root):
        self.root = root

    def __call__(self, op, path, *args):
        try:
            return super().__call__(op, path, *args)
        except OSError as e:
            raise FuseOSError(e.errno) from e

    def real(self, path):
        """The path as it is spelt below; a last part that is new, as it is asked for."""
        at = self.root
        for part in path.split("/"):
            if not part:
                continue
            have = os.listdir(at) if not os.path.islink(at) and os.path.isdir(at) else []
            same = [n for n in have if n.lower() == part.lower()]
            at = os.path.join(at, part if part in have or not same else same[0])
        return at

    def getattr(self, path, fh=None):
        s = os.lstat(self.real(path))
        return {k: getattr(s, k) for k in STAT}

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(self.real(path))

    def readlink(self, path):
        return os.readlink(self.real(path))

    def mkdir(self, path, mode):
        return os.mkdir(self.real(path), mode)

    def rmdir(self, path):
        return os.rmdir(self.real(path))

    def unlink(self, path):
        return os.unlink(self.real(path))

    def symlink(self, path, target):
        return os.symlink(target, self.real(path))

    def link(self, path, old):
        return os.link(self.real(old), self.real(path))

    def rename(self, old, new):
        return os.rename(self.real(old), self.real(new))

    def chmod(self, path, mode):
        return os.chmod(self.real(path), mode)

    def chown(self, path, uid, gid):
        return os.lchown(self.real(path), uid, gid)

    def utimens(self, path, times=None):
        return os.utime(self.real(path), times, follow_symlinks=False)

    def create(self, path, mode, fi=None):
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(self.real(path), flags & ~os.O_NOFOLLOW & ~os.O_APPEND)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        return os.truncate(self.real(path), length)

    def flush(self, path, fh):
        return 0

    def fsync(self, path, datasync, fh):
        return os.fsync(fh)

    def release(self, path, fh):
        return os.close(fh)

    def mknod(self, path, mode, dev):
        raise FuseOSError(errno.EPERM)


if __name__ == "__main__":
    FUSE(Fold(os.path.abspath(sys.argv[1])), sys.argv[2], foreground=True, nothreads=True, use_ino=True)
