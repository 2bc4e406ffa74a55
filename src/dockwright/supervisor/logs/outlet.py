"""The shim's way to a logger process: a sink that never blocks.

When the logger is behind, a log in blocking mode says that it is `full`, and the container has to wait; a non-blocking
one loses whole lines beyond its buffer. Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

import marshal
import os

from dockwright.supervisor.logs.pipe import HIGH, Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.supervisor.loop import Loop

VERSION = 4  # of marshal


class Outlet:
    """Pieces for a logger process.

    Args:
        loop: the shim's. pipe: to the logger, non-blocking. status: from it: one byte once it is ready, with a text
        behind it if it cannot be. limit: bytes beyond which lines are lost; -1 to hold up the container instead.
        path: the file that the logger writes to, "" for none that could be read.

    Attributes:
        lost: how many pieces had to go.
    """

    def __init__(self, loop: Loop, pipe: int, status: int, limit: int = -1, path: str = "") -> None:
        self._loop, self._status, self._limit, self._path = loop, status, limit, path
        self.pipe = Pipe(loop, pipe)
        self._ready: Callable[[str], None] | None = None
        self._reason: str | None = None
        self._drained: Callable[[], None] | None = None
        self._over = False
        self.lost = 0
        loop.add(status, self._hear, read=True)

    @property
    def full(self) -> bool:
        """Whether the container has to wait."""
        return self._limit < 0 and len(self.pipe.waiting) > HIGH

    def append(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Queue `pieces`; those beyond the buffer of a non-blocking log are lost."""
        if self._limit >= 0:
            pieces = self._fitting(pieces)
        if pieces:
            message = marshal.dumps((stream, pieces, now), VERSION)
            self.pipe.put(len(message).to_bytes(4, "big") + message)

    def _fitting(self, pieces: list[bytes]) -> list[bytes]:
        """The first ones, as many as there is room for; an empty buffer takes one of any size, as Docker's does."""
        room, count = self._limit - len(self.pipe.waiting), 0
        for piece in pieces:
            if len(piece) > room and (self.pipe.waiting or count):
                break
            room -= len(piece)
            count += 1
        self.lost += len(pieces) - count
        return pieces[:count]

    def _hear(self, _readable: bool, _writable: bool) -> None:
        """The logger says that it is ready, or why it cannot be."""
        text = os.read(self._status, 4096).decode(errors="replace")
        self._deafen()
        self._reason = text[1:] if text else "the logger process has died"
        if self._ready:
            self._ready(self._reason)

    def _deafen(self) -> None:
        if self._status >= 0:
            self._loop.remove(self._status)
            os.close(self._status)
            self._status = -1

    def when_ready(self, then: Callable[[str], None]) -> None:
        """Call `then` with what the logger says: "" or a reason."""
        self._ready = then
        if self._reason is not None:
            then(self._reason)

    def close(self) -> None:
        """No more pieces come."""
        self._deafen()
        self.pipe.close(self._end)

    def _end(self) -> None:
        self._over = True
        if self._drained:
            self._drained()

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call `then` when nothing waits any more."""
        self._drained = then
        if self._over:
            then()

    def position(self) -> tuple[int, int] | None:
        """Where the logger's file ends now; a line that is on its way to it may be missed."""
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size

    def reaped(self, _pid: int, _status: int) -> bool:
        """Nobody waits for a logger's status."""
        return False
