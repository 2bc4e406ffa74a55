"""A hijacked connection that speaks WebSocket: binary messages out, messages of any kind in (RFC 6455)."""

import base64
import hashlib

from dockwright.api.answers import Fields
from dockwright.api.errors import ClientGone
from dockwright.api.stream import HijackedStream
from dockwright.base.errors import InvalidParameter

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, PROTOCOL_ERROR = 1000, 1002


def handshake(fields: Fields) -> Fields:
    """The fields of the answer that accepts a handshake (section 4.2.2).

    Args:
        fields: of the request, by lower-case name.

    Raises:
        InvalidParameter: it is none.
    """
    key = fields.get("sec-websocket-key", "")
    if fields.get("upgrade", "").lower() != "websocket" or not key:
        raise InvalidParameter("not websocket protocol")
    if fields.get("sec-websocket-version") != "13":
        raise InvalidParameter("missing or bad WebSocket Version")
    digest = hashlib.sha1(f"{key}{_GUID}".encode()).digest()
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": base64.b64encode(digest).decode()}


def frame(kind: int, data: bytes) -> bytes:
    """One unmasked frame, as servers send them (section 5.2)."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | kind, size))
    elif size < 1 << 16:
        head = bytes((0x80 | kind, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 127)) + size.to_bytes(8, "big")
    return head + data


class WebSocket:
    """What a Session is run on, in place of the bare stream."""

    def __init__(self, stream: HijackedStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._left, self._kind, self._mask = 0, 0, b""  # of the frame whose payload is coming
        self._over = False

    async def read(self) -> bytes:
        """The next bytes of the client's messages; b"" when it has closed, or is gone."""
        while not self._over:
            if data := self._payload():
                return data
            if not self._over and not self._begin():
                data = await self._stream.read()
                self._over = not data
                self._buffer += data
        return b""

    def _begin(self) -> bool:
        """Take a frame's head from the buffer, if it is there; control frames are dealt with at once."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, at = buffer[1] & 127, 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(buffer[2 : 2 + wide], "big"), 2 + wide
        if len(buffer) < at + 4:
            return False
        kind = buffer[0] & 15
        control = kind >= CLOSE
        if not buffer[1] & 128 or buffer[0] & 0x70 or (control and size > 125):
            self._refuse()
            return True
        if control and len(buffer) < at + 4 + size:
            return False
        self._kind, self._left, self._mask = kind, size, bytes(buffer[at : at + 4])
        del buffer[: at + 4]
        if control:
            self._control(self._taken(size))
        return True

    def _payload(self) -> bytes:
        """What has come of the current message."""
        return self._taken(min(self._left, len(self._buffer)))

    def _taken(self, size: int) -> bytes:
        """The next `size` bytes of the payload, unmasked."""
        if not size:
            return b""
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._left -= size
        mask = (self._mask * (size // 4 + 1))[:size]
        self._mask = self._mask[size % 4 :] + self._mask[: size % 4]
        return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")

    def _control(self, data: bytes) -> None:
        if self._kind == PING:
            self._stream.write(frame(PONG, data))
        elif self._kind == CLOSE:
            self._stream.write(frame(CLOSE, data[:2]))
            self._over = True

    def _refuse(self) -> None:
        """What comes is no frame of a client's."""
        self._stream.write(frame(CLOSE, PROTOCOL_ERROR.to_bytes(2, "big")))
        self._over = True

    def write(self, data: bytes) -> None:
        """Queue a message."""
        if data and not self._over:
            self._stream.write(frame(BINARY, data))

    async def drain(self) -> None:
        """Wait until the client has taken what was written, but for a bounded rest.

        Raises:
            ClientGone: it has hung up, or closed.
        """
        if self._over:
            raise ClientGone("the client has closed its WebSocket")
        await self._stream.drain()

    def write_eof(self) -> None:
        """Nothing: a WebSocket is closed as a whole."""

    def close(self) -> None:
        """Say goodbye and close."""
        if not self._over:
            self._stream.write(frame(CLOSE, NORMAL.to_bytes(2, "big")))
            self._over = True
        self._stream.close()
