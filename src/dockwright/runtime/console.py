"""Terminals: the pty is made inside the container's own devpts, and its master handed out over a socket.

The slave comes from the master by TIOCGPTPEER, never by a path an image could have put something at (CVE-2025-52565).
Sources: ioctl_tty(2), pty(7), unix(7) SCM_RIGHTS; runc's docs/terminals.md for who sends what.
"""

from __future__ import annotations

import _socket
import ctypes
import os
from _struct import Struct

from dockwright.kernel import mount as m
from dockwright.kernel.libc import check, libc
from dockwright.runtime import paths
from dockwright.runtime.failure import RuntimeFailure, words

TIOCSPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCSWINSZ = 0x40045431, 0x80045430, 0x5441, 0x5414
_INT, _WINSIZE = Struct("=i"), Struct("=HHHH")


def open_pair(root: int) -> tuple[int, int, str]:
    """A new pty of the devpts below `root`, a descriptor of the container's root (or of `/` once inside).

    Returns:
        (master, slave, the slave's name inside the container).

    Raises:
        RuntimeFailure: the container has no devpts. OSError: what the kernel answered.
    """
    try:
        master = paths.open_in_root(root, "/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        raise RuntimeFailure(f"open /dev/ptmx: {words(error)}") from None
    if m.file_system_type(master) != m.DEVPTS_SUPER_MAGIC:
        os.close(master)
        raise RuntimeFailure("open /dev/ptmx: what the container has at /dev/pts is not devpts")
    number = ctypes.c_int(0)
    check(libc.ioctl(master, TIOCSPTLCK, ctypes.byref(number)), "unlock the pty")
    check(libc.ioctl(master, TIOCGPTN, ctypes.byref(number)), "number of the pty")
    slave = check(libc.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC), "peer of the pty")
    return master, slave, f"/dev/pts/{number.value}"


def resize(fd: int, height: int, width: int) -> None:
    """Tell a terminal its size in characters (TIOCSWINSZ)."""
    check(libc.ioctl(fd, TIOCSWINSZ, _WINSIZE.pack(height, width, 0, 0)), "resize the terminal")


def hand_out(sock: int, name: str, fd: int) -> None:
    """Send descriptor `fd`, called `name`, over the connected Unix socket `sock`."""
    connection = _socket.socket(fileno=sock)
    try:
        connection.sendmsg([name.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _INT.pack(fd))])
    finally:
        connection.detach()


def take(sock: int) -> int:
    """Receive the descriptor that `hand_out` sent.

    Raises:
        RuntimeFailure: the other end was closed instead.
    """
    connection = _socket.socket(fileno=sock)
    try:
        _, ancillary, _, _ = connection.recvmsg(4096, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    finally:
        connection.detach()
    for _, _, data in ancillary:
        return int(_INT.unpack(data[:4])[0])
    raise RuntimeFailure("no terminal came from the container")


def connect(path: str) -> int:
    """A descriptor connected to the console socket at `path`.

    Raises:
        RuntimeFailure: nobody listens there.
    """
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        connection.connect(path)
        return connection.detach()
    except OSError as error:
        connection.close()
        raise RuntimeFailure(f"dial unix {path}: connect: {words(error)}") from None


def pair() -> tuple[int, int]:
    """Two connected sockets as descriptors."""
    kind = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC
    here, there = _socket.socketpair(_socket.AF_UNIX, kind)
    return here.detach(), there.detach()
