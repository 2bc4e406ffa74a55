"""Making the layers of an image out of blobs: claimed by rows, unpacked in worker threads, verified, then there.

A blob may be here, or on its way (`arrival`): it is unpacked as it comes. A layer that several images want at the same time is
made once. The lock `turn` is held for as long as rows are claimed, or made into an image, never while bytes come.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from dockwright.base.errors import InvalidParameter
from dockwright.base.ids import new_id
from dockwright.images import blobrows, store
from dockwright.images.arrival import Arrival, Arrivals, Remote
from dockwright.images.content import Blob, Content
from dockwright.images.inflate import Inflater, Source, opened
from dockwright.images.pipeline import Ahead, Counted, Hashed
from dockwright.images.recipe import Recorder
from dockwright.images.snapshotters import Snapshotter
from dockwright.images.trash import Trash
from dockwright.images.unpack import Unpacker
from dockwright.images.workers import in_threads
from dockwright.images.works import Report, Reports, Work, Works
from dockwright.kernel.sync import syncfs
from dockwright.metadata import Database, references

WORKERS = 4  # layers unpacked at once: more only wait for the interpreter's lock and the disk
SMALL = 1 << 20  # bytes of a blob that is not worth a thread of its own
EXTRACTING, COMPLETE, EXISTS, WANTED = "Extracting", "Pull complete", "Already exists", "Pulling fs layer"


@dataclass(frozen=True)
class Part:
    """One layer to be made: what it will be, and the bytes it is made of.

    Attributes:
        index: which of its image's layers it is, for a message. trusted: the blob's digest is or will be computed from its
            bytes by this process. report: hears how it goes.
    """

    index: int

    chain: str
    parent: str
    diff: str
    blob: Blob | Remote
    trusted: bool = True
    report: Report = lambda status, current, total: None


@dataclass(frozen=True)
class Unpacked:
    """A layer that is there: bytes of its files, and the blob that holds it, if that was kept."""

    size: int
    blob: Blob | None


class WrongDiff(InvalidParameter):
    """A layer's bytes are not those its image's config names."""


class _Layer:
    """A layer that is being made."""

    def __init__(self, key: str, part: Part, parent_key: str) -> None:
        self.key, self.part, self.parent_key = key, part, parent_key
        self.directory = ""
        self.reports = Reports()


_Making = Work[_Layer, Unpacked]


@dataclass
class _Claim:
    """One part's row: the snapshot's key, and either what is there or what has to be made."""

    part: Part
    key: str
    there: Unpacked | None = None
    layer: _Layer | None = None


@dataclass
class Lease:
    """What protects rows, and the work under way for whoever holds it."""

    id: str
    works: list[_Making] = field(default_factory=list)


class Assembler:
    """Makes and unmakes image layers.

    Args:
        keep_blobs: `keeps_blobs`; else a layer is kept unpacked only, with a recipe of its tar, where it can be made of that.
    """

    def __init__(
        self, database: Database, driver: Snapshotter, content: Content, trash: Trash, keep_blobs: bool = True
    ) -> None:
        self._database, self._driver, self._content, self._trash = database, driver, content, trash
        self.keeps_blobs = keep_blobs
        self.arrivals = Arrivals(content.ingests)
        self._pool = ThreadPoolExecutor(WORKERS, "unpack")
        self._making = ThreadPoolExecutor(1, "prepare")
        self._works: Works[_Layer, Unpacked] = Works()
        self.turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """Rows are protected; at the end work nobody else wants is ended, and what nobody else refers to removed."""
        lease = Lease(new_id())
        try:
            yield lease
        finally:
            await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        try:
            for work in lease.works:
                await self._works.leave(work)
        finally:
            await self._database.write(lambda c: references.drop_owner(c, store.LEASE, lease.id), durable=False)
            await self.settle()

    async def settle(self) -> list[str]:
        """Remove layers and blobs that nobody refers to; returns the chain IDs of the layers."""
        doomed = await self._database.write(lambda c: store.settle(c, self._driver.name))
        await asyncio.to_thread(self._unlink, [key for key, _ in doomed])
        await self._database.write(lambda c: self._forget(c, [key for key, _ in doomed]), durable=False)
        await asyncio.to_thread(self._trash.empty)
        return [chain for _, chain in doomed]

    def settle_now(self, connection: sqlite3.Connection) -> None:
        """The same at start, when no loop runs yet: leases of dead daemons hold nothing."""
        connection.execute("DELETE FROM reference WHERE owner_kind = ?", (store.LEASE,))
        doomed = [key for key, _ in store.settle(connection, self._driver.name)]
        self._unlink(doomed)
        self._forget(connection, doomed)

    def _unlink(self, keys: list[str]) -> None:
        for key in keys:
            self._driver.remove(key)
            self._driver.remove(f"{key}-init")
            self._content.forget_recipe(key)

    def _forget(self, connection: sqlite3.Connection, keys: list[str]) -> None:
        for key in keys:
            connection.execute("DELETE FROM layer WHERE key = ? AND state = 'removing'", (key,))
        self._content.reap(connection)

    async def protect(self, lease: Lease, digests: Sequence[str]) -> None:
        """Keep blobs for as long as `lease` lasts."""
        await self._database.write(lambda c: _leased(c, lease, digests), durable=False)

    async def unpack(self, lease: Lease, parts: Sequence[Part], blobs: Sequence[str] = ()) -> list[Unpacked]:
        """Make those of a chain's layers that are missing, lowest first. They are `creating` until an image is inserted with
        them, and go with the lease if none is.

        Args:
            blobs: digests of others that the lease has to protect.

        Raises:
            InvalidParameter: hostile, broken. WrongDiff: another layer than was said. OSError: from the file system.
            What `fetch` of a blob that is elsewhere raises.
        """
        async with self.turn:
            claims = await self._database.write(lambda c: self._claim(c, lease, parts, blobs), grows=True)
            works = await self._begun(lease, claims)
        results = iter(await asyncio.gather(*(work.result() for work in works)))
        return [claim.there or next(results) for claim in claims]

    def _claim(
        self, connection: sqlite3.Connection, lease: Lease, parts: Sequence[Part], blobs: Sequence[str]
    ) -> list[_Claim]:
        claims: list[_Claim] = []
        for digest in (*blobs, *(part.blob.digest for part in parts)):
            references.add(connection, store.LEASE, lease.id, "blob", digest)
        for part in parts:
            references.add(connection, store.LEASE, lease.id, "layer", part.chain)
            held = self._held(connection, lease, part)
            there = store.unpacked(connection, self._driver.name, part.chain)
            making = self._works.subject(part.chain)
            if there:
                claims.append(_Claim(part, there[0], Unpacked(there[1], held if self._kept(there[0]) else None)))
            elif making:
                claims.append(_Claim(part, making.key, layer=making))
            else:
                part = replace(part, blob=held, trusted=False) if held and isinstance(part.blob, Remote) else part
                layer = _Layer(self._insert(connection, part), part, claims[-1].key if claims else "")
                claims.append(_Claim(part, layer.key, layer=layer))
        return claims

    def _kept(self, key: str) -> bool:
        """Whether the blob of a layer is kept."""
        return self.keeps_blobs or not self._content.has_recipe(key)

    def _held(self, connection: sqlite3.Connection, lease: Lease, part: Part) -> Blob | None:
        """A blob of a layer that is here: the one meant, else one that holds the same tar; now under the lease."""
        if isinstance(part.blob, Blob):
            return part.blob
        digest = blobrows.holding(connection, part.chain, part.blob.digest)
        if not digest:
            return None
        references.add(connection, store.LEASE, lease.id, "blob", digest)
        return self._content.blob(digest)

    def _insert(self, connection: sqlite3.Connection, part: Part) -> str:
        """A row for a new layer; a `creating` one that is there already was left by work that failed."""
        stale = "UPDATE layer SET state = 'removing' WHERE driver = ? AND chain = ? AND state = 'creating'"
        connection.execute(stale, (self._driver.name, part.chain))
        key = new_id()
        row = (key, self._driver.name, part.chain, part.diff, part.parent)
        connection.execute("INSERT INTO layer VALUES (?, ?, ?, ?, ?, 0, 'creating')", row)
        return key

    async def _begun(self, lease: Lease, claims: list[_Claim]) -> list[_Making]:
        """The work on all layers that are not there, begun where nobody does it yet.

        Stacked drivers make them at the same time; with others each is a copy of the last.
        """
        missing = [claim.layer for claim in claims if claim.layer]
        fresh = [layer for layer in missing if self._works.subject(layer.part.chain) is None]
        if self._driver.stacked and fresh:
            await in_threads(self._making, lambda: None, [partial(self._prepare, fresh)])
        works: list[_Making] = []
        for claim in claims:
            if claim.layer is None:
                claim.part.report(EXISTS, 0, 0)
                continue
            claim.part.report(WANTED, 0, 0)
            layer, below = claim.layer, works[-1] if works and not self._driver.stacked else None
            layer.reports.add(claim.part.report)
            works.append(self._works.join(layer.part.chain, layer, partial(self._make, below=below)))
            lease.works.append(works[-1])
        return works

    def _prepare(self, layers: list[_Layer]) -> None:
        for layer in layers:
            layer.directory = self._driver.prepare(layer.key, layer.parent_key)

    async def _make(self, layer: _Layer, below: _Making | None) -> Unpacked:
        """Make one layer, on top of the one that is made `below`."""
        if below:
            await below.result()
        if not layer.directory:
            await in_threads(self._pool, lambda: None, [partial(self._prepare, [layer])])
        if isinstance(layer.part.blob, Remote):
            blob, size, found = await self._arriving(layer, layer.part.blob)
        else:
            blob = layer.part.blob
            size, found = await self._filled(layer, None)
        if (found or blob.digest) != layer.part.diff:
            wrong = f'expected "{layer.part.diff}", got "{found or blob.digest}"'
            raise WrongDiff(f"invalid diffID for layer {layer.part.index}: {wrong}")
        await in_threads(self._making, lambda: None, [partial(self._driver.commit, layer.key)])
        layer.reports(COMPLETE)
        if self._kept(layer.key):
            return Unpacked(size, blob)
        if isinstance(layer.part.blob, Remote):
            self._trash.take(blob.path)
        return Unpacked(size, None)

    async def _arriving(self, layer: _Layer, remote: Remote) -> tuple[Blob, int, str]:
        """Unpack a blob as it comes. What is wrong with the blob is told before what is wrong with its content."""
        work = self.arrivals.join(remote)
        try:
            work.subject.reports.add(layer.reports)
            await work.subject.begun.wait()
            try:
                size, found = await self._filled(layer, work.subject)
            except Exception:
                await work.result()
                raise
            return await work.result(), size, found
        finally:
            await self.arrivals.leave(work)

    async def _filled(self, layer: _Layer, arrival: Arrival | None) -> tuple[int, str]:
        """Unpack in a worker thread; see `_fill`."""
        stop = threading.Event()
        follower = arrival.reader() if arrival else None
        path = layer.part.blob.path if isinstance(layer.part.blob, Blob) else ""

        def end() -> None:
            stop.set()
            if follower:
                follower.leave()

        def fill() -> tuple[int, str]:
            if follower:
                return self._fill(layer, follower, stop)
            with open(path, "rb", buffering=0) as file:
                return self._fill(layer, file, stop)

        return (await in_threads(self._pool, end, [fill]))[0]

    def _fill(self, layer: _Layer, raw: Source, stop: threading.Event) -> tuple[int, str]:
        """In a worker thread: unpack one layer; its size, and its diff ID unless that is its blob's digest (a plain tar's)."""
        part = layer.part
        source = opened(Counted(raw, stop, lambda count: layer.reports(EXTRACTING, count, part.blob.size)))
        packed = isinstance(source, Inflater)
        hashed = Hashed(source) if packed or not part.trusted else None
        wanted = hashed or source
        aside, whiteouts = self._driver.aside(layer.directory), self._driver.whiteouts(layer.directory)
        with contextlib.ExitStack() as stack:
            recorder = None if self.keeps_blobs else stack.enter_context(Recorder(self._content.recipe(layer.key)))
            unpacker = stack.enter_context(Unpacker(layer.directory, aside, whiteouts, recorder))
            if packed and part.blob.size > SMALL:
                with Ahead(wanted) as reading:
                    size = unpacker.all(reading)
            else:
                size = unpacker.all(wanted)
        return size, hashed.digest if hashed else ""

    async def unpack_stored(self, image: str) -> None:
        """Unpack an image of the content store for this driver.

        Raises:
            NotFound: no such image. InvalidParameter: its blobs are not what they were.
        """
        async with self.lease() as lease:
            rows = await self._database.write(lambda c: store.layers(c, image))
            parents = ["", *(row.chain for row in rows)]
            parts = [
                Part(index, row.chain, parent, row.diff, self._content.blob(row.blob), trusted=False)
                for index, (row, parent) in enumerate(zip(rows, parents, strict=False))
            ]
            made = await self.unpack(lease, parts)
            await asyncio.to_thread(syncfs, self._driver.root)
            sizes = [(part.chain, layer.size) for part, layer in zip(parts, made, strict=True)]
            await self._database.write(lambda c: store.ready(c, sizes))


def _leased(connection: sqlite3.Connection, lease: Lease, digests: Sequence[str]) -> None:
    for digest in digests:
        references.add(connection, store.LEASE, lease.id, "blob", digest)
