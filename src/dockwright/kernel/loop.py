"""Loop devices: a file as a block device (loop(4), include/uapi/linux/loop.h)."""

from __future__ import annotations

import ctypes
import errno
import os

from dockwright.kernel.libc import ioctl

CONTROL = "/dev/loop-control"
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LOOP_CLR_FD = 0x4C82, 0x4C0A, 0x4C01
LO_FLAGS_READ_ONLY, LO_FLAGS_AUTOCLEAR = 1, 4
_TRIES = 64  # somebody else may take the free one first


class LoopInfo64(ctypes.Structure):
    """struct loop_info64."""

    _fields_ = [
        ("device", ctypes.c_uint64), ("inode", ctypes.c_uint64), ("rdevice", ctypes.c_uint64), ("offset", ctypes.c_uint64),
        ("sizelimit", ctypes.c_uint64), ("number", ctypes.c_uint32), ("encrypt_type", ctypes.c_uint32),
        ("encrypt_key_size", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("file_name", ctypes.c_char * 64),
        ("crypt_name", ctypes.c_char * 64), ("encrypt_key", ctypes.c_char * 32), ("init", ctypes.c_uint64 * 2),
    ]  # fmt: skip


class LoopConfig(ctypes.Structure):
    """struct loop_config."""

    _fields_ = [
        ("fd", ctypes.c_uint32), ("block_size", ctypes.c_uint32), ("info", LoopInfo64), ("reserved", ctypes.c_uint64 * 8),
    ]  # fmt: skip


class Device:
    """A loop device, held open. One that is `automatic` goes with its last user.

    Attributes:
        path: /dev/loopN.
    """

    def __init__(self, path: str, fd: int) -> None:
        self.path, self._fd = path, fd

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


def attach(path: str, readonly: bool = True, automatic: bool = True) -> Device:
    """Make `path` a block device.

    Raises:
        OSError: no loop devices here, or the file cannot be opened.
    """
    backing = os.open(path, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
    try:
        return _attach(backing, path, readonly, automatic)
    finally:
        os.close(backing)


def _attach(backing: int, path: str, readonly: bool, automatic: bool) -> Device:
    flags = LO_FLAGS_READ_ONLY * readonly | LO_FLAGS_AUTOCLEAR * automatic
    config = LoopConfig(fd=backing, info=LoopInfo64(flags=flags, file_name=os.fsencode(path)[:63]))
    control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_TRIES):
            name = f"/dev/loop{ioctl(control, LOOP_CTL_GET_FREE, what=CONTROL)}"
            fd = os.open(name, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
            try:
                ioctl(fd, LOOP_CONFIGURE, config, path)
                return Device(name, fd)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no free loop device", path)


def find(path: str) -> str:
    """The loop device that `path` is attached to, "" if none."""
    for name in os.listdir("/sys/block"):
        if not name.startswith("loop"):
            continue
        try:
            with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8", errors="surrogateescape") as file:
                if file.read().rstrip("\n") == path:
                    return f"/dev/{name}"
        except FileNotFoundError:
            continue  # not attached
    return ""


def detach(device: str) -> None:
    """LOOP_CLR_FD: the device lets its file go, at once or with its last user."""
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        ioctl(fd, LOOP_CLR_FD, what=device)
    finally:
        os.close(fd)
