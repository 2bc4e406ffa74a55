"""Loading and importing: bytes of a request become blobs, layers, an image and its names, or nothing at all.

A load is received into an ingest first, as manifest.json mostly comes last. Then, image by image: rows for its blobs and
layers (`creating`, under a lease), layers unpacked and verified, everything synced, blobs moved to their place, and one
transaction that makes all of it an image. Whatever ends earlier leaves rows that the lease's end, or the next start, undoes.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.base.ids import SHORT
from dockwright.events import EventBus
from dockwright.grammar.reference import Reference
from dockwright.images import oci, store
from dockwright.images.archive import Archive, Found
from dockwright.images.assembly import Assembler, Part
from dockwright.images.bridge import Bridge
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.inflate import CHUNK, opened
from dockwright.images.layers import chain_ids
from dockwright.images.progress import Emit, Line, Meter, lines
from dockwright.images.workers import in_threads
from dockwright.kernel.sync import syncfs
from dockwright.metadata import Database, references

T = TypeVar("T")
RECEIVED = 16  # archives at once; more wait, and their clients with them
DEEPEST = 125  # layers of an image, as with Docker's layer store


@dataclass
class Made:
    """An image that has been stored: its id, its labels, and the ids that lost a name to it."""

    id: str
    labels: dict[str, str]
    moved: dict[Reference, str]


class Loader:
    """Brings images in."""

    def __init__(self, database: Database, content: Content, assembler: Assembler, events: EventBus) -> None:
        self._database, self._content, self._assembler, self._events = database, content, assembler, events
        self._pool = ThreadPoolExecutor(RECEIVED, "receive")

    def load(self, body: AsyncIterator[bytes], quiet: bool) -> AsyncIterator[Line]:
        """An image archive of any compression; progress documents.

        Raises:
            InvalidParameter: hostile, broken, contradictory. Internal: the disk is full. Nothing of the image that failed is
            left; those before it in the archive are.
        """
        return lines(partial(self._load, body, quiet))

    async def mark_tagged(self, ident: str) -> None:
        """Note that a user has given the image `ident` a name now."""
        await self._database.write(lambda c: store.mark_tagged(c, ident))

    async def _load(self, body: AsyncIterator[bytes], quiet: bool, emit: Emit) -> None:
        ingest = self._content.ingest()
        try:
            images = await self._received(body, lambda bridge: Archive.read(opened(bridge), ingest).images())
            for found in images:
                await self._one(found, quiet, emit)
        except OSError as error:
            raise explained(error) from error
        finally:
            await asyncio.to_thread(ingest.close)

    async def received_tar(self, body: AsyncIterator[bytes], ingest: Ingest) -> Blob:
        """A single tar of any compression, as a blob of its inflated bytes."""
        return await self._received(body, lambda bridge: ingest.write(_chunks(bridge)))

    async def _received(self, body: AsyncIterator[bytes], work: Callable[[Bridge], T]) -> T:
        """`work` on a body in a thread, while the body comes in."""
        bridge = Bridge()
        filling = asyncio.ensure_future(bridge.fill(body))
        try:
            return (await in_threads(self._pool, bridge.abort, [lambda: work(bridge)]))[0]
        finally:
            bridge.abort()
            filling.cancel()
            await asyncio.wait([filling])
            if not filling.cancelled():
                filling.exception()  # it has been raised in the thread already

    async def _one(self, found: Found, quiet: bool, emit: Emit) -> None:
        made = await self.make(found, None if quiet else emit)
        for name, loser in made.moved.items():
            text = f"The image {name.familiar} already exists, renaming the old one with ID {loser} to empty string\n"
            emit({"stream": text})
        for name in found.names:
            emit({"stream": f"Loaded image: {name.familiar}\n"})
        if not found.names:
            emit({"stream": f"Loaded image ID: {made.id}\n"})
        self._events.publish("image", "load", made.id, {**made.labels, "name": made.id})

    async def make(self, found: Found, emit: Emit | None) -> Made:
        """Store one image.

        Args:
            emit: takes progress lines.
        """
        config = found.config.read(oci.LARGEST_DOCUMENT)
        parsed = oci.config(config)
        diffs = _layers_of(parsed, found)
        chains = chain_ids(diffs)
        parts = [
            Part(chain, parent, diff, blob)
            for chain, parent, diff, blob in zip(chains, ["", *chains], diffs, found.layers, strict=False)
        ]
        async with self._assembler.turn, self._assembler.lease() as lease:
            fresh = await self._database.write(lambda c: _claim(c, lease, found))
            sizes = await self._assembler.unpack(lease, parts, _meters(parts, emit))
            await asyncio.to_thread(self._place, [blob for blob in found.all() if blob.digest in fresh])
            rows = [
                store.LayerRow(part.chain, part.diff, part.blob.digest, size)
                for part, size in zip(parts, sizes, strict=True)
            ]
            moved = await self._database.write(lambda c: _insert(c, found, config, rows))
        return Made(found.config.digest, dict((parsed.config and parsed.config.Labels) or {}), moved)

    def _place(self, blobs: list[Blob]) -> None:
        syncfs(self._content.root)
        self._content.place(blobs)


def _chunks(bridge: Bridge) -> Iterator[bytes]:
    source = opened(bridge)
    while data := source.read(CHUNK):
        yield data


def explained(error: OSError) -> Internal:
    """What the file system said, as Go's errors read."""
    what = f"{error.filename}: " if error.filename else ""
    return Internal(f"Error processing tar file: {what}{(error.strerror or str(error)).lower()}")


def _layers_of(config: oci.Config, found: Found) -> list[str]:
    """The diff IDs of a config that fits its layers."""
    diffs = (config.rootfs.diff_ids if config.rootfs else None) or []
    if len(diffs) != len(found.layers):
        text = f"invalid manifest, layers length mismatch: expected {len(diffs)}, got {len(found.layers)}"
        raise InvalidParameter(text)
    if len(diffs) > DEEPEST:
        raise InvalidParameter("max depth exceeded")
    return diffs


def _meters(parts: list[Part], emit: Emit | None) -> Callable[[int, int], None]:
    """The report of each layer's reader as progress lines."""
    if emit is None:
        return lambda index, count: None
    meters = [Meter(emit, "Loading layer", part.diff[7 : 7 + SHORT], part.blob.size) for part in parts]
    return lambda index, count: meters[index].report(count)


def _claim(connection: sqlite3.Connection, lease: str, found: Found) -> set[str]:
    """Rows for the blobs of an image that is not known yet; returns the digests that have to be placed."""
    if connection.execute("SELECT 1 FROM image WHERE id = ?", (found.config.digest,)).fetchone():
        return set()
    fresh = set()
    for blob in found.all():
        references.add(connection, store.LEASE, lease, "blob", blob.digest)
        ready = connection.execute("SELECT 1 FROM blob WHERE digest = ? AND state = 'ready'", (blob.digest,)).fetchone()
        if ready is None:
            fresh.add(blob.digest)
            connection.execute("INSERT OR REPLACE INTO blob VALUES (?, ?, 'creating')", (blob.digest, blob.size))
    return fresh


def _insert(
    connection: sqlite3.Connection, found: Found, config: bytes, rows: list[store.LayerRow]
) -> dict[Reference, str]:
    """The image with its names; returns who lost a name to it."""
    ident = found.config.digest
    store.insert(connection, ident, config, found.manifest.digest if found.manifest else "", rows)
    moved = {name: store.set_tag(connection, str(name), ident) for name in found.names}
    return {name: loser for name, loser in moved.items() if loser}
