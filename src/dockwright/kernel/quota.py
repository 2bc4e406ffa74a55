"""Project quotas: quotactl_fd(2) in its XFS flavour, which every file system with quotas understands.

Constants: include/uapi/linux/{quota,dqblk_xfs,fs}.h.
"""

from __future__ import annotations

import ctypes
import os

from dockwright.kernel.libc import ioctl, syscall

PRJQUOTA = 2
Q_XSETQLIM, Q_XGETQSTAT = 0x5804, 0x5805
FS_QUOTA_PDQ_ACCT, FS_QUOTA_PDQ_ENFD = 1 << 4, 1 << 5
FS_DQUOT_VERSION, FS_PROJ_QUOTA, FS_DQ_BSOFT, FS_DQ_BHARD = 1, 2, 1 << 2, 1 << 3
FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR, FS_XFLAG_PROJINHERIT = 0x801C581F, 0x401C5820, 0x200
BASIC_BLOCK = 512  # bytes


class FsXattr(ctypes.Structure):
    """struct fsxattr."""

    _fields_ = [
        ("xflags", ctypes.c_uint32), ("extsize", ctypes.c_uint32), ("nextents", ctypes.c_uint32),
        ("projid", ctypes.c_uint32), ("cowextsize", ctypes.c_uint32), ("pad", ctypes.c_char * 8),
    ]  # fmt: skip


class FsDiskQuota(ctypes.Structure):
    """struct fs_disk_quota, up to the limits; the rest is left at zero."""

    _fields_ = [
        ("version", ctypes.c_int8), ("flags", ctypes.c_int8), ("fieldmask", ctypes.c_uint16), ("id", ctypes.c_uint32),
        ("blk_hardlimit", ctypes.c_uint64), ("blk_softlimit", ctypes.c_uint64), ("rest", ctypes.c_char * 88),
    ]  # fmt: skip


def enforced(directory: str) -> bool:
    """Whether the file system of `directory` counts and limits projects (`prjquota`, xfs(5), ext4(5))."""
    state = ctypes.create_string_buffer(128)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syscall("quotactl_fd", fd, Q_XGETQSTAT << 8 | PRJQUOTA, 0, ctypes.byref(state))
    except OSError:
        return False  # no quotas at all here
    finally:
        os.close(fd)
    wanted = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD
    return int.from_bytes(state.raw[2:4], "little") & wanted == wanted


def project(directory: str) -> int:
    """The project a directory belongs to, 0 for none (FS_IOC_FSGETXATTR, ioctl_xfs_fsgetxattr(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = FsXattr()
        ioctl(fd, FS_IOC_FSGETXATTR, attributes, directory)
        return int(attributes.projid)
    finally:
        os.close(fd)


def limit(directory: str, number: int, size: int) -> None:
    """Make the empty `directory` the root of project `number`, which may have `size` bytes.

    Raises:
        OSError: the file system has no project quotas.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = FsXattr()
        ioctl(fd, FS_IOC_FSGETXATTR, attributes, directory)
        attributes.projid, attributes.xflags = number, attributes.xflags | FS_XFLAG_PROJINHERIT
        ioctl(fd, FS_IOC_FSSETXATTR, attributes, directory)
        blocks = size // BASIC_BLOCK
        wanted = FsDiskQuota(
            version=FS_DQUOT_VERSION, flags=FS_PROJ_QUOTA, fieldmask=FS_DQ_BHARD | FS_DQ_BSOFT, id=number,
            blk_hardlimit=blocks, blk_softlimit=blocks,
        )  # fmt: skip
        syscall("quotactl_fd", fd, Q_XSETQLIM << 8 | PRJQUOTA, number, ctypes.byref(wanted), what=directory)
    finally:
        os.close(fd)
