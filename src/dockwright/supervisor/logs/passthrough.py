"""The driver `passthrough`: output goes, byte for byte and at once, to files, FIFOs or terminals that were open elsewhere.

Named by path, so that a descriptor of any process can be one: /proc/PID/fd/N (proc(5)). A reader that does not keep up holds
the container up, as the pipe itself would. Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

import os
import stat

from dockwright.supervisor.logs.pipe import HIGH, Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.supervisor.loop import Loop


class Passthrough:
    """A log that keeps nothing.

    Args:
        loop: the shim's. paths: by stream ("stdout", "stderr"); a stream without one goes nowhere.

    Raises:
        OSError: a path cannot be opened for writing.
    """

    def __init__(self, loop: Loop, paths: dict[str, str]) -> None:
        self._pipes: dict[str, Pipe] = {}
        self._open = 0
        self._drained: Callable[[], None] | None = None
        try:
            for stream, path in paths.items():
                self._pipes[stream] = Pipe(loop, _open(path))
                self._open += 1
        except OSError:
            self.finish(0)
            raise

    @property
    def full(self) -> bool:
        """Whether the container has to wait."""
        return any(len(pipe.waiting) > HIGH for pipe in self._pipes.values())

    def write(self, stream: str, data: bytes, _now: int) -> None:
        """Pass on what was read."""
        if pipe := self._pipes.get(stream):
            pipe.put(data)

    def finish(self, _now: int) -> None:
        """No more comes."""
        for pipe in self._pipes.values():
            pipe.close(self._closed)

    def _closed(self) -> None:
        self._open -= 1
        if not self._open and self._drained:
            self._drained()

    def when_drained(self, then: Callable[[], None]) -> None:
        """Call `then` when everything has been taken."""
        self._drained = then
        if not self._open:
            then()

    def when_room(self, then: Callable[[], None]) -> None:
        """Call `then` when `full` may have ended."""
        for pipe in self._pipes.values():
            pipe.room = then

    def when_ready(self, then: Callable[[str], None]) -> None:
        """It is from the beginning."""
        then("")

    def position(self) -> None:
        """Nothing can be read here."""

    def rest(self) -> dict[str, bytes]:
        """Nothing is held back."""
        return {}

    def reaped(self, _pid: int, _status: int) -> bool:
        """It has no children."""
        return False


def _open(path: str) -> int:
    """A non-blocking descriptor; a FIFO is opened for reading too, so that nobody need be at its other end yet."""
    fifo = stat.S_ISFIFO(os.stat(path).st_mode) if os.path.exists(path) else False
    way = os.O_RDWR if fifo else os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.open(path, way | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o640)
