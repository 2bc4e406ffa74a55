"""Writing without ever blocking: what the other side does not take yet waits here. Imported by the zygote: nothing heavy."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.supervisor.loop import Loop

HIGH = 1 << 20  # bytes waiting at which who writes here should be held up
LINGER = 10.0  # seconds after the end for what is still waiting (as Docker's)
AT_ONCE = 1 << 16


class Pipe:
    """The writing end of a pipe, a socket, or a file.

    Args:
        loop: the shim's. fd: non-blocking; closed by this.

    Attributes:
        waiting: what has not been taken yet. broken: nobody takes anything any more. room: called when there is room again.
    """

    def __init__(self, loop: Loop, fd: int) -> None:
        self._loop, self._fd = loop, fd
        self._closed: Callable[[], None] | None = None
        self.waiting = bytearray()
        self.broken = False
        self.room: Callable[[], None] = _nothing

    def put(self, data: bytes) -> None:
        """Write, or queue."""
        if not self.broken:
            self.waiting += data
            self._flush()

    def _flush(self) -> None:
        try:
            while self.waiting:
                del self.waiting[: os.write(self._fd, self.waiting[:AT_ONCE])]
        except BlockingIOError:
            if not self._loop.has(self._fd):
                self._loop.add(self._fd, self._on_event, write=True)
            return
        except OSError:  # the reader has gone
            self.broken = True
            self.waiting.clear()
        if self._loop.has(self._fd):
            self._loop.remove(self._fd)
        if self._closed:
            self._end()

    def _on_event(self, _readable: bool, _writable: bool) -> None:
        self._flush()
        if len(self.waiting) <= HIGH:
            self.room()

    def close(self, then: Callable[[], None]) -> None:
        """No more comes; `then` is called when nothing waits any more, or after LINGER seconds."""
        self._closed = then
        if self.waiting:
            self._loop.later(LINGER, self._end)
        self._flush()

    def _end(self) -> None:
        then, self._closed = self._closed, None
        if then:
            if self._loop.has(self._fd):
                self._loop.remove(self._fd)
            os.close(self._fd)
            self.broken = True
            then()


def _nothing() -> None:
    """Nobody waits for room."""
