"""A procfs of our own: detached, so that nothing an image or a volume mounts can stand in its place (CVE-2025-52881)."""

from __future__ import annotations

import errno
import os

from dockwright.kernel import mount as m
from dockwright.runtime.failure import RuntimeFailure


def open_own() -> int:
    """A descriptor of the root of a procfs of our pid namespace.

    Where the kernel refuses a fresh one (a user namespace whose /proc is partly covered, mount_too_revealing in
    fs/namespace.c) the one at /proc serves, if it really is procfs.

    Raises:
        RuntimeFailure: what is mounted at /proc is something else.
    """
    try:
        return m.new_filesystem("proc", "proc", [], 0)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
    fd = os.open("/proc", m.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if m.file_system_type(fd) != m.PROC_SUPER_MAGIC:
        os.close(fd)
        raise RuntimeFailure("/proc is not a proc file system")
    return fd


def write(proc: int, path: str, value: str) -> None:
    """Write `value` to a file of procfs `proc`, following no link and crossing no mount.

    Raises:
        OSError: what the kernel answered.
    """
    beneath = m.RESOLVE_BENEATH | m.RESOLVE_NO_XDEV | m.RESOLVE_NO_SYMLINKS
    fd = m.openat2(proc, path, os.O_WRONLY, beneath)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
