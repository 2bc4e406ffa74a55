"""A hijacked connection: bytes both ways, each direction ended on its own."""

import asyncio
from collections import deque
from typing import Protocol

from dockwright.api.errors import ClientGone

HIGH_WATER = 256 * 1024


class Wire(Protocol):
    """What a stream needs of its connection."""

    def hold(self) -> None:
        """Stop reading from the socket."""

    def release(self) -> None:
        """Read on."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the client."""

    async def drain(self) -> None:
        """Wait until the client has taken enough of them."""

    def half_close(self) -> None:
        """Send no more."""

    def close(self) -> None:
        """Close both directions after what is queued."""


class HijackedStream:
    """What a Session of the containers room is run on.

    Attributes:
        lost: the client is gone; nothing written arrives any more.
    """

    def __init__(self, wire: Wire, early: bytes, ended: bool) -> None:
        self.lost = False
        self._wire = wire
        self._pieces: deque[bytes] = deque([early] if early else [])
        self._size = len(early)
        self._ended = ended
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """The client's next bytes; b"" when it has closed its side or is gone."""
        while not self._pieces:
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._pieces.popleft()
        self._size -= len(data)
        if self._size <= HIGH_WATER:
            self._wire.release()
        return data

    def write(self, data: bytes) -> None:
        """Queue `data` for the client; dropped if it is gone."""
        if not self.lost:
            self._wire.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken what was written, but for a bounded rest.

        Raises:
            ClientGone: it has hung up (a ConnectionResetError).
        """
        if self.lost:
            raise ClientGone("the client is gone")
        await self._wire.drain()

    def write_eof(self) -> None:
        """Half-close: the client sees the end of the output and may still send."""
        if not self.lost:
            self._wire.half_close()

    def close(self) -> None:
        """Close the connection after what is queued."""
        self._wire.close()

    def feed(self, data: bytes) -> None:
        """The connection's: bytes have come."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER:
            self._wire.hold()
        self._wake()

    def feed_eof(self, lost: bool = False) -> None:
        """The connection's: the client has closed its side (`lost`: both)."""
        self._ended = True
        self.lost = self.lost or lost
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
