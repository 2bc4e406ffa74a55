"""Sources between a stream and its unpacker: counted, hashed, read ahead in a thread, stopped from outside."""

import hashlib
import queue
import threading
from collections.abc import Callable

from dockwright.images.inflate import CHUNK, Source

DEEP = 4  # chunks read ahead: what bounds the memory of one layer


class Stopped(Exception):
    """Whoever wanted the bytes has gone."""


class Counted:
    """A source that tells how far it is, and ends when `stop` is set."""

    def __init__(self, source: Source, stop: threading.Event, report: Callable[[int], None] | None = None) -> None:
        self._source, self._stop, self._report = source, stop, report
        self._count = 0

    def read(self, size: int) -> bytes:
        """Read on.

        Raises:
            Stopped: from outside.
        """
        if self._stop.is_set():
            raise Stopped
        data = self._source.read(size)
        self._count += len(data)
        if self._report:
            self._report(self._count)
        return data


class Hashed:
    """A source that knows the digest of what was read from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sha = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Read and hash."""
        data = self._source.read(size)
        self._sha.update(data)
        return data

    @property
    def digest(self) -> str:
        """`sha256:...` of all so far."""
        return f"sha256:{self._sha.hexdigest()}"


class Ahead:
    """A source read by a thread of its own: inflating and hashing release the interpreter's lock, so both go on while the
    unpacker makes files. Leave the context before the source is closed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(DEEP)
        self._left = False
        self._rest: bytes | None = b""
        self._thread = threading.Thread(target=self._work, name="layer-ahead", daemon=True)

    def __enter__(self) -> "Ahead":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()

    def _work(self) -> None:
        data: bytes | BaseException = b"?"
        while data and not self._left and not isinstance(data, BaseException):
            try:
                data = self._source.read(CHUNK)
            except BaseException as error:  # noqa: BLE001 -- it is raised again where the bytes are wanted
                data = error
            self._queue.put(data)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end; raises what the source raised."""
        if self._rest is None:
            return b""
        if not self._rest:
            found = self._queue.get()
            if isinstance(found, BaseException):
                raise found
            if not found:
                self._rest = None
                return b""
            self._rest = found
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
