"""btrfs: subvolumes, snapshots and their quota groups (include/uapi/linux/btrfs.h, btrfs-ioctl(2))."""

from __future__ import annotations

import ctypes
import os

from dockwright.kernel.libc import ioctl

BTRFS_SUPER_MAGIC = 0x9123683E
BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SNAP_CREATE_V2 = 0x50009418, 0x50009417
BTRFS_IOC_SNAP_DESTROY, BTRFS_IOC_INO_LOOKUP = 0x5000940F, 0xD0009412
BTRFS_IOC_QUOTA_CTL, BTRFS_IOC_QGROUP_LIMIT, BTRFS_IOC_QGROUP_CREATE = 0xC0109428, 0x8030942B, 0x4010942A
BTRFS_IOC_QUOTA_RESCAN_WAIT = 0x942E
BTRFS_QUOTA_CTL_ENABLE, BTRFS_QGROUP_LIMIT_MAX_RFER = 1, 1
FIRST_FREE_OBJECTID = 256  # the inode of a subvolume's root


class VolArgs(ctypes.Structure):
    """struct btrfs_ioctl_vol_args."""

    _fields_ = [("fd", ctypes.c_int64), ("name", ctypes.c_char * 4088)]


class VolArgsV2(ctypes.Structure):
    """struct btrfs_ioctl_vol_args_v2."""

    _fields_ = [
        ("fd", ctypes.c_int64), ("transid", ctypes.c_uint64), ("flags", ctypes.c_uint64), ("unused", ctypes.c_uint64 * 4),
        ("name", ctypes.c_char * 4040),
    ]  # fmt: skip


class InoLookup(ctypes.Structure):
    """struct btrfs_ioctl_ino_lookup_args."""

    _fields_ = [("treeid", ctypes.c_uint64), ("objectid", ctypes.c_uint64), ("name", ctypes.c_char * 4080)]


class QuotaCtl(ctypes.Structure):
    """struct btrfs_ioctl_quota_ctl_args."""

    _fields_ = [("cmd", ctypes.c_uint64), ("status", ctypes.c_uint64)]


class QgroupCreate(ctypes.Structure):
    """struct btrfs_ioctl_qgroup_create_args."""

    _fields_ = [("create", ctypes.c_uint64), ("qgroupid", ctypes.c_uint64)]


class QgroupLimit(ctypes.Structure):
    """struct btrfs_ioctl_qgroup_limit_args."""

    _fields_ = [
        ("qgroupid", ctypes.c_uint64), ("flags", ctypes.c_uint64), ("max_rfer", ctypes.c_uint64),
        ("max_excl", ctypes.c_uint64), ("rsv_rfer", ctypes.c_uint64), ("rsv_excl", ctypes.c_uint64),
    ]  # fmt: skip


def create(parent: str, name: str) -> None:
    """An empty subvolume `name` in directory `parent`.

    Raises:
        OSError: EEXIST and whatever else the kernel says.
    """
    with _Opened(parent) as fd:
        ioctl(fd, BTRFS_IOC_SUBVOL_CREATE_V2, VolArgsV2(name=os.fsencode(name)), f"{parent}/{name}")


def snapshot(source: str, parent: str, name: str) -> None:
    """A writable snapshot of subvolume `source`, called `name` in directory `parent`."""
    with _Opened(parent) as fd, _Opened(source) as origin:
        ioctl(fd, BTRFS_IOC_SNAP_CREATE_V2, VolArgsV2(fd=origin, name=os.fsencode(name)), f"{parent}/{name}")


def destroy(parent: str, name: str) -> None:
    """Remove subvolume `name` of directory `parent` with all its files, at once; ENOTEMPTY if it holds subvolumes."""
    with _Opened(parent) as fd:
        ioctl(fd, BTRFS_IOC_SNAP_DESTROY, VolArgs(name=os.fsencode(name)), f"{parent}/{name}")


def enable_quotas(directory: str) -> None:
    """Switch quota groups on in the file system of `directory`, and wait until everything is counted."""
    with _Opened(directory) as fd:
        ioctl(fd, BTRFS_IOC_QUOTA_CTL, QuotaCtl(cmd=BTRFS_QUOTA_CTL_ENABLE), directory)
        ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_WAIT, 0, directory)


def limit(subvolume: str, size: int) -> None:
    """Let `subvolume` refer to at most `size` bytes."""
    with _Opened(subvolume) as fd:
        wanted = QgroupLimit(qgroupid=_id(fd, subvolume), flags=BTRFS_QGROUP_LIMIT_MAX_RFER, max_rfer=size)
        ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, wanted, subvolume)


def forget_limit(directory: str, ident: int) -> None:
    """Remove the quota group of a subvolume that is gone."""
    with _Opened(directory) as fd:
        ioctl(fd, BTRFS_IOC_QGROUP_CREATE, QgroupCreate(create=0, qgroupid=ident), directory)


def subvolume_id(path: str) -> int:
    """The id of the subvolume whose root `path` is."""
    with _Opened(path) as fd:
        return _id(fd, path)


def _id(fd: int, path: str) -> int:
    lookup = InoLookup(objectid=FIRST_FREE_OBJECTID)
    ioctl(fd, BTRFS_IOC_INO_LOOKUP, lookup, path)
    return int(lookup.treeid)


class _Opened:
    """A directory's descriptor for the time of one call."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
