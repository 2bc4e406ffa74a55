"""The image manager: load, list, inspect, history, tag, delete; and the layers containers stand on."""

import asyncio
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from dockwright.base.errors import Conflict, InvalidParameter, NotSupported
from dockwright.base.ids import new_id, short
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.grammar import reference
from dockwright.images import documents, store
from dockwright.images.archive import Archive
from dockwright.images.layers import DEEPEST, Layers, chain_ids
from dockwright.images.snapshotters.overlay2 import Overlay2
from dockwright.images.store import Image
from dockwright.metadata import Database, references

Rows = list[dict[str, Any]]
Names = list[str]


class ImageManager:
    """All images of one data root."""

    def __init__(self, database: Database, paths: Paths, events: EventBus) -> None:
        self._database, self._paths, self._events = database, paths, events
        database.migrate("images", store.MIGRATIONS)
        os.makedirs(paths.temporary, mode=0o700, exist_ok=True)
        self._driver = Overlay2(paths.snapshotter("overlay2"))
        self.layers = Layers(database, self._driver)
        self._loading = asyncio.Lock()
        database.write_now(self._recover)

    def _recover(self, connection: sqlite3.Connection) -> None:
        """Layers a killed load has left half made: by their own rows, so nothing else is touched."""
        for row in connection.execute("SELECT chain, ident FROM layer WHERE state = 'creating'").fetchall():
            self._driver.remove(row["ident"])
            connection.execute("DELETE FROM layer WHERE chain = ?", (row["chain"],))

    @property
    def driver_name(self) -> str:
        """Name of the storage driver."""
        return self._driver.name

    def driver_status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return self._driver.status()

    def resolve(self, name: str) -> Image:
        """The image a user means. Raises NotFound in Docker's words."""
        return store.find(self._database.read(), name)

    def chain_of(self, image: Image) -> str:
        """The chain ID of an image's topmost layer, "" if it has none."""
        return (chain_ids(image.diff_ids) or [""])[-1]

    async def list(self, *, all: bool, filters: dict[str, Names], shared_size: bool) -> Rows:
        """GET /images/json."""
        images = store.every(self._database.read())
        return documents.summaries(images, filters, lambda name: self.resolve(name), shared_size)

    async def inspect(self, name: str) -> dict[str, Any]:
        """GET /images/{name}/json."""
        image = self.resolve(name)
        chain = self.chain_of(image)
        graph = self.layers.image_graph_driver(chain) if chain else {"Data": {}, "Name": self.driver_name}
        return documents.inspect(image, graph)

    async def history(self, name: str) -> Rows:
        """GET /images/{name}/history."""
        image = self.resolve(name)
        sizes = [self._layer_size(chain) for chain in chain_ids(image.diff_ids)]
        return documents.history(image, sizes)

    def _layer_size(self, chain: str) -> int:
        row = self._database.read().execute("SELECT size FROM layer WHERE chain = ?", (chain,)).fetchone()
        return int(row["size"]) if row else 0

    async def tag(self, name: str, repo: str, tag: str) -> None:
        """Give an image another name; a name in use moves."""
        image = self.resolve(name)
        if tag and not reference.TAG.fullmatch(tag):
            raise InvalidParameter("invalid tag format")
        parsed = reference.parse(repo)
        if parsed.digest:
            raise InvalidParameter("refusing to create a tag with a digest reference")
        if parsed.familiar_name == "sha256":
            raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
        target = reference.Reference(parsed.domain, parsed.path, tag or parsed.tag or reference.DEFAULT_TAG)
        await self._database.write(lambda c: _set_tag(c, str(target), image.id))
        self._events.publish("image", "tag", image.id, {"name": target.familiar, **labels(image)})

    async def delete(self, name: str, force: bool, noprune: bool) -> Rows:
        """DELETE /images/{name}; returns the Untagged and Deleted lines."""
        image = self.resolve(name)
        by_id = (
            not any(reference.parse(name).tagged() == reference.parse(n) for n in image.names)
            if _is_name(name)
            else True
        )
        users = self._users(image)
        lines: Rows = []
        removed = list(image.names) if by_id else [str(reference.parse(name).tagged())]
        if by_id and len(image.names) > 1 and not force:
            text = f"conflict: unable to delete {short(image.id)} (must be forced) - image is referenced in multiple repositories"
            raise Conflict(text)
        last = len(removed) == len(image.names)
        if last:
            self._refuse_used(image, name, by_id, force, users)
        keep = last and bool(users) and not by_id
        for tag in removed:
            lines.append({"Untagged": reference.parse(tag).familiar})
        idents = await self._database.write(lambda c: self._drop(c, image, removed, last and not users))
        for ident in idents:
            await asyncio.to_thread(self._driver.remove, ident)
        for _ in removed:
            self._events.publish("image", "untag", image.id, {"name": image.id, **labels(image)})
        if last and not users and not keep:
            lines.append({"Deleted": image.id})
            gone = chain_ids(image.diff_ids)[::-1][: len(idents)]
            lines += [{"Deleted": chain} for chain in gone]
            self._events.publish("image", "delete", image.id, {"name": image.id, **labels(image)})
        return lines

    def _users(self, image: Image) -> Names:
        return [
            owner for kind, owner in references.users(self._database.read(), "image", image.id) if kind == "container"
        ]

    def _refuse_used(self, image: Image, name: str, by_id: bool, force: bool, users: Names) -> None:
        if not users:
            return
        user, ident = short(users[0]), short(image.id)
        if by_id:
            text = (
                f"conflict: unable to delete {ident} (must be forced) - image is being used by stopped container {user}"
            )
            raise Conflict(text)
        if not force:
            shown = reference.parse(name).tagged().familiar
            raise Conflict(
                f'conflict: unable to remove repository reference "{shown}" (must force) - container {user} is using '
                f"its referenced image {ident}"
            )

    def _drop(self, connection: sqlite3.Connection, image: Image, tags: Names, gone: bool) -> Names:
        for tag in tags:
            connection.execute("DELETE FROM image_tag WHERE name = ?", (tag,))
        if not gone:
            return []
        connection.execute("DELETE FROM image_layer WHERE image = ?", (image.id,))
        connection.execute("DELETE FROM image WHERE id = ?", (image.id,))
        return self.layers.drop_rows(connection, chain_ids(image.diff_ids))

    async def load(self, body: AsyncIterator[bytes], quiet: bool) -> AsyncIterator[dict[str, Any]]:
        """POST /images/load: progress documents; an error is raised before or among them."""
        path = await self._spool(body)
        try:
            async with self._loading:
                with await asyncio.to_thread(Archive, path) as archive:
                    for entry in archive.manifest():
                        async for line in self._load_one(archive, entry):
                            yield line
        finally:
            os.unlink(path)

    async def _spool(self, body: AsyncIterator[bytes]) -> str:
        fd, path = tempfile.mkstemp(dir=self._paths.temporary, prefix="load-")
        try:
            async for piece in body:
                await asyncio.to_thread(_write_all, fd, piece)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return path

    async def _load_one(self, archive: Archive, entry: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        config = archive.read(entry["Config"])
        document = archive.document(entry["Config"])
        diffs = (document.get("rootfs") or {}).get("diff_ids") or []
        if len(diffs) != len(entry["Layers"]):
            raise InvalidParameter(
                f"invalid manifest, layers length mismatch: expected {len(diffs)}, got {len(entry['Layers'])}"
            )
        if len(diffs) > DEEPEST:
            raise InvalidParameter("max depth exceeded")
        tags = [reference.parse(name).tagged() for name in entry.get("RepoTags") or ()]
        chains = chain_ids(diffs)
        for index, name in enumerate(entry["Layers"]):
            if not self.layers.has(chains[index]):
                await self._load_layer(archive, name, chains[index], chains[index - 1] if index else "", diffs[index])
        ident = "sha256:" + hashlib.sha256(config).hexdigest()
        size = sum([self._layer_size(chain) for chain in chains])
        await self._database.write(lambda c: _insert(c, ident, config, size, chains))
        for tag in tags:
            moved = await self._database.write(partial(_set_tag, name=str(tag), ident=ident))
            if moved:
                text = (
                    f"The image {tag.familiar} already exists, renaming the old one with ID {moved} to empty string\n"
                )
                yield {"stream": text}
            yield {"stream": f"Loaded image: {tag.familiar}\n"}
        if not tags:
            yield {"stream": f"Loaded image ID: {ident}\n"}
        self._events.publish("image", "load", ident, {"name": ident})

    async def _load_layer(self, archive: Archive, name: str, chain: str, parent: str, diff: str) -> None:
        ident = new_id()
        row = (chain, diff, parent, ident)
        await self._database.write(lambda c: c.execute("INSERT INTO layer VALUES (?, ?, ?, ?, 0, 'creating')", row))
        try:
            size = await asyncio.to_thread(lambda: self.layers.unpack(archive.layer(name), ident, parent, diff))
        except BaseException:
            await self._database.write(lambda c: c.execute("DELETE FROM layer WHERE chain = ?", (chain,)))
            raise
        done = "UPDATE layer SET size = ?, state = 'ready' WHERE chain = ?"
        await self._database.write(lambda c: c.execute(done, (size, chain)))

    async def save(self, names: Names) -> AsyncIterator[bytes]:
        """GET /images/get: not there yet."""
        for name in names:
            self.resolve(name)
        raise NotSupported("saving images is not implemented yet")
        yield b""

    async def import_(
        self, body: AsyncIterator[bytes], repo: str, tag: str, message: str, changes: Names
    ) -> AsyncIterator[dict[str, Any]]:
        """POST /images/create?fromSrc=-: not there yet."""
        raise NotSupported("importing an image is not implemented yet")
        yield {}


def labels(image: Image) -> dict[str, str]:
    """An image's labels: they travel with its events."""
    return dict(image.container_config.get("Labels") or {})


def _is_name(name: str) -> bool:
    return not name.startswith("sha256:") and len(name) != 64


def _insert(connection: sqlite3.Connection, ident: str, config: bytes, size: int, chains: list[str]) -> None:
    connection.execute("INSERT OR IGNORE INTO image VALUES (?, ?, ?, ?)", (ident, config, size, time.time_ns()))
    for chain in chains:
        connection.execute("INSERT OR IGNORE INTO image_layer VALUES (?, ?)", (ident, chain))


def _set_tag(connection: sqlite3.Connection, name: str, ident: str) -> str:
    """Point `name` at an image; returns the id of another image that had it, "" if none."""
    row = connection.execute("SELECT image FROM image_tag WHERE name = ?", (name,)).fetchone()
    connection.execute("INSERT OR REPLACE INTO image_tag VALUES (?, ?)", (name, ident))
    connection.execute("UPDATE image SET tagged = ? WHERE id = ?", (time.time_ns(), ident))
    return str(row["image"]) if row and row["image"] != ident else ""


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
