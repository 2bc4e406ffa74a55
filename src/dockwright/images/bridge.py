"""From the event loop to a worker thread: a request's body as a blocking source, with backpressure."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dockwright.images.pipeline import Stopped
from dockwright.images.workers import in_threads

T = TypeVar("T")

FULL = 4 << 20  # bytes waiting for the thread


class Bridge:
    """Filled by a coroutine, read by one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._room = asyncio.Event()

    async def fill(self, body: AsyncIterator[bytes]) -> None:
        """Bring the whole body across. What it raises is raised in the thread, too."""
        try:
            async for piece in body:
                self._put(piece)
                while self._size > FULL and not self._ended:
                    self._room.clear()
                    await self._room.wait()
        except BaseException as error:
            self._error = error
            raise
        finally:
            self.end()

    def _put(self, piece: bytes) -> None:
        with self._changed:
            self._pieces.append(piece)
            self._size += len(piece)
            self._changed.notify()

    def abort(self) -> None:
        """Nobody wants it any more: the thread's next read fails."""
        self._error = self._error or Stopped()
        with self._changed:
            self._pieces.clear()
        self.end()

    def end(self) -> None:
        """No more will come, or no more is wanted."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._room.set()

    def read(self, size: int) -> bytes:
        """In the thread: the next bytes, at most `size`; b"" at the end."""
        with self._changed:
            while not self._pieces and not self._ended:
                self._changed.wait()
            if not self._pieces:
                if self._error:
                    raise self._error
                return b""
            data = self._gathered(size)
        if self._size <= FULL:
            self._loop.call_soon_threadsafe(self._room.set)
        return data

    def _gathered(self, size: int) -> bytes:
        pieces = [self._pieces.popleft()]
        total = len(pieces[0])
        while self._pieces and total + len(self._pieces[0]) <= size:
            pieces.append(self._pieces.popleft())
            total += len(pieces[-1])
        data = b"".join(pieces)
        if len(data) > size:
            self._pieces.appendleft(data[size:])
            data = data[:size]
        self._size -= len(data)
        return data


async def across(pool: ThreadPoolExecutor, body: AsyncIterator[bytes], work: Callable[[Bridge], T]) -> T:
    """`work` on a body in a thread of `pool`, while the body comes in.

    Raises:
        what `work` raises, or what `body` raised, which `work` meets when it reads on.
    """
    bridge = Bridge()
    filling = asyncio.ensure_future(bridge.fill(body))
    try:
        return (await in_threads(pool, bridge.abort, [lambda: work(bridge)]))[0]
    finally:
        bridge.abort()
        filling.cancel()
        await asyncio.wait([filling])
        if not filling.cancelled():
            filling.exception()  # it has been raised in the thread already
