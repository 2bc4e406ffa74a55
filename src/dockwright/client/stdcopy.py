"""Docker's stream multiplexing: frames of [stream, 0, 0, 0, size as big-endian u32] and the bytes.

Source: Engine API reference, ContainerAttach, "Stream format".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDIN, STDOUT, STDERR, SYSTEM = range(4)
HEADER = 8


class Demultiplexer:
    """Splits a byte stream into (stream, bytes) however it was cut into pieces.

    A frame's bytes are handed out as they arrive, without waiting for the end of the frame.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The parts of `data` that belong to a stream.

        Raises:
            ValueError: not a frame header, in docker's words.
        """
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                yield self._stream, part
            else:
                need = HEADER - len(self._header)
                self._header, data = self._header + data[:need], data[need:]
                if len(self._header) == HEADER:
                    self._open_frame()

    def _open_frame(self) -> None:
        self._stream, self._left = self._header[0], int.from_bytes(self._header[4:], "big")
        if self._stream > SYSTEM or self._header[1:4] != b"\0\0\0":
            raise ValueError(f"unrecognized stream: {self._header[0]}")
        self._header = b""


def demultiplex(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(stream, bytes) of a whole multiplexed body."""
    demultiplexer = Demultiplexer()
    for piece in pieces:
        yield from demultiplexer.feed(piece)
