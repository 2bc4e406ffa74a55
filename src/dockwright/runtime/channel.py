"""How init talks to whoever made it: one pipe up with framed reports, one descriptor down with single bytes.

A report is a u32 length and a marshal body. The pipe's end without a report means that execve(2) has happened: the
descriptor is close-on-exec.
"""

from __future__ import annotations

import marshal
import os
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LENGTH = Struct("=I")
LIMIT = 1 << 20  # bytes of one report: it comes from a process that is about to run foreign code


def send(fd: int, report: dict[str, Any]) -> None:
    """Write one report."""
    body = marshal.dumps(report, 4)
    os.write(fd, _LENGTH.pack(len(body)) + body)


def receive(fd: int) -> dict[str, Any] | None:
    """Read one report; None at the end.

    Raises:
        ValueError: it is longer than LIMIT or broken off.
    """
    head = _exactly(fd, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > LIMIT:
        raise ValueError(f"report of {length} bytes from init")
    report: dict[str, Any] = marshal.loads(_exactly(fd, length))
    return report


def _exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(fd, count - len(data))
        if not piece:
            if data:
                raise ValueError("init broke off in the midst of a report")
            return b""
        data += piece
    return data


def await_go(fd: int) -> None:
    """Wait for one byte; an end instead means that our maker has gone: leave without a trace."""
    if not os.read(fd, 1):
        os._exit(1)


def go(fd: int) -> None:
    """Let the other side go on."""
    os.write(fd, b"g")
