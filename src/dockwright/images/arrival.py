"""A blob on its way in from elsewhere: one file that grows, is hashed as it grows, and is read at the same time.

The file is the buffer between the network and the unpacker: a slow disk or processor holds no download up, memory does not
grow with a layer, and what came before a connection broke, or before the daemon was killed, is there for the next try.
"""

import asyncio
import errno
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dockwright.base.errors import InvalidParameter
from dockwright.images.bridge import Bridge, across
from dockwright.images.content import COMING, PATIENCE, SHA256, Blob, checked
from dockwright.images.inflate import CHUNK
from dockwright.images.pipeline import Stopped
from dockwright.images.room import Room
from dockwright.images.works import Reports, Work, Works

AT_ONCE = 16  # downloads that may be written at the same time
DOWNLOADING, VERIFYING, DOWNLOADED = "Downloading", "Verifying Checksum", "Download complete"


class Arrival:
    """One blob that is coming.

    Attributes:
        digest, size: what it will be. path: its file. offset: bytes that are here: where a broken download goes on.
        reports: who hears of it; `fetch` may tell them statuses of its own ("Waiting", "Retrying in 5 seconds").
        begun: set when the first byte is here.
    """

    def __init__(self, path: str, digest: str, size: int, pool: ThreadPoolExecutor) -> None:
        self.path, self.digest, self.size, self._pool = path, digest, size, pool
        self.reports = Reports()
        self.begun = asyncio.Event()
        self.offset = 0
        self._sha = hashlib.sha256()
        self._changed = threading.Condition()
        self._over = False
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._room = Room(self._fd)

    async def resume(self) -> None:
        """Take in what an earlier try has left."""
        await asyncio.to_thread(self._rehash)
        if self.offset:
            self.begun.set()

    def _rehash(self) -> None:
        if os.fstat(self._fd).st_size > self.size:
            os.ftruncate(self._fd, 0)
        while data := os.pread(self._fd, CHUNK, self.offset):
            self._sha.update(data)
            self.offset += len(data)

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Append bytes; after a broken connection it is called once more, with the bytes from `offset` on.

        Raises:
            InvalidParameter: more than `size` bytes. OSError: the disk is full. What `pieces` raises.
        """
        await across(self._pool, self._started(pieces), self._take)

    async def _started(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
            self.begun.set()

    def _take(self, bridge: Bridge) -> None:
        """In a thread: hash, write, let readers go on."""
        while data := bridge.read(CHUNK):
            if self.offset + len(data) > self.size:
                raise InvalidParameter(f"blob {self.digest}: more than the {self.size} bytes it is said to have")
            self._room.take(len(data))
            self._sha.update(data)
            view, at = memoryview(data), self.offset
            while len(view):
                done = os.pwrite(self._fd, view, at)
                view, at = view[done:], at + done
            with self._changed:
                self.offset = at
                self._changed.notify_all()
            self.reports(DOWNLOADING, at, self.size)

    def finish(self) -> Blob:
        """All has come.

        Raises:
            InvalidParameter: it is something else; then its file is gone, and the next try begins afresh.
        """
        self.reports(VERIFYING)
        if self.offset != self.size or SHA256 + self._sha.hexdigest() != self.digest:
            self.discard()
            raise InvalidParameter(f"filesystem layer verification failed for digest {self.digest}")
        self.end()
        self.reports(DOWNLOADED)
        return Blob(self.path, self.size, self.digest)

    def discard(self) -> None:
        """Throw away what has come."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass  # placed in the store, or discarded before

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody reads it any more."""
        self.end()
        os.close(self._fd)

    def reader(self) -> "Following":
        """Its bytes from the first one on, as they come."""
        return Following(self)

    def wait_beyond(self, at: int, wanted: Callable[[], bool]) -> int:
        """In a reader's thread: how much is here once it is more than `at`, or no more will come, or nobody wants it."""
        with self._changed:
            self._changed.wait_for(lambda: self.offset > at or self._over or not wanted())
            return self.offset

    def wake(self) -> None:
        """Let readers look whether they are still wanted."""
        with self._changed:
            self._changed.notify_all()

    def read_at(self, size: int, at: int) -> bytes:
        """Bytes that are here."""
        return os.pread(self._fd, size, at)


class Following:
    """A source that follows an arrival."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival, self._at, self._left = arrival, 0, False

    def read(self, size: int) -> bytes:
        """The next bytes, b"" after the last.

        Raises:
            Stopped: nobody wants them any more, or no more will come although some are missing.
        """
        there = self._arrival.wait_beyond(self._at, lambda: not self._left)
        if self._left or (there == self._at and there < self._arrival.size):
            raise Stopped
        data = self._arrival.read_at(min(size, there - self._at), self._at)
        self._at += len(data)
        return data

    def leave(self) -> None:
        """From any thread: end a `read` that waits."""
        self._left = True
        self._arrival.wake()


@dataclass(frozen=True)
class Remote:
    """A blob that is not here.

    Attributes:
        digest, size: by its descriptor. fetch: brings it, by `Arrival.fill`, and returns when all of it has come. It may be
            awaited by several pulls and go on when the one that gave it has ended, so it holds what it needs by itself.
    """

    digest: str
    size: int
    fetch: Callable[[Arrival], Awaitable[None]]


Coming = Work[Arrival, Blob]


class Arrivals:
    """All blobs that are coming, below `directory`: each is brought once, whoever wants it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pool = ThreadPoolExecutor(AT_ONCE, "arrival")
        self._works: Works[Arrival, Blob] = Works()

    def join(self, remote: Remote) -> Coming:
        """Want a blob; ends with `leave`. Raises OSError: no file can be made."""
        arrival = self._works.subject(remote.digest)
        if arrival is None:
            path = f"{self._directory}/{COMING}{checked(remote.digest)[len(SHA256) :]}"
            arrival = Arrival(path, remote.digest, remote.size, self._pool)
        return self._works.join(remote.digest, arrival, lambda arrival: self._bring(remote, arrival))

    async def _bring(self, remote: Remote, arrival: Arrival) -> Blob:
        try:
            await arrival.resume()
            if arrival.offset < arrival.size:
                await remote.fetch(arrival)
            return arrival.finish()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                arrival.discard()
            raise
        finally:
            arrival.end()
            arrival.begun.set()

    async def leave(self, work: Coming) -> None:
        """Want it no longer. What came stays for another try."""
        try:
            await self._works.leave(work)
        finally:
            if not work.watchers:
                work.subject.close()

    def clean(self, everything: bool = False) -> int:
        """Let go of what nobody came back for, or of all that is not just coming; returns the bytes that frees."""
        freed = 0
        for name in os.listdir(self._directory):
            path, digest = f"{self._directory}/{name}", SHA256 + name.removeprefix(COMING)
            if name.startswith(COMING) and self._works.subject(digest) is None:
                there = os.stat(path)
                if everything or there.st_mtime + PATIENCE < time.time():
                    os.unlink(path)
                    freed += there.st_blocks * 512
        return freed
