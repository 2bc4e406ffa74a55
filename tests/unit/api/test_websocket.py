"""WebSocket frames, in whatever pieces they come."""

import asyncio
import random

import pytest

from dockwright.api.errors import ClientGone
from dockwright.api.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocket, frame, handshake
from dockwright.base.errors import InvalidParameter


class Wire:
    """A hijacked stream that gives `pieces` and keeps what is written."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces, self.sent, self.closed = pieces, b"", False

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def masked(kind: int, data: bytes, fin: bool = True, mask: bytes = b"\x01\x80\x7f\xff") -> bytes:
    head = bytearray(frame(kind, data)[: len(frame(kind, data)) - len(data)])
    head[1] |= 128
    if not fin:
        head[0] &= 127
    return bytes(head) + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def everything(pieces: list[bytes]) -> tuple[bytes, Wire]:
    wire = Wire(pieces)

    async def read() -> bytes:
        socket, found = WebSocket(wire), b""  # type: ignore[arg-type]
        while data := await socket.read():
            found += data
        return found

    return asyncio.run(read()), wire


def test_the_handshake_of_the_rfc() -> None:
    fields = {"upgrade": "WebSocket", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13"}
    assert handshake(fields)["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    for missing in fields:
        with pytest.raises(InvalidParameter):
            handshake({name: value for name, value in fields.items() if name != missing})


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_heads_of_frames(size: int) -> None:
    data = bytes(size)
    sent = frame(BINARY, data)
    assert sent.endswith(data)
    assert len(sent) - size == (2 if size < 126 else 4 if size < 65536 else 10)


@pytest.mark.parametrize("seed", range(5))
def test_messages_cut_anywhere(seed: int) -> None:
    chance = random.Random(seed)
    parts = [chance.randbytes(chance.choice((0, 1, 5, 125, 126, 300, 70000))) for _ in range(12)]
    data = masked(TEXT, parts[0], fin=False) + b"".join(masked(CONTINUATION, part) for part in parts[1:])
    pieces = []
    while data:
        size = chance.randrange(1, 5000)
        pieces.append(data[:size])
        data = data[size:]
    assert everything(pieces)[0] == b"".join(parts)


def test_pings_are_answered_in_between_and_a_close_ends_it() -> None:
    data = masked(BINARY, b"a") + masked(PING, b"there?") + masked(BINARY, b"b")
    found, wire = everything([data + masked(CLOSE, b"\x03\xe8bye") + masked(BINARY, b"c")])
    assert found == b"ab"
    assert wire.sent == frame(PONG, b"there?") + frame(CLOSE, b"\x03\xe8")


@pytest.mark.parametrize("bad", [frame(BINARY, b"unmasked"), bytes((0xC2, 0x80)) + bytes(4), masked(PING, bytes(126))])
def test_what_is_no_clients_frame_is_refused(bad: bytes) -> None:
    found, wire = everything([bad])
    assert found == b""
    assert wire.sent == frame(CLOSE, (1002).to_bytes(2, "big"))


def test_nothing_is_sent_after_a_close() -> None:
    wire = Wire([masked(CLOSE, b"")])
    socket = WebSocket(wire)  # type: ignore[arg-type]

    async def talk() -> None:
        await socket.read()
        socket.write(b"late")
        await socket.drain()

    with pytest.raises(ClientGone):
        asyncio.run(talk())
    socket.close()
    assert wire.sent == frame(CLOSE, b"")
    assert wire.closed
