"""Growing a mounted file system to the size its device has now (EXT4_IOC_RESIZE_FS, XFS_IOC_FSGROWFSDATA)."""

from __future__ import annotations

import ctypes
import os

from dockwright.kernel.libc import ioctl

EXT4_IOC_RESIZE_FS, XFS_IOC_FSGROWFSDATA = 0x40086610, 0x4010586E
LARGEST_INODE_SHARE = 25  # percent, mkfs.xfs(8)'s own default


class XfsGrowth(ctypes.Structure):
    """struct xfs_growfs_data."""

    _fields_ = [("newblocks", ctypes.c_uint64), ("imaxpct", ctypes.c_uint32), ("padding", ctypes.c_uint32)]


def grow(directory: str, kind: str, size: int) -> None:
    """Let the `kind` (ext4 or xfs) file system mounted at `directory` use `size` bytes of its device."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        blocks = size // os.fstatvfs(fd).f_bsize
        if kind == "ext4":
            ioctl(fd, EXT4_IOC_RESIZE_FS, ctypes.c_uint64(blocks), directory)
        else:
            ioctl(fd, XFS_IOC_FSGROWFSDATA, XfsGrowth(blocks, LARGEST_INODE_SHARE), directory)
    finally:
        os.close(fd)
