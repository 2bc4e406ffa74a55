"""Reading a log file: from its last lines on, across rotated and compressed files, while the writer goes on.

Bounded: one block is in memory at a time, however long the log is. Blocking: call it in a thread.
"""

from collections import deque

from dockwright.supervisor.logs.forms import Entry, Form
from dockwright.supervisor.logs.segments import Segment, close_all, inode, segments


class Cursor:
    """A place in a log that moves forwards.

    Args:
        path: the file the writer writes to. form: of its entries.
        tail: how many of the last lines are wanted, -1 for all.
        end: (inode, size) beyond which is not read; None to read as far as there is something.
    """

    def __init__(self, path: str, form: Form, tail: int = -1, end: tuple[int, int] | None = None) -> None:
        self._path, self._form, self._tail, self._end = path, form, tail, end
        self._opened = False
        self._rest = b""
        self._limit = (0, 0)
        self._queue: deque[Segment] = deque()
        self._current: Segment | None = None

    def _open(self) -> None:
        """Find the files and where in them to begin."""
        self._opened = True
        found = segments(self._path, self._form)
        if self._end and any(segment.inode == self._end[0] for segment in found):
            found, self._limit = _cut(found, self._end[0]), self._end
        self._queue.extend(_last(found, self._tail) if self._tail >= 0 else found)
        if self._queue:
            self._current = self._queue.popleft()

    def read(self) -> list[Entry]:
        """The next lines; [] if there are none for now."""
        if not self._opened:
            self._open()
        while True:
            data = self._next()
            if not data:
                return []
            records, self._rest = self._form.split(self._rest + data)
            if entries := [entry for record in records if (entry := self._form.decode(record))]:
                return entries

    def _next(self) -> bytes:
        """More bytes, of this file or of one that came after it; b"" if there are none for now."""
        while self._current or self._look():
            assert self._current
            if data := self._bounded(self._current.read()):
                return data
            if self._current.inode == self._limit[0]:
                return b""
            if self._queue:
                self._step()
            elif not self._look():
                return b""
        return b""

    def _bounded(self, data: bytes) -> bytes:
        """`data` without what lies beyond the end."""
        assert self._current
        beyond = self._current.at - self._limit[1]
        if self._current.inode == self._limit[0] and beyond > 0:
            return data[: max(0, len(data) - beyond)]
        return data

    def _step(self) -> None:
        """On to the next file. The writer had left this one before its end was read, so nothing more comes to it."""
        assert self._current
        self._current.close()
        self._current, self._rest = self._queue.popleft(), b""

    def _look(self) -> bool:
        """Whether files have come after the one we are in. They are queued; ours must then be read once more to its end."""
        if inode(self._path) in (self._current.inode if self._current else 0, 0):
            return False
        self._queue.extend(_after(segments(self._path, self._form), self._current))
        if self._current is None and self._queue:
            self._current = self._queue.popleft()
            return True
        return bool(self._queue)

    def close(self) -> None:
        """Let go of the files."""
        close_all([*self._queue, *([self._current] if self._current else [])])
        self._queue.clear()
        self._current = None


def _cut(found: list[Segment], last: int) -> list[Segment]:
    """The files up to the one whose inode is `last`."""
    count = [segment.inode for segment in found].index(last) + 1
    close_all(found[count:])
    return found[:count]


def _last(found: list[Segment], wanted: int) -> list[Segment]:
    """The files that hold the last `wanted` lines, each at its first one."""
    for index in range(len(found) - 1, -1, -1):
        wanted -= found[index].skip_to_last(wanted)
        if wanted <= 0:
            close_all(found[:index])
            return found[index:]
    return found


def _after(found: list[Segment], current: Segment | None) -> list[Segment]:
    """Those of `found` that are younger than `current`; all, if that has been rotated away."""
    if current is None:
        return found
    own = next((i for i, segment in enumerate(found) if segment.inode == current.inode), -1)
    if own < 0:
        first = current.first()
        own = next((i for i, segment in enumerate(found) if segment.packed and segment.first() == first), -1)
    close_all(found[: own + 1])
    return found[own + 1 :]
