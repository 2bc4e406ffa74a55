"""Whether layers, blobs and their rows agree, and what can be done where they do not. Nothing of a user's is deleted: what
nobody owns goes to the trash, where it waits."""

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import partial

from dockwright.base.findings import Finding
from dockwright.images import store
from dockwright.images.assembly import Assembler
from dockwright.images.content import SHA256, Content
from dockwright.images.inflate import CHUNK
from dockwright.images.snapshotters import Drivers, Snapshotter
from dockwright.images.trash import Trash
from dockwright.metadata import Database

SET_ASIDE = "move it to the trash, where it stays for seven days"


class Checker:
    """Looks at the room's part of a data root."""

    def __init__(
        self, database: Database, drivers: Drivers, content: Content, assembler: Assembler, trash: Trash
    ) -> None:  # fmt: skip
        self._database, self._drivers, self._content = database, drivers, content
        self._assembler, self._trash = assembler, trash

    async def findings(self, deep: bool) -> list[Finding]:
        """What is wrong.

        Args:
            deep: read every blob and compute its digest.
        """
        return await asyncio.to_thread(self._found, deep)

    def _found(self, deep: bool) -> list[Finding]:
        connection = self._database.read()
        found: list[Finding] = []
        for driver in self._drivers.used(connection):
            keys = set(driver.keys())  # first the disk, then the rows: a row is written before its folder
            found += self._strange_layers(connection, driver, keys)
            found += self._lost_layers(connection, driver)
        digests = set(self._content.digests())
        found += self._strange_blobs(connection, digests)
        found += self._bad_blobs(connection, deep)
        found += _incomplete(connection)
        return found

    def _strange_layers(self, connection: sqlite3.Connection, driver: Snapshotter, keys: set[str]) -> Iterator[Finding]:
        rows = connection.execute("SELECT key FROM layer UNION SELECT key FROM container_layer").fetchall()
        known = {row["key"] for row in rows}
        for key in sorted(keys):
            if key.removesuffix("-init") not in known:
                repair = partial(asyncio.to_thread, self._set_aside_layer, driver, key)
                yield Finding("layer without a row", driver.path(key), SET_ASIDE, repair)

    def _set_aside_layer(self, driver: Snapshotter, key: str) -> None:
        driver.disown(key)
        if os.path.exists(driver.path(key)):
            self._trash.set_aside(driver.path(key), time.time())

    def _lost_layers(self, connection: sqlite3.Connection, driver: Snapshotter) -> Iterator[Finding]:
        ready = "SELECT key, chain FROM layer WHERE driver = ? AND state = 'ready'"
        for row in connection.execute(ready, (driver.name,)).fetchall():
            if not driver.committed(row["key"]):
                chains = store.above(connection, driver.name, row["chain"])
                again = store.can_be_unpacked(connection, driver.name, chains)
                remedy = "unpack it again from its image's content" if again else ""
                repair = partial(self._unpack_again, driver, chains) if again else None
                yield Finding("layer without its folder", row["chain"], remedy, repair)
        kept = "SELECT container, key FROM container_layer WHERE driver = ? AND state = 'ready'"
        for row in connection.execute(kept, (driver.name,)).fetchall():
            if not os.path.exists(driver.path(row["key"])):
                yield Finding("container without its layer", row["container"])

    async def _unpack_again(self, driver: Snapshotter, chains: list[str]) -> None:
        """Layers refer to those below by their folders' names: all that stand on a lost one are made anew with it."""
        keys = await self._database.write(lambda c: store.condemn_layers(c, driver.name, chains))
        for key in keys:
            await asyncio.to_thread(driver.remove, key)
        await self._assembler.settle()
        for image in store.images_of(self._database.read(), chains[0]):
            await self._assembler.unpack_stored(image)

    def _strange_blobs(self, connection: sqlite3.Connection, digests: set[str]) -> Iterator[Finding]:
        known = {row["digest"] for row in connection.execute("SELECT digest FROM blob")}
        for digest in sorted(digests - known):
            repair = partial(asyncio.to_thread, self._set_aside, self._content.path(digest))
            yield Finding("blob without a row", digest, SET_ASIDE, repair)

    def _set_aside(self, path: str) -> None:
        if os.path.exists(path):
            self._trash.set_aside(path, time.time())

    def _bad_blobs(self, connection: sqlite3.Connection, deep: bool) -> Iterator[Finding]:
        for row in connection.execute("SELECT digest, size FROM blob WHERE state = 'ready'").fetchall():
            digest = row["digest"]
            remedy = "forget it: the next pull or load of its image brings it again"
            repair = partial(self._forget_blob, digest)
            try:
                size = os.stat(self._content.path(digest)).st_size
            except FileNotFoundError:
                yield Finding("blob without its file", digest, remedy, repair)
                continue
            if size != row["size"] or (deep and _digest(self._content.path(digest)) != digest):
                yield Finding("blob that is not what its digest says", digest, remedy, repair)

    async def _forget_blob(self, digest: str) -> None:
        await self._database.write(lambda c: c.execute("DELETE FROM blob WHERE digest = ?", (digest,)))
        await asyncio.to_thread(self._set_aside, self._content.path(digest))


def _digest(path: str) -> str:
    sha = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(CHUNK):
            sha.update(data)
    return SHA256 + sha.hexdigest()


def _incomplete(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Images whose config is not theirs, or that lack a layer in both its forms."""
    for row in connection.execute("SELECT id, config FROM image").fetchall():
        if SHA256 + hashlib.sha256(row["config"]).hexdigest() != row["id"]:
            yield Finding("image whose config is not what its id says", row["id"])
    missing = connection.execute(
        "SELECT DISTINCT image FROM image_layer WHERE chain NOT IN (SELECT chain FROM layer WHERE state = 'ready')"
        " AND blob NOT IN (SELECT digest FROM blob WHERE state = 'ready')"
    )
    for row in missing.fetchall():
        yield Finding("image that lacks a layer: pull or load it again", row["image"])
