"""A container's log as its streams see it: bytes in, cut into pieces, to one sink or several.

Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

from dockwright.supervisor.logs.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.supervisor.logs.outlet import Outlet
    from dockwright.supervisor.logs.pieces import Sink


class Log:
    """The log of one container.

    Args:
        sinks: where pieces go; the first tells the position.
        outlet: that of them which leads to a logger process, if one does.
    """

    def __init__(self, sinks: list[Sink], outlet: Outlet | None = None) -> None:
        self._sinks, self._outlet = sinks, outlet
        self._lines = {"stdout": Lines(), "stderr": Lines()}

    @property
    def full(self) -> bool:
        """Whether the container has to wait until the log can take more."""
        return any(sink.full for sink in self._sinks)

    def write(self, stream: str, data: bytes, now: int) -> None:
        """Log what was read from `stream` at `now` (ns since the epoch)."""
        if pieces := self._lines[stream].feed(data):
            self._append(stream, pieces, now)

    def _append(self, stream: str, pieces: list[bytes], now: int) -> None:
        for sink in self._sinks:
            sink.append(stream, pieces, now)

    def finish(self, now: int) -> None:
        """Log unfinished lines and close."""
        for stream, lines in self._lines.items():
            if pieces := lines.finish():
                self._append(stream, pieces, now)
        for sink in self._sinks:
            sink.close()

    def position(self) -> tuple[int, int] | None:
        """Inode of the file that can be read and how much is in it; None if nothing can be read."""
        return self._sinks[0].position()

    def rest(self) -> dict[str, bytes]:
        """Unfinished lines, which are not logged yet."""
        return {stream: lines.rest for stream, lines in self._lines.items()}

    def reaped(self, pid: int, status: int) -> bool:
        """A child has ended; whether it was one of the log's."""
        return any(sink.reaped(pid, status) for sink in self._sinks)

    def when_ready(self, then: Callable[[str], None]) -> None:
        """Call `then` when the log can be written to, with "", or with the reason why it cannot."""
        if self._outlet:
            self._outlet.when_ready(then)
        else:
            then("")

    def when_room(self, then: Callable[[], None]) -> None:
        """Call `then` each time when `full` may have ended."""
        if self._outlet:
            self._outlet.pipe.room = then

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call `then` once all that was written before `finish` has left this process."""
        if self._outlet:
            self._outlet.when_drained(then)
        else:
            then()
