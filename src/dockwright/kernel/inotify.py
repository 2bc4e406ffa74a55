"""inotify(7): being told when files in a directory change."""

from __future__ import annotations

import os
import struct

from dockwright.kernel.libc import check, libc, path_bytes

IN_MODIFY, IN_MOVED_TO, IN_CREATE, IN_IGNORED = 0x2, 0x80, 0x100, 0x8000
IN_NONBLOCK, IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_HEAD = struct.Struct("=iIII")


def init() -> int:
    """inotify_init1(2): a descriptor that does not block.

    Raises:
        OSError: EMFILE beyond fs.inotify.max_user_instances.
    """
    return check(libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC), "inotify_init1")


def add(fd: int, path: str, mask: int) -> int:
    """inotify_add_watch(2): the watch descriptor of `path`.

    Raises:
        OSError: ENOENT; ENOSPC beyond fs.inotify.max_user_watches.
    """
    return check(libc.inotify_add_watch(fd, path_bytes(path), mask), path)


def remove(fd: int, watch: int) -> None:
    """inotify_rm_watch(2).

    Raises:
        OSError: EINVAL for a watch that is gone, as after the directory's removal.
    """
    check(libc.inotify_rm_watch(fd, watch), "inotify_rm_watch")


def events(fd: int) -> list[tuple[int, int]]:
    """(watch descriptor, mask) of what waits in `fd`; [] if nothing does."""
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return []
    found, at = [], 0
    while at < len(data):
        watch, mask, _, length = _HEAD.unpack_from(data, at)
        found.append((watch, mask))
        at += _HEAD.size + length
    return found
