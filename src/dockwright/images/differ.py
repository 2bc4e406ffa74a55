"""What differs between a directory tree and what it stands on: Docker's three kinds of change.

The tree may be a running container's: it is walked by descriptors, and no link in it or below it is followed.
"""

import errno
import os
import stat

from dockwright.kernel.mount import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2

MODIFIED, ADDED, DELETED = 0, 1, 2  # Kind of GET /containers/{id}/changes
OPAQUE = "trusted.overlay.opaque"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Change = tuple[str, int]
_Found = list[tuple[str, int, os.stat_result | None]]


def whiteout(info: os.stat_result) -> bool:
    """Whether a node of an overlay's layer says that something is gone: a character device 0:0."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def opaque(directory: str | int) -> bool:
    """Whether a layer's directory hides all that the layers below have in it."""
    try:
        return os.getxattr(directory, OPAQUE) == b"y"
    except OSError:
        return False  # no such attribute, or none at all on this file system


def changes(top: str, below: list[str], flat: bool) -> list[Change]:
    """The changes of `top` against the directories it stands on, sorted by path.

    Args:
        below: top first. flat: `top` is a whole tree, not an overlay's upper directory: what it lacks is deleted.
    """
    return sorted((path, kind) for path, kind, _ in _changed(top, below, flat))


def usage_against(top: str, below: list[str]) -> tuple[int, int]:
    """Bytes and inodes that a whole tree has and its parent has not, or has otherwise; see `usage`."""
    own = {(i.st_dev, i.st_ino): i for _, kind, i in _changed(top, below, flat=True) if i and kind != DELETED}
    return sum(0 if stat.S_ISDIR(info.st_mode) else info.st_size for info in own.values()), len(own)


def _changed(top: str, below: list[str], flat: bool) -> _Found:
    found: _Found = []
    root = os.open(top, _DIRECTORY)
    try:
        waiting = [("", below, flat)]
        while waiting:
            path, stack, whole = waiting.pop()
            _compare(root, path, stack, whole, flat, found, waiting)
    finally:
        os.close(root)
    return found


def _compare(
    root: int, path: str, stack: list[str], whole: bool, flat: bool, found: _Found, waiting: list[tuple[str, list[str], bool]]
) -> None:
    """One directory: its changes go to `found`, its directories to `waiting`.

    Args:
        whole: nothing of `stack` shows through: it, or one above it, is opaque or a tree of its own.
    """
    fd = _directory(root, path)
    if fd < 0:
        return
    try:
        names, whole = os.listdir(fd), whole or opaque(fd)
        for name in names:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            old, under = lookup(stack, name)
            kind = _kind(info, old, flat)
            if kind is not None:
                found.append((f"{path}/{name}", kind, info))
            if stat.S_ISDIR(info.st_mode):
                waiting.append((f"{path}/{name}", under, whole))
        if whole:
            gone = _listing(stack).difference(names)
            found += [(f"{path}/{name}", DELETED, None) for name in gone if lookup(stack, name)[0]]
    finally:
        os.close(fd)


def _directory(root: int, path: str) -> int:
    """A descriptor of a directory that was there a moment ago, -1 if it is no longer, or lies too deep to be named."""
    try:
        return openat2(root, path[1:] or ".", _DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            return -1
        raise


def _kind(info: os.stat_result, old: os.stat_result | None, flat: bool) -> int | None:
    if not flat and whiteout(info):
        return DELETED if old else None
    if old is None:
        return ADDED
    both = stat.S_ISDIR(info.st_mode) and stat.S_ISDIR(old.st_mode)
    return None if (flat or both) and _same(info, old, both) else MODIFIED


def _same(info: os.stat_result, old: os.stat_result, directories: bool) -> bool:
    one, two = ((s.st_mode, s.st_uid, s.st_gid, s.st_rdev, s.st_mtime_ns) for s in (info, old))
    return one == two and (directories or info.st_size == old.st_size)


def lookup(stack: list[str], name: str) -> tuple[os.stat_result | None, list[str]]:
    """What `name` is in merged directories, and, if it is a directory, the directories that make it up."""
    first: os.stat_result | None = None
    under: list[str] = []
    for directory in stack:
        path = f"{directory}/{name}"
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            continue
        if whiteout(info):
            break
        first = first or info
        if not stat.S_ISDIR(info.st_mode):
            break
        under.append(path)
        if opaque(path):
            break
    return first, under if first and stat.S_ISDIR(first.st_mode) else []


def _listing(stack: list[str]) -> set[str]:
    return {name for directory in stack for name in os.listdir(directory)}


def usage(top: str) -> tuple[int, int]:
    """Bytes and inodes of a tree: apparent sizes, each inode once, directories count no bytes."""
    size, inodes, shared = 0, 1, set()
    root = os.open(top, _DIRECTORY)
    waiting = [""]
    try:
        while waiting:
            path = waiting.pop()
            fd = _directory(root, path)
            if fd < 0:
                continue
            with os.scandir(fd) as children:
                for child in children:
                    info = child.stat(follow_symlinks=False)
                    if stat.S_ISDIR(info.st_mode):
                        waiting.append(f"{path}/{child.name}")
                    elif info.st_nlink > 1 and (info.st_dev, info.st_ino) in shared:
                        continue
                    elif info.st_nlink > 1:
                        shared.add((info.st_dev, info.st_ino))
                    size += 0 if stat.S_ISDIR(info.st_mode) else info.st_size
                    inodes += 1
            os.close(fd)
    finally:
        os.close(root)
    return size, inodes
