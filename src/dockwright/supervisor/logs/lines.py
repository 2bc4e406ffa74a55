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
        pieces, rest = _whole_lines(self.rest + data)
        if pieces and len(max(pieces, key=len)) > PIECE + 1:
            pieces = [part for line in pieces for part in ((line,) if len(line) <= PIECE + 1 else _parts(line))]
        while len(rest) >= PIECE:
            pieces.append(rest[:PIECE])
            rest = rest[PIECE:]
        self.rest = rest
        return pieces

    def finish(self) -> list[bytes]:
        """The last, unfinished line."""
        rest, self.rest = self.rest, b""
        return [rest] if rest else []


def _whole_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """The lines, each with its newline, and what comes after the last one."""
    if b"\r" in data:  # which `splitlines` takes for an end, too
        *lines, rest = data.split(b"\n")
        return [line + b"\n" for line in lines], rest
    lines = data.splitlines(True)
    rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    return lines, rest


def _parts(line: bytes) -> list[bytes]:
    return [line[i : i + PIECE] for i in range(0, len(line), PIECE)]
