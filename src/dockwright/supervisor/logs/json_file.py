"""The json-file log as the shim writes it: one JSON object a line, rotated by size.

A line is `{"log":"text\\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}`. Output is split at newlines and
at 16 KiB; a piece without its newline lacks the `\\n`. One time stamp is taken per read and one write(2) made per batch.
Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

import os

from dockwright.base.times import rfc3339_fixed

PIECE = 16 * 1024
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_TABLE = {code: f"\\u{code:04x}" for code in range(32)}
_TABLE.update({ord(char): text for char, text in _ESCAPES.items()})
_TABLE.update({0x2028: "\\u2028", 0x2029: "\\u2029", 0x7F: "\x7f"})
_TABLE.update({ord(char): f"\\u{ord(char):04x}" for char in "<>&"})


def escape(piece: bytes) -> str:
    """The content of a JSON string as Go's encoder writes it; what is not UTF-8 becomes U+FFFD."""
    text = piece.decode("utf-8", "replace")
    if text.isascii() and text.isprintable() and not set(text) & _SPECIAL:
        return text
    return text.translate(_TABLE)


_SPECIAL = frozenset('"\\<>&')


class Lines:
    """Cuts one stream into log pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that `data` completes: lines, and 16 KiB parts of longer ones."""
        *lines, rest = (self._rest + data).split(b"\n")
        pieces = []
        for line in lines:
            pieces += _parts(line + b"\n")
        while len(rest) >= PIECE:
            pieces.append(rest[:PIECE])
            rest = rest[PIECE:]
        self._rest = rest
        return pieces

    def finish(self) -> list[bytes]:
        """The last, unfinished line."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def _parts(line: bytes) -> list[bytes]:
    if len(line) <= PIECE + 1:
        return [line]
    return [line[i : i + PIECE] for i in range(0, len(line), PIECE)]


class JsonFile:
    """The log of one container.

    Args:
        path: the file. max_size: bytes, -1 for no limit. max_file: how many files are kept, at least 1.
        attrs: added to each line, as JSON text ("" for none).
    """

    def __init__(self, path: str, max_size: int = -1, max_file: int = 1, attrs: str = "") -> None:
        self.path, self.max_size, self.max_file = path, max_size, max_file
        self._attrs = f'"attrs":{attrs},' if attrs else ""
        self._lines = {"stdout": Lines(), "stderr": Lines()}
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

    def _append(self, stream: str, pieces: list[bytes], now: int) -> None:
        if not pieces:
            return
        tail = f'","stream":"{stream}",{self._attrs}"time":"{rfc3339_fixed(now)}"}}\n'
        batch = "".join([f'{{"log":"{escape(piece)}{tail}' for piece in pieces]).encode()
        if self.max_size > 0 and self._size + len(batch) > self.max_size and self._size:
            self._rotate()
        view = memoryview(batch)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(batch)

    def _rotate(self) -> None:
        """path.1 is the youngest of the old ones; the oldest makes room. With a single file it is begun anew."""
        os.close(self._fd)
        for number in range(self.max_file - 1, 1, -1):
            _rename(f"{self.path}.{number - 1}", f"{self.path}.{number}")
        if self.max_file > 1:
            _rename(self.path, f"{self.path}.1")
        else:
            os.unlink(self.path)
        self._fd = self._open()
        self._size = 0


def _rename(old: str, new: str) -> None:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        return  # fewer files than allowed so far
