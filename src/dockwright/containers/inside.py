"""What a path means inside a container's root: Docker's reading of it, and where its links lead."""

import errno
import os
import stat
from typing import Any

from dockwright.base.times import rfc3339
from dockwright.kernel.mount import O_PATH
from dockwright.runtime.paths import clean, open_in_root

MOST_LINKS = 255
_BITS = {  # of Go's io/fs.FileMode
    stat.S_IFDIR: 1 << 31, stat.S_IFLNK: 1 << 27, stat.S_IFBLK: 1 << 26, stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25, stat.S_IFSOCK: 1 << 24,
}  # fmt: skip
_MORE = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


def absolute(path: str) -> str:
    """`path` cleaned, but with the slash or the `/.` at its end: they say that a directory is meant, and its contents."""
    whole = clean(path)
    if path.rstrip("/").rpartition("/")[2] == ".":
        return f"{whole.rstrip('/')}/."
    return f"{whole}/" if path.endswith("/") and whole != "/" else whole


def base(path: str) -> str:
    """The last part of an absolute path: its name in an archive."""
    return path.rstrip("/").rpartition("/")[2] or "/"


def resolved(root: int, path: str) -> str:
    """Where `path` leads inside the root, all links followed; what is missing is taken as it is written.

    Raises:
        OSError: ELOOP.
    """
    at, links = "", 0
    rest = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    while rest:
        part = rest.pop()
        if part == "..":
            at = at.rpartition("/")[0]
            continue
        target = _link(root, f"{at}/{part}")
        if not target:
            at = f"{at}/{part}"
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        at = "" if target.startswith("/") else at
        rest += [step for step in reversed(target.split("/")) if step not in ("", ".")]
    return at or "/"


def _link(root: int, path: str) -> str:
    """What a symbolic link says, "" for anything else."""
    try:
        fd = open_in_root(root, path, O_PATH | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        return os.readlink(b"", dir_fd=fd).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    finally:
        os.close(fd)


def lstat(root: int, path: str) -> os.stat_result:
    """lstat(2) inside the root.

    Raises:
        OSError: as lstat.
    """
    fd = open_in_root(root, path, O_PATH | os.O_NOFOLLOW)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def document(root: int, path: str, info: os.stat_result) -> dict[str, Any]:
    """The X-Docker-Container-Path-Stat of an absolute path, of which `info` is the lstat."""
    is_link = stat.S_ISLNK(info.st_mode)
    return {
        "name": base(path), "size": info.st_size, "mode": go_mode(info.st_mode), "mtime": rfc3339(info.st_mtime_ns),
        "linkTarget": resolved(root, path) if is_link else "",
    }  # fmt: skip


def go_mode(mode: int) -> int:
    """A mode in the bits of Go's io/fs.FileMode."""
    more = sum(bit for ours, bit in _MORE if mode & ours)
    return (mode & 0o777) | _BITS.get(stat.S_IFMT(mode), 0) | more
