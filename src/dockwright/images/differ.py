"""What differs between a directory tree and what it stands on: Docker's three kinds of change.

The tree may be a running container's: it is walked by descriptors, and no link in it or below it is followed.
"""

import errno
import os
import stat
from typing import Protocol

from dockwright.kernel.mount import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2

MODIFIED, ADDED, DELETED = 0, 1, 2  # Kind of GET /containers/{id}/changes
OPAQUE, USER_OPAQUE = "trusted.overlay.opaque", "user.overlay.opaque"  # the second in user namespaces
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Change = tuple[str, int]


class Marks(Protocol):
    """How a layer's directory says what it takes away from those below it."""

    def gone(self, info: os.stat_result) -> bool:
        """Whether a node itself says that what it is named after is gone."""

    def hides(self, directory: str | int, name: str) -> bool:
        """Whether something beside `name` in a layer's directory says that it is gone."""

    def opaque(self, directory: str | int) -> bool:
        """Whether a layer's directory hides all that the layers below have in it."""

    def meaning(self, name: str) -> tuple[str, bool]:
        """What a name in a layer's directory is about, "" if it is none of the user's; and whether it says that it is gone."""


class NodeMarks:
    """overlayfs: nodes and attributes.

    Args:
        attribute: what makes a directory opaque.
    """

    def __init__(self, attribute: str = OPAQUE) -> None:
        self._attribute = attribute

    def gone(self, info: os.stat_result) -> bool:
        """A character device 0:0."""
        return whiteout(info)

    def hides(self, directory: str | int, name: str) -> bool:
        """Never."""
        return False

    def opaque(self, directory: str | int) -> bool:
        """An attribute."""
        try:
            return os.getxattr(directory, self._attribute) == b"y"
        except OSError:
            return False  # no such attribute, or none at all on this file system

    def meaning(self, name: str) -> tuple[str, bool]:
        """Names are what they are."""
        return name, False


NODES, USER_NODES = NodeMarks(), NodeMarks(USER_OPAQUE)
_Found = list[tuple[str, int, os.stat_result | None]]


def whiteout(info: os.stat_result) -> bool:
    """Whether a node of an overlay's layer says that something is gone: a character device 0:0."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def changes(top: str, below: list[str], flat: bool, marks: Marks = NODES) -> list[Change]:
    """The changes of `top` against the directories it stands on, sorted by path.

    Args:
        below: top first. flat: `top` is a whole tree, not an overlay's upper directory: what it lacks is deleted.
        marks: how a layer says what is gone.
    """
    return sorted((path, kind) for path, kind, _ in _Comparison(top, below, flat, marks).found)


def usage_against(top: str, below: list[str]) -> tuple[int, int]:
    """Bytes and inodes that a whole tree has and its parent has not, or has otherwise; see `usage`."""
    own = {(i.st_dev, i.st_ino): i for _, kind, i in _Comparison(top, below, True, NODES).found if i and kind != DELETED}
    return sum(0 if stat.S_ISDIR(info.st_mode) else info.st_size for info in own.values()), len(own)


class _Comparison:
    """A walk through a tree beside what it stands on; `found` is what differs."""

    def __init__(self, top: str, below: list[str], flat: bool, marks: Marks) -> None:
        self.found: _Found = []
        self._flat, self._marks = flat, marks
        self._waiting = [("", below, flat)]
        self._root = os.open(top, _DIRECTORY)
        try:
            while self._waiting:
                self._compare(*self._waiting.pop())
        finally:
            os.close(self._root)

    def _compare(self, path: str, stack: list[str], whole: bool) -> None:
        """One directory: its directories go to `_waiting`.

        Args:
            whole: nothing of `stack` shows through: it, or one above it, is opaque or a tree of its own.
        """
        fd = _directory(self._root, path)
        if fd < 0:
            return
        try:
            names, whole = os.listdir(fd), whole or self._marks.opaque(fd)
            for entry in names:
                name, gone = self._marks.meaning(entry)
                if gone and lookup(stack, name, self._marks)[0]:
                    self.found.append((f"{path}/{name}", DELETED, None))
                elif name and not gone:
                    self._entry(fd, path, stack, name, whole)
            if whole:
                hidden = self._listing(stack).difference(names)
                gone_too = [name for name in hidden if lookup(stack, name, self._marks)[0]]
                self.found += [(f"{path}/{name}", DELETED, None) for name in gone_too]
        finally:
            os.close(fd)

    def _entry(self, fd: int, path: str, stack: list[str], name: str, whole: bool) -> None:
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        old, under = lookup(stack, name, self._marks)
        kind = self._kind(info, old)
        if kind is not None:
            self.found.append((f"{path}/{name}", kind, info))
        if stat.S_ISDIR(info.st_mode):
            self._waiting.append((f"{path}/{name}", under, whole))

    def _listing(self, stack: list[str]) -> set[str]:
        """The names in merged directories."""
        meanings = {self._marks.meaning(entry) for directory in stack for entry in os.listdir(directory)}
        return {name for name, gone in meanings if name and not gone}

    def _kind(self, info: os.stat_result, old: os.stat_result | None) -> int | None:
        if not self._flat and self._marks.gone(info):
            return DELETED if old else None
        if old is None:
            return ADDED
        both = stat.S_ISDIR(info.st_mode) and stat.S_ISDIR(old.st_mode)
        return None if (self._flat or both) and _same(info, old, both) else MODIFIED


def _directory(root: int, path: str) -> int:
    """A descriptor of a directory that was there a moment ago, -1 if it is no longer, or lies too deep to be named."""
    try:
        return openat2(root, path[1:] or ".", _DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            return -1
        raise


def _same(info: os.stat_result, old: os.stat_result, directories: bool) -> bool:
    one, two = ((s.st_mode, s.st_uid, s.st_gid, s.st_rdev, s.st_mtime_ns) for s in (info, old))
    return one == two and (directories or info.st_size == old.st_size)


def lookup(stack: list[str], name: str, marks: Marks = NODES) -> tuple[os.stat_result | None, list[str]]:
    """What `name` is in merged directories, and, if it is a directory, the directories that make it up."""
    first: os.stat_result | None = None
    under: list[str] = []
    for directory in stack:
        path = f"{directory}/{name}"
        if marks.hides(directory, name):
            break
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            continue
        if marks.gone(info):
            break
        first = first or info
        if not stat.S_ISDIR(info.st_mode):
            break
        under.append(path)
        if marks.opaque(path):
            break
    return first, under if first and stat.S_ISDIR(first.st_mode) else []


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
