"""A program on a pseudo-terminal, as a person at a keyboard sees it."""

import fcntl
import os
import pty
import select
import struct
import termios
import time


class Terminal:
    """Runs `command` on a terminal of its own.

    Args:
        size: rows and columns.
    """

    def __init__(self, command: list[str], size: tuple[int, int] = (24, 80)) -> None:
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execvp(command[0], command)

    def until(self, text: bytes, seconds: float = 15) -> bytes:
        """Read until `text` is shown; all that has been shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read(0.2):
                break
        assert text in self.shown, self.shown
        shown, self.shown = self.shown, b""
        return shown

    def _read(self, seconds: float) -> bool:
        """Read once; False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.shown += data
        return bool(data)

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.fd, text)

    def resize(self, rows: int, columns: int) -> None:
        """Another window size; the kernel sends SIGWINCH to the foreground group."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """The terminal's attributes."""
        return termios.tcgetattr(self.fd)

    def end(self, seconds: float = 15) -> tuple[int, bytes]:
        """The exit status, negative for a signal, and what was still shown."""
        deadline = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < deadline, self.shown
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status, self.shown
