"""The json-file log as the shim writes it: one JSON object a line, rotated by size.

A line is `{"log":"text\\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}`. One time stamp is taken per read
and one write(2) made per batch. Times never go back within a log, and no two files begin with the same time: that is how
a reader tells them apart when they have moved on (segments.py). Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

import os

from dockwright.base.times import rfc3339_fixed
from dockwright.supervisor.logs.lines import Lines
from dockwright.supervisor.logs.rotation import Rotation

_TABLE = {code: f"\\u{code:04x}" for code in range(32)}
_TABLE.update({ord("\n"): "\\n", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"})
_TABLE.update({code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *b"<>&")})


def escape(piece: bytes) -> str:
    """The content of a JSON string as Docker writes it; what is not UTF-8 becomes U+FFFD."""
    return piece.decode("utf-8", "replace").translate(_TABLE)


class JsonFile:
    """The log of one container.

    Args:
        path: the file. max_size: bytes, -1 for no limit. max_file: how many files are kept, at least 1.
        attrs: added to each line, as JSON text ("" for none). compress: gzip rotated files.

    Attributes:
        lost: how many pieces could not be written (full disk): the container goes on without them.
    """

    def __init__(
        self, path: str, max_size: int = -1, max_file: int = 1, attrs: str = "", compress: bool = False
    ) -> None:
        self.path, self.max_size = path, max_size
        self.lost = 0
        self._attrs = f'"attrs":{attrs},' if attrs else ""
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self._rotation = Rotation(path, max_file, compress)
        self._last = 0
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path, flags, 0o640)

    def write(self, stream: str, data: bytes, now: int) -> None:
        """Log what was read from `stream` at `now` (ns since the epoch)."""
        self._append(stream, self._lines[stream].feed(data), now)

    def finish(self, now: int) -> None:
        """Log unfinished lines and close."""
        for stream, lines in self._lines.items():
            self._append(stream, lines.finish(), now)
        os.close(self._fd)
        self._rotation.close()

    def position(self) -> tuple[int, int]:
        """Inode of the file and how much is in it: what comes later is beyond."""
        return os.fstat(self._fd).st_ino, self._size

    def rest(self) -> dict[str, bytes]:
        """Unfinished lines, which are not in the file yet."""
        return {stream: lines.rest for stream, lines in self._lines.items()}

    def reaped(self, pid: int, status: int) -> bool:
        """A child has ended; whether it was one of the log's."""
        return self._rotation.reaped(pid, status)

    def _append(self, stream: str, pieces: list[bytes], now: int) -> None:
        if not pieces:
            return
        now = self._last = max(now, self._last)
        tail = self._tail(stream, now)
        batch = "".join([f'{{"log":"{escape(piece)}{tail}' for piece in pieces]).encode()
        if self.max_size < 0 or self._size + len(batch) <= self.max_size:
            self._put(batch, len(pieces))
        else:
            self._spread(stream, pieces, now)

    def _tail(self, stream: str, now: int) -> str:
        return f'","stream":"{stream}",{self._attrs}"time":"{rfc3339_fixed(now)}"}}\n'

    def _spread(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Write with rotations in between: a file takes lines until it has reached its size."""
        batch, count, tail = b"", 0, self._tail(stream, now)
        for piece in pieces:
            if self._size + len(batch) >= self.max_size:
                self._put(batch, count)
                self._rotate()
                now = self._last = now + 1
                batch, count, tail = b"", 0, self._tail(stream, now)
            batch += f'{{"log":"{escape(piece)}{tail}'.encode()
            count += 1
        self._put(batch, count)

    def _put(self, batch: bytes, count: int) -> None:
        """Write whole lines, or none: half a line would spoil the next one too."""
        view = memoryview(batch)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            self.lost += count
            os.ftruncate(self._fd, self._size)
            return
        self._size += len(batch)

    def _rotate(self) -> None:
        os.close(self._fd)
        try:
            self._rotation.rotate()
        finally:
            self._fd = self._open()
            self._size = os.fstat(self._fd).st_size
