"""The device mapper, by ioctl (include/uapi/linux/dm-ioctl.h, Documentation/admin-guide/device-mapper/thin-provisioning.rst)."""

from __future__ import annotations

import ctypes
import errno
import os

from dockwright.kernel.libc import ioctl

CONTROL = "/dev/mapper/control"
_MISC, _CONTROL_MINOR = 10, 236  # MAPPER_CTRL_MINOR, include/linux/miscdevice.h
DM_VERSION, DM_DEV_CREATE, DM_DEV_REMOVE, DM_DEV_SUSPEND = 0xC138FD00, 0xC138FD03, 0xC138FD04, 0xC138FD06
DM_DEV_STATUS, DM_TABLE_LOAD, DM_TABLE_STATUS, DM_TARGET_MSG = 0xC138FD07, 0xC138FD09, 0xC138FD0C, 0xC138FD0E
DM_LIST_VERSIONS = 0xC138FD0D
DM_READONLY_FLAG, DM_SUSPEND_FLAG, DM_STATUS_TABLE_FLAG, DM_BUFFER_FULL_FLAG = 1, 2, 1 << 4, 1 << 8
DM_DEFERRED_REMOVE = 1 << 17
SECTOR = 512  # bytes
_BUFFER = 1 << 14


class DmIoctl(ctypes.Structure):
    """struct dm_ioctl, with room for what goes in and comes out after it."""

    _fields_ = [
        ("version", ctypes.c_uint32 * 3), ("data_size", ctypes.c_uint32), ("data_start", ctypes.c_uint32),
        ("target_count", ctypes.c_uint32), ("open_count", ctypes.c_int32), ("flags", ctypes.c_uint32),
        ("event_nr", ctypes.c_uint32), ("padding", ctypes.c_uint32), ("dev", ctypes.c_uint64),
        ("name", ctypes.c_char * 128), ("uuid", ctypes.c_char * 129), ("data", ctypes.c_char * 7),
        ("rest", ctypes.c_char * _BUFFER),
    ]  # fmt: skip


HEAD = DmIoctl.rest.offset


class TargetSpec(ctypes.Structure):
    """struct dm_target_spec."""

    _fields_ = [
        ("sector_start", ctypes.c_uint64), ("length", ctypes.c_uint64), ("status", ctypes.c_int32),
        ("next", ctypes.c_uint32), ("target_type", ctypes.c_char * 16),
    ]  # fmt: skip


def _ask(request: int, name: str = "", flags: int = 0, payload: bytes = b"", targets: int = 0) -> DmIoctl:
    """One request.

    Raises:
        OSError: with the device's name as its file name; ENOENT also where the kernel has no device mapper.
    """
    message = DmIoctl(version=(4, 0, 0), data_size=ctypes.sizeof(DmIoctl), data_start=HEAD, flags=flags, target_count=targets)
    message.name = name.encode()
    ctypes.memmove(ctypes.addressof(message) + HEAD, payload, len(payload))
    fd = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        ioctl(fd, request, message, name or CONTROL)
    finally:
        os.close(fd)
    return message


def have_control() -> bool:
    """Whether the kernel has a device mapper; its control node is made where nothing like udev has done it."""
    with open("/proc/misc", encoding="ascii") as file:
        if not any(line.split()[-1] == "device-mapper" for line in file):
            return False
    os.makedirs(os.path.dirname(CONTROL), exist_ok=True)
    try:
        os.mknod(CONTROL, 0o20600, os.makedev(_MISC, _CONTROL_MINOR))
    except FileExistsError:
        pass  # the usual case
    return True


def version() -> str:
    """Version of the kernel's interface."""
    return ".".join(str(part) for part in _ask(DM_VERSION).version)


def has_target(name: str) -> bool:
    """Whether a kind of target is there, as `thin-pool`."""
    raw = _raw(_ask(DM_LIST_VERSIONS))
    at = 0
    while True:  # struct dm_target_versions: next, version[3], name
        step = int.from_bytes(raw[at : at + 4], "little")
        if raw[at + 16 :].split(b"\0", 1)[0].decode() == name:
            return True
        if not step:
            return False
        at += step


def create(name: str) -> None:
    """A device without a table yet. Raises OSError: EBUSY if the name is taken."""
    _ask(DM_DEV_CREATE, name)


def remove(name: str, deferred: bool = False) -> None:
    """Remove a device; `deferred`: when its last user lets go. Raises OSError: ENXIO none such, EBUSY in use."""
    _ask(DM_DEV_REMOVE, name, DM_DEFERRED_REMOVE if deferred else 0)


def load(name: str, sectors: int, kind: str, parameters: str, readonly: bool = False) -> None:
    """Give a device a table of one target; `resume` makes it the live one."""
    text = parameters.encode() + b"\0"
    length = ctypes.sizeof(TargetSpec) + len(text)
    padded = (length + 7) & ~7
    spec = TargetSpec(0, sectors, 0, padded, kind.encode())
    payload = bytes(spec) + text.ljust(padded - ctypes.sizeof(TargetSpec), b"\0")
    _ask(DM_TABLE_LOAD, name, DM_READONLY_FLAG if readonly else 0, payload, targets=1)


def resume(name: str) -> None:
    """Let a device work, with the table loaded last."""
    _ask(DM_DEV_SUSPEND, name)


def suspend(name: str) -> None:
    """Hold a device's input and output."""
    _ask(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG)


def send(name: str, text: str) -> None:
    """A message to a device's target."""
    _ask(DM_TARGET_MSG, name, 0, (0).to_bytes(8, "little") + text.encode() + b"\0")


def number(name: str) -> int:
    """A device's number (st_rdev). Raises OSError: ENXIO, no such device."""
    device = int(_ask(DM_DEV_STATUS, name).dev)
    return os.makedev((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00))  # huge_encode_dev()


def exists(name: str) -> bool:
    """Whether there is a device of that name."""
    try:
        _ask(DM_DEV_STATUS, name)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    return True


def status(name: str, table: bool = False) -> tuple[int, str]:
    """Sectors and status text of a device's first target; `table`: its parameters instead."""
    raw = _raw(_ask(DM_TABLE_STATUS, name, DM_STATUS_TABLE_FLAG if table else 0))
    spec = TargetSpec.from_buffer_copy(raw)
    text = raw[ctypes.sizeof(TargetSpec) :].split(b"\0", 1)[0]
    return int(spec.length), text.decode()


def node(name: str) -> str:
    """Path of a device's node, as devtmpfs has it: it needs no udev."""
    return f"/dev/dm-{os.minor(number(name))}"


def _raw(message: DmIoctl) -> bytes:
    """What came out, from its start."""
    return bytes(message)[message.data_start :]
