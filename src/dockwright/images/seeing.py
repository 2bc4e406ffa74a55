"""What can be seen inside images: their layers, and how two of them differ (the API of our own, below /dockwright/v1)."""

import asyncio
import sqlite3
from typing import Any

from dockwright.images import contents, store
from dockwright.images.assembly import Assembler
from dockwright.images.snapshotters import Snapshotter
from dockwright.images.store import Image, LayerRow
from dockwright.metadata import Database

Document = dict[str, Any]


class Seeing:
    """Looks into images by the unpacked form of their layers; one that has none yet is unpacked first."""

    def __init__(self, database: Database, driver: Snapshotter, assembler: Assembler) -> None:
        self._database, self._driver, self._assembler = database, driver, assembler

    async def layers(self, name: str) -> list[Document]:
        """Each layer, lowest first: what made it, its size, what it adds, changes and removes, what later ones hide of it.

        Raises:
            NotFound: no such image.
        """
        image = store.find(self._database.read(), name)
        async with self._assembler.lease() as lease:
            rows, keys = await self._held(lease.id, image)
            found = await asyncio.to_thread(contents.layers, self._driver, keys)
        makers = _makers(image, len(rows))
        return [
            {
                "DiffID": row.diff, "ChainID": row.chain, "Blob": row.blob, "CreatedBy": maker.get("created_by") or "",
                "Created": maker.get("created") or "", "Comment": maker.get("comment") or "", "Size": row.size,
                "Added": own.added, "Changed": own.changed, "Removed": own.removed, "Wasted": own.wasted,
                "Hidden": [{"Path": path, "Size": own.hidden[path]} for path in sorted(own.hidden)],
            }
            for row, maker, own in zip(rows, makers, found, strict=True)
        ]  # fmt: skip

    async def diff(self, old: str, new: str) -> Document:
        """Files and config of image `new` against `old`: Kind 0 changed, 1 added, 2 deleted, as in a container's changes.

        Raises:
            NotFound: no such image.
        """
        before, after = (store.find(self._database.read(), name) for name in (old, new))
        async with self._assembler.lease() as lease:
            tops = [(await self._held(lease.id, image))[1][-1:] for image in (before, after)]
            files = await asyncio.to_thread(self._files, *tops)
        config = contents.config_differences(before.config, after.config)
        return {
            "Files": [{"Path": path, "Kind": kind, "Before": b, "After": a} for path, kind, b, a in files],
            "Config": [{"Field": name, "Before": b, "After": a} for name, b, a in config],
        }

    def _files(self, old: list[str], new: list[str]) -> list[contents.Difference]:
        """By the key of each topmost layer, none for an image without layers."""
        if not old or not new:
            return self._against_nothing(old or new, bool(new))
        with self._driver.opened(old[0]) as before, self._driver.opened(new[0]) as after:
            return contents.differences(before, after, self._driver.marks)

    def _against_nothing(self, key: list[str], added: bool) -> list[contents.Difference]:
        if not key:
            return []
        with self._driver.opened(key[0]) as tree:
            sides: tuple[list[str], list[str]] = ([], tree) if added else (tree, [])
            return contents.differences(*sides, self._driver.marks)

    async def _held(self, lease: str, image: Image) -> tuple[list[LayerRow], list[str]]:
        """An image's layers, unpacked and under a lease, and their snapshots' keys."""

        def hold(connection: sqlite3.Connection) -> tuple[list[LayerRow], list[str]]:
            return store.hold_layers(connection, lease, self._driver.name, image.id)

        rows, keys = await self._database.write(hold, durable=False)
        if len(keys) < len(rows):
            await self._assembler.unpack_stored(image.id)
            rows, keys = await self._database.write(hold, durable=False)
        return rows, keys


def _makers(image: Image, count: int) -> list[dict[str, Any]]:
    """The history's entries that made layers, as many as there are layers."""
    entries = [entry for entry in image.config.get("history") or () if not entry.get("empty_layer")]
    return [*entries[:count], *({} for _ in range(count - len(entries)))]
