"""A request's body as it arrives, with backpressure and a limit on silence."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

from dockwright.api.encoding import JSON_LIMIT, check_content_type, decode
from dockwright.base.errors import InvalidParameter, TooLarge

T = TypeVar("T")

STALL_SECONDS = 60.0
HIGH_WATER = 1 << 20


class Source(Protocol):
    """Who brings the bytes: the connection."""

    def hold(self) -> None:
        """Stop reading from the socket."""

    def release(self) -> None:
        """Read on."""


class Body:
    """The bytes of one request; filled by the connection, read by the handler."""

    def __init__(self, source: Source, content_type: str, on_first_read: Callable[[], None] | None) -> None:
        self.content_type = content_type
        self.complete = False
        self._source = source
        self._on_first_read = on_first_read
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        """Take what has arrived; too much unread makes the connection stop reading."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER:
            self._source.hold()
        self._wake()

    def finish(self) -> None:
        """The body is whole."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """The body will not come: the client is gone, or what it sends is no HTTP."""
        if not self.complete:
            self._error = error
            self._wake()

    @property
    def empty(self) -> bool:
        """Whether the request has no body at all, as far as its head says."""
        return self.complete and not self._pieces

    async def read(self) -> bytes:
        """The next piece, b"" at the end.

        Raises:
            ClientGone, InvalidParameter: it broke off, or stalled for a minute.
        """
        if self._on_first_read:
            self._on_first_read()
            self._on_first_read = None
        while not self._pieces:
            if self.complete:
                return b""
            if self._error:
                raise self._error
            await self._pause()
        data = self._pieces.popleft()
        self._size -= len(data)
        if self._size <= HIGH_WATER:
            self._source.release()
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    async def whole(self, limit: int = JSON_LIMIT) -> bytes:
        """All of it.

        Raises:
            TooLarge: more than `limit` bytes.
        """
        pieces, size = [], 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                raise TooLarge("http: request body too large")
            pieces.append(data)
        return b"".join(pieces)

    async def kept(self, limit: int = JSON_LIMIT) -> bytes:
        """All of it, which is there to be read all the same.

        Raises:
            TooLarge: more than `limit` bytes.
        """
        data = await self.whole(limit)
        if data:
            self.feed(data)
        return data

    async def text(self) -> bytes:
        """The bytes of a request that needs a JSON document.

        Raises:
            InvalidParameter: not JSON by its type.
        """
        if not self.empty or self.content_type:
            check_content_type(self.content_type)
        return await self.whole()

    async def json(self, kind: type[T]) -> T:
        """The JSON document of a request that needs one, as a `kind`.

        Raises:
            InvalidParameter: not JSON by its type, no JSON, or another shape.
        """
        return decode(await self.text(), kind)

    async def _pause(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._waiter, STALL_SECONDS)
        except TimeoutError:
            raise InvalidParameter(f"request body stalled for {STALL_SECONDS:.0f} seconds") from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
