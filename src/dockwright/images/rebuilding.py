"""Layers whose blobs were not kept: their tars are made again while somebody needs them.

Such a layer's `image_layer.blob` is its diff ID. The blob of that digest is put into the store for a save or a push, and goes
with the lease for which it was made.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dockwright.base.errors import Internal
from dockwright.images import blobrows, store
from dockwright.images.assembly import Assembler, Lease
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.recipe import rebuilt
from dockwright.images.snapshotters import Snapshotter
from dockwright.metadata import Database


@dataclass(frozen=True)
class _Dropped:
    """A layer without a blob: its digest, and its snapshot's key."""

    diff: str
    key: str


class Rebuilder:
    """Makes blobs again."""

    def __init__(self, database: Database, driver: Snapshotter, content: Content, assembler: Assembler) -> None:
        self._database, self._driver, self._content, self._assembler = database, driver, content, assembler

    async def restore(self, lease: Lease, images: Sequence[str]) -> None:
        """Have all layers of `images` (ids) as blobs, for as long as `lease` lasts; those without a recipe stay missing.

        Raises:
            Internal: an unpacked layer is not what it was. OSError: the disk is full.
        """
        dropped = {row.diff: row for image in images for row in self._missing(image)}
        if not dropped:
            return
        await self._assembler.protect(lease, list(dropped))
        ingest = self._content.ingest()
        try:
            blobs = await asyncio.to_thread(lambda: [self._made(row, ingest) for row in dropped.values()])
            async with self._assembler.turn:
                sizes = [(blob.digest, blob.size) for blob in blobs]
                fresh = await self._database.write(lambda c: blobrows.claim_blobs(c, "", sizes), durable=False)
                await asyncio.to_thread(self._content.place, [blob for blob in blobs if blob.digest in fresh])
                await self._database.write(lambda c: _passing(c, fresh), durable=False)
        finally:
            await asyncio.to_thread(ingest.close)

    def _missing(self, image: str) -> list[_Dropped]:
        connection = self._database.read()
        found = []
        for row in store.layers(connection, image):
            there = store.unpacked(connection, self._driver.name, row.chain)
            gone = row.blob == row.diff and not blobrows.has_blob(connection, row.diff)
            if gone and there and self._content.has_recipe(there[0]):
                found.append(_Dropped(row.diff, there[0]))
        return found

    def _made(self, row: _Dropped, ingest: Ingest) -> Blob:
        with self._driver.opened(row.key) as directories:
            blob = ingest.write(rebuilt(self._content.recipe(row.key), directories[0]))
        if blob.digest != row.diff:
            raise Internal(f"the layer {row.diff} cannot be made again: its files have changed")
        return blob


def _passing(connection: sqlite3.Connection, digests: set[str]) -> None:
    for digest in digests:
        connection.execute("UPDATE blob SET state = 'ready', passing = 1 WHERE digest = ?", (digest,))
