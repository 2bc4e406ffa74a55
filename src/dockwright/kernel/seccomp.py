"""seccomp(2): loading a compiled filter; and the part of libseccomp (by ctypes) that compiles one.

Sources: seccomp(2), include/uapi/linux/seccomp.h, libseccomp's seccomp.h (seccomp_rule_add(3) and its kin).
"""

from __future__ import annotations

import ctypes
import os

from dockwright.kernel.libc import invoke, prepare

SECCOMP_SET_MODE_FILTER = 1
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
ATTRIBUTE_BADARCH, ATTRIBUTE_NNP, ATTRIBUTE_OPTIMIZE = 2, 3, 8
EEXIST, EDOM, EFAULT = 17, 33, 14


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class Filter:
    """A compiled filter, laid out in memory so that loading it is one system call and no allocation.

    Args:
        code: struct sock_filter's, 8 bytes each. flags: SECCOMP_FILTER_FLAG_*.
    """

    def __init__(self, code: bytes, flags: int = 0) -> None:
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._buffer))
        self._call = prepare("seccomp", SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(self._program))

    def load(self) -> None:
        """Confine the calling thread. EACCES without CAP_SYS_ADMIN or no_new_privs."""
        invoke(self._call, "seccomp")


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


class Library:
    """libseccomp, loaded at first use: only compiling needs it."""

    def __init__(self) -> None:
        self.c = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.c.seccomp_init.restype = ctypes.c_void_p
        self.c.seccomp_init.argtypes = [ctypes.c_uint32]
        self.c.seccomp_release.argtypes = [ctypes.c_void_p]
        self.c.seccomp_release.restype = None
        self.c.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
        self.c.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        self.c.seccomp_arch_resolve_name.argtypes = [ctypes.c_char_p]
        self.c.seccomp_arch_resolve_name.restype = ctypes.c_uint32
        self.c.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
        self.c.seccomp_rule_add_array.argtypes = [
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison),
        ]  # fmt: skip
        self.c.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]

    def check(self, result: int, what: str, fine: tuple[int, ...] = ()) -> int:
        """Raise OSError for libseccomp's negative errno, unless it is one of `fine`."""
        if result < 0 and -result not in fine:
            raise OSError(-result, os.strerror(-result), what)
        return result


_library: list[Library] = []


def library() -> Library:
    """libseccomp.

    Raises:
        OSError: it is not installed.
    """
    if not _library:
        _library.append(Library())
    return _library[0]
