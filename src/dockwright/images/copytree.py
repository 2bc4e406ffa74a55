"""Copying a tree as it is: owners, modes, times, attributes, hard links, holes, devices; data is shared where it can be.

Both trees are the engine's own and nobody changes them meanwhile: the source is a committed snapshot.
"""

import errno
import fcntl
import os
import shutil
import stat

from dockwright.images.room import Room

FICLONE = 0x40049409  # ioctl_ficlone(2)
_STEP = 16 << 20
_Inodes = dict[tuple[int, int], str]


def copy_tree(source: str, target: str) -> None:
    """Copy everything in directory `source` into the empty directory `target`, and the directory's own attributes.

    Raises:
        OSError: part of it may have been copied.
    """
    fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        room, linked, directories = Room(fd), _Inodes(), [""]
        for path in directories:  # it grows while it is walked
            with os.scandir(source + path) as children:
                for child in children:
                    name = f"{path}/{child.name}"
                    _node(source + name, target + name, child.stat(follow_symlinks=False), linked, room)
                    if child.is_dir(follow_symlinks=False):
                        directories.append(name)
        for path in reversed(directories):  # last, as filling a directory changes its time
            shutil.copystat(source + path, target + path, follow_symlinks=False)
        top = os.stat(source)
        os.fchown(fd, top.st_uid, top.st_gid)
    finally:
        os.close(fd)


def _node(source: str, target: str, info: os.stat_result, linked: _Inodes, room: Room) -> None:
    """Copy one node; a second name of an inode becomes a link to the first."""
    inode = (info.st_dev, info.st_ino)
    if stat.S_ISDIR(info.st_mode):
        os.mkdir(target, 0o700)
    elif inode in linked:
        return os.link(linked[inode], target, follow_symlinks=False)
    elif stat.S_ISREG(info.st_mode):
        _file(source, target, room)
    elif stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(source), target)
    else:
        os.mknod(target, stat.S_IFMT(info.st_mode) | 0o600, info.st_rdev)
    if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
        linked[inode] = target
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISDIR(info.st_mode):
        shutil.copystat(source, target, follow_symlinks=False)
    return None


def _file(source: str, target: str, room: Room) -> None:
    reader = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _data(reader, writer, room)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _data(reader: int, writer: int, room: Room) -> None:
    """Share the blocks where the file system can, else copy all but the holes."""
    try:
        fcntl.ioctl(writer, FICLONE, reader)
        return
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS):
            raise
    size = os.fstat(reader).st_size
    os.ftruncate(writer, size)
    at = 0
    while at < size:
        try:
            at = os.lseek(reader, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # only a hole is left
            raise
        end = os.lseek(reader, at, os.SEEK_HOLE)
        while at < end:
            room.take(min(end - at, _STEP))
            at += os.copy_file_range(reader, writer, min(end - at, _STEP), at, at)
