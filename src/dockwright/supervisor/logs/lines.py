"""Cutting a stream into log pieces: at newlines, and at 16 KiB; a piece without its newline lacks the `\\n`.

Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

PIECE = 16 * 1024


class Lines:
    """Cuts one stream.

    Attributes:
        rest: the unfinished line so far.
    """

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that `data` completes: lines, and 16 KiB parts of longer ones."""
        *lines, rest = (self.rest + data).split(b"\n")
        pieces: list[bytes] = []
        for line in lines:
            if len(line) <= PIECE:
                pieces.append(line + b"\n")
            else:
                pieces += _parts(line + b"\n")
        while len(rest) >= PIECE:
            pieces.append(rest[:PIECE])
            rest = rest[PIECE:]
        self.rest = rest
        return pieces

    def finish(self) -> list[bytes]:
        """The last, unfinished line."""
        rest, self.rest = self.rest, b""
        return [rest] if rest else []


def _parts(line: bytes) -> list[bytes]:
    return [line[i : i + PIECE] for i in range(0, len(line), PIECE)]
