"""A log file that rotates by size, whatever the form of its entries.

One write(2) is made per batch, and no entry is ever half in a file. Times never go back within a log, and no two files
begin with the same time: that is how a reader tells them apart when they have moved on (segments.py). Imported by the
zygote: nothing heavy.
"""

from __future__ import annotations

import os

from dockwright.supervisor.logs.rotation import Rotation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Form(Protocol):
        """How pieces become entries; each is encoded once.

        Attributes:
            overhead: bytes of an entry, at most, beside its piece.
        """

        overhead: int

        def batch(self, stream: str, pieces: list[bytes], now: int) -> bytes:
            """The entries of `pieces`, in a row."""


WIDEST = 6  # bytes that one byte of output may become: \\u0001


class LogFile:
    """A sink that writes to `path`.

    Args:
        form: of the entries. max_size: bytes, -1 for no limit. max_file: how many files are kept, at least 1.
        compress: gzip rotated files.

    Attributes:
        lost: how many pieces could not be written (full disk): the container goes on without them.
    """

    def __init__(self, path: str, form: Form, max_size: int = -1, max_file: int = 1, compress: bool = False) -> None:
        self.path, self.max_size = path, max_size
        self.lost = 0
        self._form = form
        self._rotation = Rotation(path, max_file, compress)
        self._last = 0
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size

    @property
    def full(self) -> bool:
        """A file takes all there is."""
        return False

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.path, flags, 0o640)

    def append(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Write `pieces`, rotating where the size is reached."""
        now = self._last = max(now, self._last)
        most = WIDEST * sum(map(len, pieces)) + self._form.overhead * len(pieces)
        if self.max_size < 0 or self._size + most <= self.max_size:
            self._put(self._form.batch(stream, pieces, now), len(pieces))
        else:
            self._spread(stream, pieces, now)

    def _spread(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Write with rotations in between: a file takes entries until it has reached its size."""
        entries: list[bytes] = []
        size = self._size
        for piece in pieces:
            if size >= self.max_size:
                self._put(b"".join(entries), len(entries))
                self._rotate()
                now = self._last = now + 1
                entries, size = [], self._size
            entries.append(self._form.batch(stream, [piece], now))
            size += len(entries[-1])
        self._put(b"".join(entries), len(entries))

    def _put(self, batch: bytes, count: int) -> None:
        """Write whole entries, or none: half of one would spoil the next one too."""
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

    def position(self) -> tuple[int, int]:
        """Inode of the file and how much is in it: what comes later is beyond."""
        return os.fstat(self._fd).st_ino, self._size

    def reaped(self, pid: int, status: int) -> bool:
        """A child has ended; whether it was this log's."""
        return self._rotation.reaped(pid, status)

    def close(self) -> None:
        """The log is over."""
        os.close(self._fd)
        self._rotation.close()
