"""Our own terminal joined with the container's: raw mode, bytes both ways, the window's size."""

from __future__ import annotations

import errno
import os
import select

from dockwright.runtime import console

_SIZE_REQUEST = 0x5413  # TIOCGWINSZ


class Relay:
    """Joins standard input and output with a pty's master, which it owns.

    Args:
        master: its descriptor.
    """

    def __init__(self, master: int) -> None:
        import termios

        self.master = master
        self.saved = termios.tcgetattr(0) if os.isatty(0) else None
        if self.saved:
            import tty

            tty.setraw(0)
        self.resize()

    def resize(self) -> None:
        """Give the container's terminal the size of ours."""
        if not self.saved:
            return
        import fcntl

        height, width = (int.from_bytes(part, "little") for part in _halves(fcntl.ioctl(0, _SIZE_REQUEST, bytes(8))))
        console.resize(self.master, height, width)

    def run(self) -> None:
        """Copy until the last process has let go of the terminal."""
        sources = [0, self.master]
        while True:
            for fd in select.select(sources, [], [])[0]:
                data = _read(fd)
                if not data and fd == self.master:
                    os.close(self.master)
                    return
                if not data:
                    sources.remove(0)
                _write(1 if fd == self.master else self.master, data)

    def restore(self) -> None:
        """Our terminal as it was."""
        if self.saved:
            import termios

            termios.tcsetattr(0, termios.TCSANOW, self.saved)


def _halves(size: bytes) -> tuple[bytes, bytes]:
    return size[0:2], size[2:4]


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""  # the last slave was closed


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
