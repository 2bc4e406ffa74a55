"""Frames between daemon, zygote and shim: u32 length, u16 version, u16 zero, then a marshal body (a dict).

marshal is what a forked Python has without importing anything; both sides are the same interpreter, and every length is
checked before it is believed (CVE-2021-43784). Only these processes can open the sockets: 0600 in a 0700 directory.
"""

from __future__ import annotations

import _socket
import marshal
import os
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

VERSION = 1
OLDEST = 1
HEADER = Struct("=IHH")
LIMIT = 16 << 20  # bytes of one body: a spec with 10,000 mounts is 2 MiB
MAX_DESCRIPTORS = 4


class FrameError(ValueError):
    """The other side does not speak our language; the connection is of no more use."""


def encode(message: Message) -> bytes:
    """A message as one frame."""
    body = marshal.dumps(message, 4)
    if len(body) > LIMIT:
        raise FrameError(f"frame of {len(body)} bytes")
    return HEADER.pack(len(body), VERSION, 0) + body


class Decoder:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """The messages completed by `data`.

        Raises:
            FrameError: a length, version or body that cannot be.
        """
        self._rest += data
        messages = []
        while len(self._rest) >= HEADER.size:
            length, version, _ = HEADER.unpack_from(self._rest)
            if length > LIMIT or not OLDEST <= version <= VERSION:
                raise FrameError(f"frame of {length} bytes, version {version}")
            if len(self._rest) < HEADER.size + length:
                break
            messages.append(_body(self._rest[HEADER.size : HEADER.size + length]))
            self._rest = self._rest[HEADER.size + length :]
        return messages

    def take_rest(self) -> bytes:
        """What follows the last message, when the connection leaves frames behind."""
        rest, self._rest = self._rest, b""
        return rest


def _body(data: bytes) -> Message:
    try:
        message = marshal.loads(data)
    except (ValueError, EOFError, TypeError) as error:
        raise FrameError(f"bad frame: {error}") from None
    if not isinstance(message, dict):
        raise FrameError("a frame holds a dict")
    return message


def send_descriptors(sock: _socket.socket, message: Message, fds: tuple[int, ...]) -> None:
    """Send a frame with descriptors beside it (SCM_RIGHTS, unix(7)), at most MAX_DESCRIPTORS."""
    data = encode(message)
    packed = b"".join([fd.to_bytes(4, "little" if _little() else "big") for fd in fds])
    sent = sock.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if fds else [])
    if sent < len(data):
        sock.sendall(data[sent:])


def receive_descriptors(sock: _socket.socket, size: int = 1 << 16) -> tuple[bytes, list[int]]:
    """recvmsg(2): bytes and the descriptors that came with them, close-on-exec."""
    data, ancillary, _, _ = sock.recvmsg(size, _socket.CMSG_SPACE(4 * MAX_DESCRIPTORS), _socket.MSG_CMSG_CLOEXEC)
    fds = []
    for level, kind, payload in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds += [
                int.from_bytes(payload[i : i + 4], "little" if _little() else "big")
                for i in range(0, len(payload) - 3, 4)
            ]
    return data, fds


def _little() -> bool:
    import sys

    return sys.byteorder == "little"


def close_all(fds: list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
