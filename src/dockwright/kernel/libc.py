"""The C library and the numbers of the system calls it has no function for.

Numbers and layouts hold for x86_64 and aarch64, from the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl,
include/uapi/asm-generic/unistd.h). Elsewhere importing this module fails with a clear text.
Imported by zygote and shim: only ctypes and os.
"""

from __future__ import annotations

import ctypes
import os

MACHINE = os.uname().machine
if MACHINE not in ("x86_64", "aarch64"):
    raise ImportError(f"dockwright runs on x86_64 and aarch64, not on {MACHINE}")

_NUMBERS = {  # name: (x86_64, aarch64)
    "execve": (59, 221),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "ioprio_set": (251, 30),
    "sched_setattr": (314, 274),
    "keyctl": (250, 219),
    "seccomp": (317, 277),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "pidfd_send_signal": (424, 424),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "close_range": (436, 436),
    "openat2": (437, 437),
    "mount_setattr": (442, 442),
    "quotactl_fd": (443, 443),
    "setgroups": (116, 159),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "capget": (125, 90),
    "capset": (126, 91),
}
NR = {name: pair[MACHINE == "aarch64"] for name, pair in _NUMBERS.items()}

libc = ctypes.CDLL(None, use_errno=True)
_syscall = libc.syscall
_syscall.restype = ctypes.c_long


def check(result: int, what: str = "") -> int:
    """`result` of a C call, or OSError from errno when it is -1, with `what` as its file name."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what or None)
    return result


def syscall(name: str, *arguments: object, what: str = "") -> int:
    """syscall(2) by name.

    Args:
        name: a key of NR. arguments: ints (taken as long), bytes (NUL-terminated) and ctypes objects.
        what: a path or name for the error.

    Raises:
        OSError: what the kernel answered.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return check(_syscall(ctypes.c_long(NR[name]), *converted), what or name)


def ioctl(descriptor: int, request: int, argument: object = 0, what: str = "ioctl") -> int:
    """ioctl(2) with a number or a ctypes object, which is passed by reference.

    Raises:
        OSError: with `what` as its file name.
    """
    value = ctypes.c_long(argument) if isinstance(argument, int) else ctypes.byref(argument)  # type: ignore[arg-type]
    return check(libc.ioctl(descriptor, ctypes.c_ulong(request), value), what)


def prepare(name: str, *arguments: object) -> tuple[object, ...]:
    """The arguments of a later `invoke`, converted now: invoking allocates next to nothing (DECISIONS 23)."""
    return (ctypes.c_long(NR[name]), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))


def invoke(prepared: tuple[object, ...], what: str) -> int:
    """Make a prepared system call; raises OSError with `what` as its file name."""
    return check(_syscall(*prepared), what)


def string_array(strings: list[bytes]) -> object:
    """A NULL-terminated `char *[]`, as execve(2) takes it."""
    return (ctypes.c_char_p * (len(strings) + 1))(*strings, None)


def path_bytes(path: str | bytes) -> bytes:
    """A path as the kernel takes it."""
    return os.fsencode(path)
