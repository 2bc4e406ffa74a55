"""A terminal in raw mode, and back."""

from __future__ import annotations

import termios

IFLAG, OFLAG, CFLAG, LFLAG, CC = 0, 1, 2, 3, 6


class RawTerminal:
    """Puts a terminal into raw mode, as cfmakeraw(3) does; `restore` puts it back.

    Args:
        fd: the terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._before = termios.tcgetattr(fd)
        raw = list(self._before)
        raw[IFLAG] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        raw[OFLAG] &= ~termios.OPOST
        raw[LFLAG] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[CFLAG] = raw[CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[CC] = list(raw[CC])
        raw[CC][termios.VMIN], raw[CC][termios.VTIME] = 1, 0
        termios.tcsetattr(fd, termios.TCSANOW, raw)

    def restore(self) -> None:
        """As it was before."""
        termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
