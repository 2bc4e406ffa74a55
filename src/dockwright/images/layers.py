"""Layers on disk and their rows: image layers by chain ID, one writable layer per container, and between them an init layer.

Row first, folder second; at the end the row says `removing`, then the folder goes, then the row.
"""

import asyncio
import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from dockwright.base.errors import NotFound
from dockwright.base.ids import new_id
from dockwright.images.assembly import Assembler
from dockwright.images.differ import Change
from dockwright.images.merged import kind, read_file
from dockwright.images.snapshotters import Drivers, Options, Snapshotter
from dockwright.metadata import Database

INIT_DIRECTORIES = ("dev/pts", "dev/shm", "proc", "sys")
INIT_FILES = (".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf")
INIT_LINKS = (("etc/mtab", "/proc/mounts"),)
LARGEST_READ = 10 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def chain_ids(diff_ids: list[str]) -> list[str]:
    """The chain ID of each layer (OCI image spec, config.md, Layer ChainID)."""
    chains: list[str] = []
    for diff in diff_ids:
        text = f"{chains[-1]} {diff}" if chains else ""
        chains.append("sha256:" + hashlib.sha256(text.encode()).hexdigest() if text else diff)
    return chains


class Layers:
    """All layers: images' by the chosen storage driver, each container's by the one it was made with."""

    def __init__(self, database: Database, drivers: Drivers, assembler: Assembler) -> None:
        self._database, self._drivers, self._assembler = database, drivers, assembler
        self._driver = drivers.chosen
        self._rows: dict[str, sqlite3.Row] = {}

    @property
    def base(self) -> str:
        """Where the relative names in an overlay's lowerdir start, whichever driver is chosen: no other has such names."""
        return self._drivers.base

    async def create(
        self, container: str, image: str, chain: str, durable: bool = True, options: Options | None = None
    ) -> None:
        """The writable layer of a container, on an init layer with the engine's mount points, on `chain` ("" for none).

        An image that another storage driver has unpacked is unpacked for this one first. The row is written while the folders are
        made: a daemon killed just then may leave a new folder without a row, which the next start sets aside.

        Args:
            options: `--storage-opt`.

        Raises:
            EngineError: in Docker's words; nothing is left then.
        """
        key = new_id()
        row = (container, self._driver.name, key, chain)
        written = self._database.queue(
            lambda c: c.execute("INSERT INTO container_layer VALUES (?, ?, ?, ?, 'ready')", row), durable, grows=True
        )
        try:
            parent = await self._parent(image, chain)
            if self._driver.stacked:
                self._make(key, parent, options or {})  # a few small files: a thread would cost more than it saves
            else:
                await asyncio.to_thread(self._make, key, parent, options or {})
            await asyncio.shield(written)
            if chain and self._key(chain) != parent:
                raise NotFound(f"No such image: {image}")  # deleted before our row could protect it
        except BaseException:
            await asyncio.wait([written])  # else its row would come after it was taken back
            await asyncio.to_thread(_removed, self._driver, key)
            await self.remove(container)
            raise

    async def _parent(self, image: str, chain: str) -> str:
        if not chain:
            return ""
        key = self._key(chain)
        if not key:
            await self._assembler.unpack_stored(image)
            key = self._key(chain)
        if not key:
            raise NotFound(f"No such image: {image}")
        return key

    def _make(self, key: str, parent: str, options: Options) -> None:
        self._driver.writable(key, self._init(key, parent), options)

    def _init(self, key: str, parent: str) -> str:
        """The layer with the engine's mount points: one for all containers of an image where a snapshot is its own files only."""
        shared = bool(parent) and self._driver.stacked
        init = f"{parent if shared else key}-init"
        if shared and self._driver.committed(init):
            return init
        if shared:
            self._driver.remove(init)  # a daemon was killed while it made it
        fill_init(self._driver.prepare(init, parent))
        self._driver.commit(init)
        return init

    async def remove(self, container: str) -> None:
        """Remove a container's layers, and those of an image that is gone and lived on for it alone; none is fine."""
        row = self._row(container)
        if row is None:
            return
        gone = "UPDATE container_layer SET state = 'removing' WHERE container = ?"
        await self._database.write(lambda c: c.execute(gone, (container,)), durable=False)
        await asyncio.to_thread(_removed, self._drivers.of(row["driver"]), row["key"])
        drop = "DELETE FROM container_layer WHERE container = ?"
        await self._database.write(lambda c: c.execute(drop, (container,)), durable=False)
        self._rows.pop(container, None)
        if row["chain"] and not self._has_image(row["chain"]):
            await self._assembler.settle()

    async def make_room(self, container: str) -> None:
        """Remove a container's own files before anything is written about it: a full disk has no room for that."""
        if row := self._row(container):
            await asyncio.to_thread(_removed, self._drivers.of(row["driver"]), row["key"])

    def _has_image(self, chain: str) -> bool:
        found = self._database.read().execute("SELECT 1 FROM image_layer WHERE chain = ?", (chain,)).fetchone()
        return found is not None

    def containers(self) -> list[str]:
        """The ids of all containers that have a layer."""
        return [row["container"] for row in self._database.read().execute("SELECT container FROM container_layer")]

    def mount(self, container: str) -> dict[str, Any]:
        """How a container's root is mounted."""
        driver, key = self._existing(container)
        return driver.mounts(key)[0]

    async def image_there(self, image: str, chain: str) -> None:
        """Unpack an image that is to be mounted, if this driver has not yet. Raises NotFound: it has gone."""
        if chain:
            await self._parent(image, chain)

    def image_mount(self, chain: str) -> dict[str, Any]:
        """How an image's own layers are mounted, to be read.

        Raises:
            NotFound: they have gone.
        """
        key = self._key(chain)
        if not key:
            raise NotFound(f"No such image: {chain}")
        return self._driver.mounts(key)[0]

    def view(self, container: str) -> dict[str, Any]:
        """How a container's root is mounted to be read while the container itself may be using it."""
        mount = self.mount(container)
        options = mount["options"]
        upper = next((option.partition("=")[2] for option in options if option.startswith("upperdir=")), "")
        if not upper:
            return mount
        kept = ["ro", *(option for option in options if not option.startswith(("upperdir=", "workdir=")))]
        if mount.get("lowers"):
            return {**mount, "options": kept, "lowers": [{"type": "bind", "source": upper, "options": []}, *mount["lowers"]]}
        first = next(index for index, option in enumerate(kept) if option.startswith("lowerdir"))
        if kept[first].startswith("lowerdir="):
            kept[first] = f"lowerdir={upper}:{kept[first].partition('=')[2]}"
        else:
            kept.insert(first, f"lowerdir+={upper}")
        return {**mount, "options": kept}

    def graph_driver(self, container: str) -> dict[str, Any]:
        """GraphDriver of a container's inspect."""
        driver, key = self._existing(container)
        return driver.graph_driver(key)

    def image_graph_driver(self, chain: str) -> dict[str, Any]:
        """GraphDriver of an image's inspect; no data where this driver has not unpacked it."""
        key = self._key(chain) if chain else ""
        return self._driver.graph_driver(key) if key else {"Data": None, "Name": self._driver.name}

    def read_file(self, container: str, path: str, limit: int = LARGEST_READ) -> bytes:
        """A file of the container's root without mounting it, as the container would see it; b"" if none or not a file."""
        driver, key = self._existing(container)
        with driver.opened(key) as directories:
            return read_file(directories, path, limit, driver.marks)

    def accounts(self, container: str) -> tuple[bytes, bytes]:
        """/etc/passwd and /etc/group, as of `read_file`."""
        driver, key = self._existing(container)
        with driver.opened(key) as directories:
            passwd = read_file(directories, "etc/passwd", LARGEST_READ, driver.marks)
            return passwd, read_file(directories, "etc/group", LARGEST_READ, driver.marks)

    def kind(self, container: str, path: str) -> int:
        """The file type (S_IFMT) of a path of the container's root without mounting it, 0 if it is not there."""
        driver, key = self._existing(container)
        with driver.opened(key) as directories:
            return kind(directories, path, driver.marks)

    async def size(self, container: str) -> tuple[int, int]:
        """SizeRw and SizeRootFs: bytes of the container's own files, and those with the image's."""
        row = self._row(container)
        if row is None:
            raise NotFound(f"container {container} has no layer")
        own = (await asyncio.to_thread(self._drivers.of(row["driver"]).usage, row["key"])).size
        return own, own + self._image_size(row["driver"], row["chain"])

    def _image_size(self, driver: str, chain: str) -> int:
        """Bytes of a chain of layers."""
        total = (
            "WITH RECURSIVE below(chain, parent, size) AS ("
            " SELECT chain, parent, size FROM layer WHERE chain = ? AND driver = ? AND state = 'ready' UNION"
            " SELECT l.chain, l.parent, l.size FROM layer l JOIN below b ON l.chain = b.parent"
            " WHERE l.driver = ? AND l.state = 'ready') SELECT coalesce(sum(size), 0) FROM below"
        )
        values = (chain, driver, driver)
        return int(self._database.read().execute(total, values).fetchone()[0])

    @contextlib.contextmanager
    def changed(self, container: str) -> Iterator[tuple[str, list[Change]]]:
        """The directory that has what a container has added and changed, and the changes. In a worker thread."""
        driver, key = self._existing(container)
        with driver.opened(key) as (top, *_):
            yield top, driver.changes(key)

    async def changes(self, container: str) -> list[Change]:
        """(path, kind) of all that a container has changed, by path; kinds as in GET /containers/{id}/changes."""
        driver, key = self._existing(container)
        return await asyncio.to_thread(driver.changes, key)

    async def forget_strangers(self, containers: set[str]) -> None:
        """After a start: remove the layers of containers that a killed create never came to store.

        Args:
            containers: ids of those that exist.
        """
        for container in self.containers():
            if container not in containers:
                await self.remove(container)

    def _key(self, chain: str) -> str:
        row = (
            self._database.read()
            .execute("SELECT key FROM layer WHERE driver = ? AND chain = ? AND state = 'ready'", (self._driver.name, chain))
            .fetchone()
        )
        return str(row["key"]) if row else ""

    def _row(self, container: str) -> sqlite3.Row | None:
        """Its row, which never changes as long as it is there, but for its state."""
        found: sqlite3.Row | None = self._rows.get(container)
        if found is None:
            query = "SELECT * FROM container_layer WHERE container = ?"
            found = self._database.read().execute(query, (container,)).fetchone()
            if found:
                self._rows[container] = found
        return found

    def _existing(self, container: str) -> tuple[Snapshotter, str]:
        row = self._row(container)
        if row is None:
            raise NotFound(f"container {container} has no layer")
        return self._drivers.of(row["driver"]), str(row["key"])


