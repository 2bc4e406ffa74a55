"""Mounting: mount(2), umount2(2), pivot_root(2) and the descriptor-based calls (fsopen(2), open_tree(2), move_mount(2)).

Constants: include/uapi/linux/mount.h, fcntl.h, openat2.h.
"""

from __future__ import annotations

import ctypes
import errno
import os

from dockwright.kernel.libc import check, libc, path_bytes, syscall

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_SYNCHRONOUS, MS_REMOUNT = 1, 2, 4, 8, 16, 32
MS_MANDLOCK, MS_DIRSYNC, MS_NOSYMFOLLOW, MS_NOATIME, MS_NODIRATIME = 64, 128, 256, 1024, 2048
MS_BIND, MS_MOVE, MS_REC, MS_SILENT = 4096, 8192, 16384, 32768
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MS_RELATIME, MS_I_VERSION, MS_STRICTATIME, MS_LAZYTIME = 1 << 21, 1 << 23, 1 << 24, 1 << 25
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
AT_EMPTY_PATH, AT_RECURSIVE, AT_FDCWD = 0x1000, 0x8000, -100
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_NODIRATIME = 0x70, 0x10, 0x20, 0x80
MOUNT_ATTR_IDMAP = 0x100000

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS = 1, 2, 4
RESOLVE_BENEATH, RESOLVE_IN_ROOT = 8, 16
O_PATH = 0o10000000


class MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


class OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    """mount(2). Raises OSError with `target` as its file name."""
    result = libc.mount(
        path_bytes(source), path_bytes(target), fstype.encode(), ctypes.c_ulong(flags), path_bytes(data) or None
    )
    check(result, target)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    check(libc.umount2(path_bytes(target), flags), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    syscall("pivot_root", path_bytes(new_root), path_bytes(put_old), what=new_root)


def open_tree(directory: int, path: str, flags: int) -> int:
    """open_tree(2): a descriptor of a mount, or with OPEN_TREE_CLONE of a detached copy of it."""
    return syscall("open_tree", directory, path_bytes(path), flags, what=path)


def move_mount(source: int, target: int, target_path: str = "") -> None:
    """move_mount(2): attach the mount behind descriptor `source` at `target_path` below descriptor `target`."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if target_path else MOVE_MOUNT_T_EMPTY_PATH)
    syscall("move_mount", source, b"", target, path_bytes(target_path), flags, what=target_path)


def mount_setattr(
    descriptor: int, set_: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False, user_namespace: int = 0
) -> None:
    """mount_setattr(2) on the mount behind a descriptor; with MOUNT_ATTR_IDMAP `user_namespace` is whose maps it gets."""
    attributes = MountAttr(set_, clear, propagation, user_namespace)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    size = ctypes.sizeof(attributes)
    syscall("mount_setattr", descriptor, b"", flags, ctypes.byref(attributes), size, what="mount_setattr")


def fsopen(fstype: str) -> int:
    """fsopen(2): the context of a new file system."""
    return syscall("fsopen", fstype.encode(), 1, what=fstype)


def fsconfig_string(context: int, key: str, value: str) -> None:
    """fsconfig(2) FSCONFIG_SET_STRING."""
    syscall("fsconfig", context, FSCONFIG_SET_STRING, key.encode(), path_bytes(value), 0, what=key)


def fsconfig_flag(context: int, key: str) -> None:
    """fsconfig(2) FSCONFIG_SET_FLAG."""
    syscall("fsconfig", context, FSCONFIG_SET_FLAG, key.encode(), None, 0, what=key)


def fsconfig_create(context: int) -> None:
    """fsconfig(2) FSCONFIG_CMD_CREATE."""
    syscall("fsconfig", context, FSCONFIG_CMD_CREATE, None, None, 0, what="fsconfig")


def fsmount(context: int, attributes: int = 0) -> int:
    """fsmount(2): a descriptor of the detached mount."""
    return syscall("fsmount", context, 1, attributes, what="fsmount")


def new_filesystem(kind: str, source: str, data: list[str], attributes: int) -> int:
    """A detached mount of a new instance of file system `kind`.

    Args:
        data: options for the file system: `key=value` or `flag`.
        attributes: MOUNT_ATTR_* of the mount.

    Raises:
        OSError: with `kind` or the refused option as its file name.
    """
    context = fsopen(kind)
    try:
        fsconfig_string(context, "source", source or kind)
        for option in data:
            key, equals, value = option.partition("=")
            if equals:
                fsconfig_string(context, key, value)
            else:
                fsconfig_flag(context, key)
        fsconfig_create(context)
        return fsmount(context, attributes)
    finally:
        os.close(context)


def openat2(directory: int, path: str, flags: int, resolve: int = RESOLVE_IN_ROOT, mode: int = 0) -> int:
    """openat2(2), asked again while it answers EAGAIN (a rename raced with the look-up).

    Raises:
        OSError: EAGAIN only after 128 tries.
    """
    how = OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(128):
        try:
            return syscall("openat2", directory, path_bytes(path), ctypes.byref(how), ctypes.sizeof(how), what=path)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


PROC_SUPER_MAGIC, DEVPTS_SUPER_MAGIC = 0x9FA0, 0x1CD1  # include/uapi/linux/magic.h


def file_system_type(descriptor: int) -> int:
    """The magic number of the file system behind a descriptor (fstatfs(2), f_type)."""
    buffer = ctypes.create_string_buffer(256)
    check(libc.fstatfs(descriptor, buffer), "fstatfs")
    return int.from_bytes(buffer.raw[:8], "little")
