"""Signals while attached: sent on to the container (--sig-proxy), and the window's size."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the signal module imports enum: 3 ms
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# everything a process can catch, but for our children, our own broken pipes, Go's SIGURG, job control's stops on terminal
# input and output (catching them would let a background read spin), and faults
NAMES = {
    1: "HUP", 2: "INT", 3: "QUIT", 5: "TRAP", 6: "ABRT", 10: "USR1", 12: "USR2", 14: "ALRM", 15: "TERM", 16: "STKFLT",
    18: "CONT", 20: "TSTP", 24: "XCPU", 25: "XFSZ", 26: "VTALRM", 27: "PROF", 28: "WINCH", 29: "IO", 30: "PWR", 31: "SYS",
}  # fmt: skip
WINCH = 28
DEADLY = {"HUP": 1, "INT": 2, "QUIT": 3, "TERM": 15}


class Signals:
    """A pipe that becomes readable when a signal has come.

    Args:
        forward: called with a signal's name; None to leave signals alone.
        resized: called when the window's size has changed; None where there is no terminal.
        numbers: the signals that `forward` gets.

    Attributes:
        fd: to poll.
    """

    def __init__(
        self,
        forward: Callable[[str], None] | None,
        resized: Callable[[], None] | None = None,
        numbers: Iterable[int] = tuple(NAMES),
    ) -> None:
        self._forward = forward
        self._numbers = set(numbers if forward else ())
        self._resized = resized
        self.fd, self._writer = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
        _signal.set_wakeup_fd(self._writer)
        wanted = self._numbers | ({WINCH} if resized else set())
        self._before = {number: _signal.signal(number, _note) for number in wanted}

    def handle(self) -> None:
        """Act on what has come."""
        for number in posix.read(self.fd, 64):
            if number == WINCH and self._resized:
                self._resized()
            if self._forward and number in self._numbers:
                self._forward(NAMES[number])

    def close(self) -> None:
        """Put everything back."""
        for number, handler in self._before.items():
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(-1)
        posix.close(self.fd)
        posix.close(self._writer)


def _note(number: int, frame: object) -> None:
    """The wake-up descriptor says it all; a handler must be there for Python to write to it."""