def _removed(driver: Snapshotter, key: str) -> None:
    driver.remove(key)
    driver.remove(f"{key}-init")


def fill_init(directory: str) -> None:
    """The mount points of the engine's own files, as Docker's init layer has them.

    On a copy of an image (vfs) files and links of the image that are in the way are removed, as Docker does it.
    """
    for path in INIT_DIRECTORIES:
        os.close(_walk(directory, path))
    for path in INIT_FILES:
        _placed(directory, path, "")
    for path, target in INIT_LINKS:
        _placed(directory, path, target)


def _placed(directory: str, path: str, link: str) -> None:
    """An empty file, or a link, at `path`; a directory of the image that is there already stays."""
    parent, name = _walk(directory, os.path.dirname(path)), os.path.basename(path)
    try:
        _unlink(parent, name)
        if link:
            os.symlink(link, name, dir_fd=parent)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o755, dir_fd=parent))
    except FileExistsError:
        pass  # a directory
    finally:
        os.close(parent)


def _walk(directory: str, path: str) -> int:
    """A descriptor of `path` below `directory`, made where it is missing; what is no directory on the way is removed."""
    fd = os.open(directory, _DIRECTORY)
    for part in filter(None, path.split("/")):
        _unlink(fd, part)
        try:
            os.mkdir(part, 0o755, dir_fd=fd)
        except FileExistsError:
            pass  # the image's directory
        inner = os.open(part, _DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    return fd


def _unlink(parent: int, name: str) -> None:
    """Remove a file or link; a directory stays, a missing one is fine."""
    try:
        os.unlink(name, dir_fd=parent)
    except (FileNotFoundError, IsADirectoryError):
        pass
