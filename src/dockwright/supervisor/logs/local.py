"""The log of Docker's driver `local`: protobuf messages, each between its length and its length again (u32, big endian).

    message LogEntry { string source = 1; int64 time_nano = 2; bytes line = 3; bool partial = 4; Part part = 5; }
    message Part { bool last = 1; string id = 2; int32 ordinal = 3; }

A line is without its newline. The parts of a long line, and what was unfinished at the end, are partial. Source: Docker's
documentation of the local driver, api/types/plugins/logdriver/entry.proto, and files that dockerd has written. Imported
by the zygote: nothing heavy.
"""

from __future__ import annotations

from dockwright.base.protobuf import varint
from dockwright.supervisor.logs.pieces import Parts


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return bytes((number << 3 | 2,)) + varint(len(data)) + data


def _part(ident: str, ordinal: int, last: bool) -> bytes:
    """The fields `partial` and `part`."""
    return b"\x20\x01" + field(5, (b"\x08\x01" if last else b"") + field(2, ident.encode()) + b"\x18" + varint(ordinal))


class LocalEntries:
    """The form of a local log."""

    overhead = 128

    def __init__(self) -> None:
        self._parts = {"stdout": Parts(), "stderr": Parts()}

    def batch(self, stream: str, pieces: list[bytes], now: int) -> bytes:
        """A message for each piece."""
        common, part = field(1, stream.encode()) + b"\x10" + varint(now), self._parts[stream]
        heads: dict[int, tuple[bytes, bytes]] = {}  # by length: what goes before and after a whole line
        entries = []
        for piece in pieces:
            if found := part.next(piece):
                entries.append(_entry(common + field(3, piece.removesuffix(b"\n")) + _part(*found)))
                continue
            length = len(piece) - 1
            if length not in heads:
                head = common + b"\x1a" + varint(length)
                size = (len(head) + length).to_bytes(4, "big")
                heads[length] = (size + head, size)
            before, after = heads[length]
            entries.append(before + piece[:-1] + after)
        return b"".join(entries)


def _entry(message: bytes) -> bytes:
    size = len(message).to_bytes(4, "big")
    return size + message + size
