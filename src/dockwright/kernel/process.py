"""Processes: clone3(2), namespaces, pidfds, capabilities, prctl(2), identities.

Constants: include/uapi/linux/{sched,prctl,capability,close_range}.h.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import ctypes
import os

from dockwright.kernel.libc import check, invoke, libc, prepare, syscall

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME = 0x10000000, 0x20000000, 0x40000000, 0x80
CLONE_PARENT, CLONE_PIDFD, CLONE_INTO_CGROUP, CLONE_FS = 0x8000, 0x1000, 0x200000000, 0x200
SIGCHLD = 17

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME = 1, 4, 8, 15
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 47, 2, 4
CLOSE_RANGE_CLOEXEC = 4
KEYCTL_JOIN_SESSION_KEYRING = 1
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class CloneArgs(ctypes.Structure):
    """struct clone_args of clone3(2)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal",
            "stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup",
        )
    ]  # fmt: skip


def clone3(flags: int, exit_signal: int = SIGCHLD, cgroup: int = -1) -> int:
    """clone3(2) like fork(2): 0 in the child. Only for processes with a single thread.

    The interpreter's after-fork handlers do not run: a single-threaded child needs none of them.

    Args:
        flags: CLONE_NEW* and CLONE_PARENT; CLONE_INTO_CGROUP is added for a `cgroup` descriptor (v2).
    """
    into = CLONE_INTO_CGROUP if cgroup >= 0 else 0
    signal = 0 if flags & CLONE_PARENT else exit_signal
    arguments = CloneArgs(flags=flags | into, exit_signal=signal, cgroup=max(cgroup, 0))
    return syscall("clone3", ctypes.byref(arguments), ctypes.sizeof(arguments), what="clone3")


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int = 0) -> None:
    """setns(2) by a namespace's descriptor or a pidfd."""
    check(libc.setns(descriptor, flags), "setns")


def pidfd_open(pid: int) -> int:
    """pidfd_open(2)."""
    return syscall("pidfd_open", pid, 0, what=f"pid {pid}")


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """pidfd_send_signal(2)."""
    syscall("pidfd_send_signal", pidfd, signal, None, 0, what=f"signal {signal}")


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """close_range(2): close all descriptors from `first` to `last` (or mark them with CLOSE_RANGE_CLOEXEC)."""
    syscall("close_range", first, last, flags, what="close_range")


def prctl(option: int, two: int = 0, three: int = 0) -> int:
    """prctl(2) with up to two numbers."""
    long = ctypes.c_ulong
    return check(libc.prctl(option, long(two), long(three), long(0), long(0)), f"prctl {option}")


def set_name(name: str) -> None:
    """PR_SET_NAME: what ps shows as the command, at most 15 bytes."""
    check(libc.prctl(PR_SET_NAME, name.encode()[:15]), "prctl")


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = os.fsencode(name)
    check(libc.sethostname(raw, len(raw)), "sethostname")


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    raw = os.fsencode(name)
    check(libc.setdomainname(raw, len(raw)), "setdomainname")


def prepare_capset(effective: int, permitted: int, inheritable: int) -> tuple[object, ...]:
    """capset(2) for the calling thread, to be invoked later; each argument is a 64-bit mask."""
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    low, high = 0xFFFFFFFF, 32
    data = (ctypes.c_uint32 * 6)(
        effective & low, permitted & low, inheritable & low, effective >> high, permitted >> high, inheritable >> high
    )
    return prepare("capset", ctypes.byref(header), ctypes.byref(data))


def set_fs_ids(uid: int, gid: int) -> None:
    """setfsuid(2), setfsgid(2): who makes files; the capabilities to walk everywhere stay, unlike with those calls alone."""
    libc.setfsgid(ctypes.c_uint32(gid))
    libc.setfsuid(ctypes.c_uint32(uid))
    _, permitted, inheritable = capget()
    invoke(prepare_capset(permitted, permitted, inheritable), "capset")


def capget() -> tuple[int, int, int]:
    """capget(2) of the calling thread: (effective, permitted, inheritable) as 64-bit masks."""
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    syscall("capget", ctypes.byref(header), ctypes.byref(data), what="capget")
    return data[0] | data[3] << 32, data[1] | data[4] << 32, data[2] | data[5] << 32


def join_session_keyring(name: str) -> None:
    """keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a fresh session keyring called `name`."""
    syscall("keyctl", KEYCTL_JOIN_SESSION_KEYRING, name.encode(), 0, 0, 0, what="session keyring")


def settable_signals() -> set[int]:
    """All whose disposition can be set: for posix_spawn(3), that a program starts with none ignored (signal(7), execve)."""
    return set(_signal.valid_signals()) - {int(_signal.SIGKILL), int(_signal.SIGSTOP)}
