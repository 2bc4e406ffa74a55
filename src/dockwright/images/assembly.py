"""Making the layers of an image out of blobs: claimed by rows, unpacked in worker threads, verified, then there."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from dockwright.base.errors import InvalidParameter
from dockwright.base.ids import new_id
from dockwright.images import store
from dockwright.images.content import Blob, Content
from dockwright.images.inflate import LONGEST_MAGIC, compression, opened
from dockwright.images.pipeline import Ahead, Counted, Hashed
from dockwright.images.snapshotters import Snapshotter
from dockwright.images.trash import Trash
from dockwright.images.unpack import Unpacker
from dockwright.images.workers import in_threads
from dockwright.kernel.sync import syncfs
from dockwright.metadata import Database, references

WORKERS = 2  # layers unpacked at once: more only wait for the interpreter's lock and the disk
SMALL = 1 << 20  # bytes of a blob that is not worth a thread of its own

Report = Callable[[int, int], None]  # index of the part, bytes read: called from a worker thread


@dataclass(frozen=True)
class Part:
    """One layer to be made: what it will be, and the bytes it is made of.

    Attributes:
        trusted: the blob's digest was computed from its bytes by this process.
    """

    chain: str
    parent: str
    diff: str
    blob: Blob
    trusted: bool = True


@dataclass
class _Claim:
    """One layer's row: its snapshot, and whether it still has to be made."""

    index: int
    part: Part
    key: str
    parent_key: str
    missing: bool
    size: int
    directory: str = ""


class Assembler:
    """Makes and unmakes image layers."""

    def __init__(self, database: Database, driver: Snapshotter, content: Content, trash: Trash) -> None:
        self._database, self._driver, self._content, self._trash = database, driver, content, trash
        self._pool = ThreadPoolExecutor(WORKERS, "unpack")
        self.turn = asyncio.Lock()  # whoever claims layers holds it until they belong to an image or are gone

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[str]:
        """An id under which rows are protected; at the end what nobody else wants is removed."""
        ident = new_id()
        try:
            yield ident
        finally:
            await self.release(ident)

    async def release(self, lease: str) -> None:
        """End a lease."""
        await self._database.write(lambda c: references.drop_owner(c, store.LEASE, lease), durable=False)
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

    def _forget(self, connection: sqlite3.Connection, keys: list[str]) -> None:
        for key in keys:
            connection.execute("DELETE FROM layer WHERE key = ? AND state = 'removing'", (key,))
        self._content.reap(connection)

    async def unpack(self, lease: str, parts: list[Part], report: Report) -> list[int]:
        """Make those of a chain's layers that are missing, lowest first; needs `turn`. They are `creating` until an image is
        inserted with them, and go with the lease if none is.

        Returns:
            the size of each layer.

        Raises:
            InvalidParameter: hostile, broken, or another layer than was said. OSError: from the file system.
        """
        claims = await self._database.write(lambda c: self._claim(c, lease, parts))
        missing = [claim for claim in claims if claim.missing]
        if missing:
            await self._make(missing, report)
            await self._database.write(lambda c: _note_sizes(c, missing), durable=False)
        return [claim.size for claim in claims]

    def _claim(self, connection: sqlite3.Connection, lease: str, parts: list[Part]) -> list[_Claim]:
        claims: list[_Claim] = []
        for index, part in enumerate(parts):
            references.add(connection, store.LEASE, lease, "layer", part.chain)
            parent = claims[-1].key if claims else ""
            row = connection.execute(
                "SELECT key, size FROM layer WHERE driver = ? AND chain = ? AND state = 'ready'",
                (self._driver.name, part.chain),
            ).fetchone()
            key = row["key"] if row else self._insert(connection, part)
            claims.append(_Claim(index, part, key, parent, row is None, row["size"] if row else 0))
        return claims

    def _insert(self, connection: sqlite3.Connection, part: Part) -> str:
        """A row for a new layer; a `creating` one that is there already was left by a load whose rollback failed."""
        stale = "UPDATE layer SET state = 'removing' WHERE driver = ? AND chain = ? AND state = 'creating'"
        connection.execute(stale, (self._driver.name, part.chain))
        key = new_id()
        row = (key, self._driver.name, part.chain, part.diff, part.parent)
        connection.execute("INSERT INTO layer VALUES (?, ?, ?, ?, ?, 0, 'creating')", row)
        return key

    async def _make(self, claims: list[_Claim], report: Report) -> None:
        """Stacked drivers take all layers at once; others one after the other, each a copy of the last."""
        for group in [claims] if self._driver.stacked else [[claim] for claim in claims]:
            stop = threading.Event()
            await in_threads(self._pool, stop.set, [partial(self._prepare, group)])
            await in_threads(self._pool, stop.set, [partial(self._fill, claim, stop, report) for claim in group])

    def _prepare(self, claims: list[_Claim]) -> None:
        for claim in claims:
            claim.directory = self._driver.prepare(claim.key, claim.parent_key)

    def _fill(self, claim: _Claim, stop: threading.Event, report: Report) -> None:
        """In a worker thread: unpack one layer, check that it is what it is said to be, commit it."""
        part = claim.part
        with open(part.blob.path, "rb", buffering=0) as file:
            packed = compression(file.read(LONGEST_MAGIC))
            file.seek(0)
            source = opened(Counted(file, stop, lambda count: report(claim.index, count)))
            hashed = Hashed(source)
            wanted = hashed if packed or not part.trusted else source  # a plain tar's diff ID is its blob's digest
            whiteouts = self._driver.whiteouts(claim.directory)
            with Unpacker(claim.directory, self._trash.path, whiteouts) as unpacker:
                if packed and part.blob.size > SMALL:
                    with Ahead(wanted) as ahead:
                        claim.size = unpacker.all(ahead)
                else:
                    claim.size = unpacker.all(wanted)
        found = hashed.digest if wanted is hashed else part.blob.digest
        if found != part.diff:
            raise InvalidParameter(f'invalid diffID for layer {claim.index}: expected "{part.diff}", got "{found}"')
        self._driver.commit(claim.key)

    async def unpack_stored(self, image: str) -> None:
        """Unpack an image of the content store for this driver.

        Raises:
            NotFound: no such image. InvalidParameter: its blobs are not what they were.
        """
        async with self.turn, self.lease() as lease:
            rows = await self._database.write(lambda c: store.layers(c, image))
            blobs = [self._content.blob(row.blob) for row in rows]
            parents = ["", *(row.chain for row in rows)]
            parts = [
                Part(row.chain, parent, row.diff, blob, trusted=False)
                for row, parent, blob in zip(rows, parents, blobs, strict=False)
            ]
            await self.unpack(lease, parts, lambda index, count: None)
            await asyncio.to_thread(syncfs, self._driver.root)
            await self._database.write(lambda c: _ready(c, [row.chain for row in rows]))


def _note_sizes(connection: sqlite3.Connection, claims: list[_Claim]) -> None:
    for claim in claims:
        connection.execute("UPDATE layer SET size = ? WHERE key = ?", (claim.size, claim.key))


def _ready(connection: sqlite3.Connection, chains: list[str]) -> None:
    for chain in chains:
        connection.execute("UPDATE layer SET state = 'ready' WHERE chain = ? AND state = 'creating'", (chain,))
