"""TLS under a connection: both directions end alone, and who does not speak TLS is told so."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests import certificates

from dockwright.api.secured import Secured
from dockwright.base.tls import TlsEnd, reason

PATIENCE = 30


def authority(folder: Path) -> Any:
    return certificates.Authority(folder)


class Repeats(asyncio.Protocol):
    """Says again what it has heard, once it has heard the end."""

    def __init__(self) -> None:
        self.heard, self.lost = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> bool:
        self.transport.write(self.heard)
        self.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class Client:
    """The other side, on a bare socket."""

    def __init__(self, end: TlsEnd, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.end, (self.reader, self.writer) = end, streams

    async def shake(self) -> None:
        self.end.receive()
        while not self.end.ready:
            self.writer.write(self.end.take())
            self.end.receive(await self.reader.read(1 << 16))
        self.writer.write(self.end.take())

    async def rest(self) -> bytes:
        """All that comes until the farewell, which has to come."""
        text = b""
        while not self.end.ended:
            data = await self.reader.read(1 << 16)
            assert data, "cut off"
            text += self.end.receive(data)
        return text


def served(folder: Path, work: Callable[[Client], Awaitable[None]]) -> list[Repeats]:
    """Let a client work with Secured connections to `Repeats`; returns these."""
    signer = authority(folder)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(*signer.sign("server"))
    made: list[Repeats] = []

    def repeats() -> Repeats:
        made.append(Repeats())
        return made[-1]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: Secured(ours, repeats), "127.0.0.1", 0) as server:
            end = TlsEnd(ssl.create_default_context(cafile=signer.path), server=False, name="localhost")
            client = Client(end, await asyncio.open_connection(*server.sockets[0].getsockname()))
            async with asyncio.timeout(PATIENCE):
                await work(client)
            client.writer.close()

    asyncio.run(run())
    return made


def test_a_direction_ends_by_farewell(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192

    async def work(client: Client) -> None:
        await client.shake()
        client.end.send(data)
        client.end.finish()
        client.writer.write(client.end.take())
        assert await client.rest() == data

    assert [one.heard for one in served(tmp_path, work)] == [data]


def test_a_socket_closed_without_farewell_is_an_end_too(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.shake()
        client.end.send(b"hello")
        client.writer.write(client.end.take())
        client.writer.write_eof()
        assert await client.rest() == b"hello"

    served(tmp_path, work)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_plain_http_is_told_however_it_comes(tmp_path: Path, size: int) -> None:
    async def work(client: Client) -> None:
        request = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
        for begin in range(0, len(request), size):
            client.writer.write(request[begin : begin + size])
            await client.writer.drain()
            await asyncio.sleep(0)
        said = await client.reader.read()
        assert said == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

    assert served(tmp_path, work) == []


def test_noise_is_answered_with_an_alert(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.writer.write(b"\x16\x03\x01\x00\x05noise")
        said = await client.reader.read()
        assert said[0] == 21  # an alert, RFC 8446 section 6

    assert served(tmp_path, work) == []


def test_a_connection_that_is_meddled_with_is_cut(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.shake()
        client.end.send(b"hello")
        record = bytearray(client.end.take())
        record[-1] ^= 1
        client.writer.write(record)
        with pytest.raises((ConnectionError, AssertionError, ssl.SSLError)):
            await client.rest()

    assert all(one.heard == b"" and one.lost for one in served(tmp_path, work))


def test_why_a_daemon_is_not_trusted(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.end = TlsEnd(ssl.create_default_context(), server=False, name="localhost")
        with pytest.raises(ssl.SSLError) as caught:
            await client.shake()
        assert reason(caught.value) == "tls: failed to verify certificate: x509: certificate signed by unknown authority"

    served(tmp_path, work)
