"""Paths inside a container's root, resolved by the kernel so that no link leads out of it.

Everything is relative to a descriptor of the root and goes through openat2(2) RESOLVE_IN_ROOT; what is missing is made
component by component on a pinned parent (CVE-2021-30465, CVE-2024-45310).
"""

from __future__ import annotations

import errno
import os

from dockwright.kernel.mount import O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


def clean(path: str) -> str:
    """`path` as an absolute path without `.`, `..` and doubled slashes (normpath alone keeps two leading ones)."""
    return "/" + os.path.normpath("/" + path).lstrip("/")


def open_in_root(root: int, path: str, flags: int = O_PATH, resolve: int = RESOLVE) -> int:
    """A descriptor of `path` inside the tree of descriptor `root`."""
    return openat2(root, path.lstrip("/") or ".", flags, resolve)


def make_directory(root: int, path: str, mode: int = 0o755) -> int:
    """mkdir -p inside `root`; returns an O_PATH descriptor of the directory."""
    try:
        return open_in_root(root, path, O_PATH | os.O_DIRECTORY)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    parent_path, name = os.path.split(dangling(root, path.rstrip("/")))
    parent = make_directory(root, parent_path, mode)
    try:
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError:
            pass  # someone shares this file system; the open below decides
        return openat2(parent, name, O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, RESOLVE)
    finally:
        os.close(parent)


def make_file(root: int, path: str, mode: int = 0o644) -> int:
    """An O_PATH descriptor of the file (or anything else but a directory) `path`, made empty if it is missing."""
    try:
        return open_in_root(root, path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    parent_path, name = os.path.split(dangling(root, path))
    parent = make_directory(root, parent_path)
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(name, flags, mode, dir_fd=parent))
        return openat2(parent, name, O_PATH | os.O_NOFOLLOW, RESOLVE)
    finally:
        os.close(parent)


def dangling(root: int, path: str, depth: int = 0) -> str:
    """`path`, or where it leads (inside the root) if its last component is a dangling link: the target is made there."""
    parent, name = os.path.split("/" + path.strip("/"))
    try:
        fd = open_in_root(root, parent)
    except OSError:
        return path  # the parent is missing too and will be made
    try:
        target = os.readlink(name, dir_fd=fd)
    except OSError:
        return path
    finally:
        os.close(fd)
    if depth > 40:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return dangling(root, clean(os.path.join(parent, target)), depth + 1)
