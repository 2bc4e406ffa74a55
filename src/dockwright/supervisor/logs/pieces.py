"""What a container writes, as a log takes it: pieces of two streams, each with the time of the read it came with.

A piece is a line with its newline; or 16 KiB of a longer one, whose other parts follow; or what was unfinished at the end.
Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

import os

from dockwright.supervisor.logs.lines import PIECE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Sink(Protocol):
        """Where pieces go.

        """

        @property
        def full(self) -> bool:
            """Whether it cannot take more for now, so that the container has to wait."""

        def append(self, stream: str, pieces: list[bytes], now: int) -> None: ...
        def close(self) -> None: ...
        def position(self) -> tuple[int, int] | None: ...
        def reaped(self, pid: int, status: int) -> bool: ...


class Parts:
    """Tells the parts of a long line from whole lines, for one stream."""

    def __init__(self) -> None:
        self._ident, self._ordinal = "", 0

    def next(self, piece: bytes) -> tuple[str, int, bool] | None:
        """None for a whole line; else the line's id, which part of it this is (from 1) and whether it is the last."""
        whole = piece.endswith(b"\n")
        if whole and not self._ordinal:
            return None
        if not self._ordinal:
            self._ident = os.urandom(32).hex()
        self._ordinal += 1
        found = (self._ident, self._ordinal, whole)
        if whole or len(piece) < PIECE:
            self._ordinal = 0
        return found
