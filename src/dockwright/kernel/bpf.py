"""bpf(2), as far as the device controller of cgroup v2 needs it.

Instruction encoding: kernel Documentation/bpf/standardization/instruction-set.rst. Commands: include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
from _struct import Struct

from dockwright.kernel.libc import syscall

BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_PROG_GET_FD_BY_ID, BPF_PROG_QUERY = 5, 8, 9, 13, 16
BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI = 15, 6, 2
_INSTRUCTION = Struct("<BBhi")


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return _INSTRUCTION.pack(code, source << 4 | target, offset, signed)


def load_word(target: int, source: int, offset: int) -> bytes:
    """target = *(u32 *)(source + offset)."""
    return _instruction(0x61, target, source, offset)


def and_constant(target: int, value: int) -> bytes:
    """target &= value (32 bits)."""
    return _instruction(0x54, target, value=value)


def shift_right(target: int, value: int) -> bytes:
    """target >>= value (32 bits, logical)."""
    return _instruction(0x74, target, value=value)


def skip_if(test: str, register: int, value: int, count: int) -> bytes:
    """Skip `count` instructions if a test holds.

    Args:
        test: "ne" register != value; "outside" register has bits that value lacks; "apart" register and value share none.
    """
    if test == "ne":
        return _instruction(0x56, register, offset=count, value=value)
    copy = _instruction(0xBC, 6, register)  # r6 = (u32) register
    if test == "outside":
        return copy + and_constant(6, ~value & 0xFFFFFFFF) + _instruction(0x56, 6, offset=count, value=0)
    return copy + and_constant(6, value) + _instruction(0x16, 6, offset=count, value=0)


def answer(value: int) -> bytes:
    """return value."""
    return _instruction(0xB7, 0, value=value) + _instruction(0x95)


def load_device_program(code: bytes) -> int:
    """BPF_PROG_LOAD; returns the program's descriptor.

    Raises:
        OSError: EPERM without CAP_BPF or CAP_SYS_ADMIN; EINVAL with what the verifier says.
    """
    try:
        return _load(code, None)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise
        log = ctypes.create_string_buffer(1 << 16)  # only now: the verifier fails when its log does not fit
        try:
            return _load(code, log)
        except OSError as again:
            raise OSError(error.errno, f"{os.strerror(again.errno or 0)}: {log.value.decode()}", "bpf") from None


def _load(code: bytes, log: ctypes.Array[ctypes.c_char] | None) -> int:
    buffer, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"Apache")
    attributes = Struct("=IIQQIIQ").pack(
        BPF_PROG_TYPE_CGROUP_DEVICE, len(code) // 8, ctypes.addressof(buffer), ctypes.addressof(licence),
        log is not None, len(log) if log else 0, ctypes.addressof(log) if log else 0,
    ).ljust(72, b"\0")  # fmt: skip
    return syscall("bpf", BPF_PROG_LOAD, attributes, len(attributes), what="bpf")


def attach_device_program(cgroup: int, program: int) -> None:
    """BPF_PROG_ATTACH to a cgroup's descriptor, beside the programs of its ancestors."""
    attributes = Struct("=IIII").pack(cgroup, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI)
    syscall("bpf", BPF_PROG_ATTACH, attributes, len(attributes), what="bpf attach")


def detach_device_program(cgroup: int, program: int) -> None:
    """BPF_PROG_DETACH of one program from a cgroup's descriptor."""
    attributes = Struct("=IIII").pack(cgroup, program, BPF_CGROUP_DEVICE, 0)
    syscall("bpf", BPF_PROG_DETACH, attributes, len(attributes), what="bpf detach")


def attached_device_programs(cgroup: int) -> list[int]:
    """Descriptors of the device programs attached to this very cgroup (BPF_PROG_QUERY). The caller closes them."""
    identifiers = (ctypes.c_uint32 * 64)()
    attributes = ctypes.create_string_buffer(
        Struct("=IIIIQII").pack(cgroup, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(identifiers), len(identifiers), 0), 64
    )
    syscall("bpf", BPF_PROG_QUERY, attributes, len(attributes), what="bpf query")
    (count,) = Struct("=I").unpack_from(attributes, 24)
    return [_by_identifier(number) for number in identifiers[:count]]


def _by_identifier(number: int) -> int:
    attributes = Struct("=III").pack(number, 0, 0)
    return syscall("bpf", BPF_PROG_GET_FD_BY_ID, attributes, len(attributes), what="bpf program")
