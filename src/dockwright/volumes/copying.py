"""Copying a directory with all that belongs to it: owners, modes, times, extended attributes, hard links, holes left out.

Everything is relative to descriptors and no link is followed, so an image cannot lead the copy elsewhere.
"""

import os
import shutil
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 30
STAGING = "_copy"


def copy_tree(source: int, target: int) -> None:
    """Copy what is in directory `source` into directory `target`, and its owner, mode, times and attributes onto it.

    Args:
        source, target: descriptors opened for reading.

    Raises:
        OSError: what is copied by then stays.
    """
    links: dict[tuple[int, int], str] = {}
    _copy_into(source, target, "", links, target)


def fill(directory: str, source: int, in_place: bool) -> None:
    """Copy directory `source` to `directory` if that is empty: wholly or, when it is cut off, not at all.

    The copy is made beside it and takes its place by rename(2). Where the directory itself must stay, because it is mounted
    or somebody has it open already, `in_place` gives that up.

    Raises:
        OSError: disk full, no such directory.
    """
    target = os.open(directory, _DIRECTORY)
    try:
        if not is_empty(target):
            return
        if in_place:
            copy_tree(source, target)
            return
    finally:
        os.close(target)
    staging = f"{os.path.dirname(directory)}/{STAGING}"
    shutil.rmtree(staging, ignore_errors=True)  # of a daemon that was killed
    os.mkdir(staging, 0o700)
    made = os.open(staging, _DIRECTORY)
    try:
        copy_tree(source, made)
        os.rename(staging, directory)
    except BaseException:
        shutil.rmtree(staging)
        raise
    finally:
        os.close(made)


def is_empty(directory: int) -> bool:
    """Whether nothing is in a directory."""
    with os.scandir(directory) as entries:
        return next(entries, None) is None


def _copy_into(source: int, target: int, path: str, links: dict[tuple[int, int], str], top: int) -> None:
    for name in os.listdir(source):
        _copy_entry(name, source, target, f"{path}{name}", links, top)
    _dress(os.fstat(source), f"/proc/self/fd/{source}", f"/proc/self/fd/{target}", follow=True)


def _copy_entry(
    name: str, source: int, target: int, path: str, links: dict[tuple[int, int], str], top: int
) -> None:  # fmt: skip
    info = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(name, 0o700, dir_fd=target)
        inner, made = os.open(name, _DIRECTORY, dir_fd=source), os.open(name, _DIRECTORY, dir_fd=target)
        try:
            _copy_into(inner, made, f"{path}/", links, top)
        finally:
            os.close(inner)
            os.close(made)
        return
    first = links.setdefault((info.st_dev, info.st_ino), path) if info.st_nlink > 1 else path
    if first != path:
        os.link(first, name, src_dir_fd=top, dst_dir_fd=target, follow_symlinks=False)
        return
    _copy_leaf(name, info, source, target)
    _dress(info, f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}", follow=False)


def _copy_leaf(name: str, info: os.stat_result, source: int, target: int) -> None:
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISREG(info.st_mode):
        _copy_file(name, info.st_size, source, target)
    else:
        os.mknod(name, info.st_mode, info.st_rdev, dir_fd=target)


def _copy_file(name: str, size: int, source: int, target: int) -> None:
    read = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    write = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target)
    try:
        left = size
        while left and (sent := os.sendfile(write, read, None, min(left, _CHUNK))):
            left -= sent
    finally:
        os.close(read)
        os.close(write)


def _dress(info: os.stat_result, source: str, target: str, follow: bool) -> None:
    """Owner, attributes, mode and times; in this order, because a change of owner clears setuid bits and capabilities."""
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=follow)
    for name in os.listxattr(source, follow_symlinks=follow):
        value = os.getxattr(source, name, follow_symlinks=follow)
        os.setxattr(target, name, value, follow_symlinks=follow)
    if not stat.S_ISLNK(info.st_mode):
        os.chmod(target, stat.S_IMODE(info.st_mode))
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=follow)
