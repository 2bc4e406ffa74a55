"""Layers on disk and their rows: image layers by chain ID, one writable layer (and its -init) per container.

Row first, folder second; a row in state `creating` with no finished folder is removed at the next start.
"""

import hashlib
import os
import sqlite3
import stat
from typing import IO, Any

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.images.snapshotters.overlay2 import Overlay2
from dockwright.images.unpack import unpack
from dockwright.kernel.mount import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from dockwright.metadata import Database

INIT_DIRECTORIES = ("dev", "dev/pts", "dev/shm", "proc", "sys", "etc")
INIT_FILES = (".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf")
DEEPEST = 125


def chain_ids(diff_ids: list[str]) -> list[str]:
    """The chain ID of each layer (OCI image spec, config.md, Layer ChainID)."""
    chains: list[str] = []
    for diff in diff_ids:
        text = f"{chains[-1]} {diff}" if chains else ""
        chains.append("sha256:" + hashlib.sha256(text.encode()).hexdigest() if text else diff)
    return chains


class Layers:
    """All layers of one storage driver."""

    def __init__(self, database: Database, driver: Overlay2) -> None:
        self._database, self._driver = database, driver

    @property
    def base(self) -> str:
        """Where the relative names in a mount's lowerdir start."""
        return self._driver.base

    def has(self, chain: str) -> bool:
        """Whether a layer is here, complete."""
        row = (
            self._database.read()
            .execute("SELECT 1 FROM layer WHERE chain = ? AND state = 'ready'", (chain,))
            .fetchone()
        )
        return row is not None

    def unpack(self, stream: IO[bytes], ident: str, parent: str, diff: str) -> int:
        """In a worker thread: unpack one layer and check that it is what it is said to be; returns its size.

        Raises:
            InvalidParameter: hostile, broken, or another layer. Nothing is left then.
        """
        target = self._driver.create(ident, self._ident(parent) if parent else "")
        try:
            found, size = unpack(stream, target)
            if found != diff:
                raise InvalidParameter(f'invalid diffID for layer: expected "{diff}", got "{found}"')
            self._driver.commit(ident)
        except BaseException:
            self._driver.remove(ident)
            raise
        return size

    def _ident(self, chain: str) -> str:
        row = self._database.read().execute("SELECT ident FROM layer WHERE chain = ?", (chain,)).fetchone()
        if row is None:
            raise NotFound(f"layer does not exist: {chain}")
        return str(row["ident"])

    async def create(self, container: str, image: str, chain: str, durable: bool = True) -> None:
        """The writable layer of a container, on an init layer with the engine's mount points, on `chain` ("" for none)."""
        ident = new_id()
        row = (container, ident, image)
        await self._database.write(lambda c: c.execute("INSERT INTO container_layer VALUES (?, ?, ?)", row), durable)
        try:
            init = self._driver.create(f"{ident}-init", self._ident(chain) if chain else "")
            fill_init(init)
            self._driver.create(ident, f"{ident}-init")
        except BaseException:
            await self.remove(container)
            raise

    async def remove(self, container: str) -> None:
        """Remove a container's layers; one that has none is fine."""
        ident = self._of(container)
        if ident:
            self._driver.remove(ident)
            self._driver.remove(f"{ident}-init")
            drop = "DELETE FROM container_layer WHERE container = ?"
            await self._database.write(lambda c: c.execute(drop, (container,)), durable=False)

    def mount(self, container: str) -> dict[str, Any]:
        """How a container's root is mounted."""
        return self._driver.mount(self._existing(container))

    def graph_driver(self, container: str) -> dict[str, Any]:
        """GraphDriver of a container's inspect."""
        return self._driver.graph_driver(self._existing(container))

    def image_graph_driver(self, chain: str) -> dict[str, Any]:
        """GraphDriver of an image's inspect."""
        return self._driver.graph_driver(self._ident(chain))

    def read_file(self, container: str, path: str, limit: int = 10 << 20) -> bytes:
        """A file of the container's root without mounting it: the topmost layer that has it; b"" if none or not a file."""
        for directory in self._driver.lowers(self._existing(container)):
            found = _read_in(directory, path, limit)
            if found is not None:
                return found
        return b""

    def drop_rows(self, connection: sqlite3.Connection, chains: list[str]) -> list[str]:
        """Forget layers that no image uses any more; returns their folders' names, top first."""
        idents = []
        for chain in reversed(chains):
            used = connection.execute("SELECT 1 FROM image_layer WHERE chain = ?", (chain,)).fetchone()
            if used:
                break
            idents.append(connection.execute("SELECT ident FROM layer WHERE chain = ?", (chain,)).fetchone()["ident"])
            connection.execute("DELETE FROM layer WHERE chain = ?", (chain,))
        return idents

    def _of(self, container: str) -> str:
        row = (
            self._database.read()
            .execute("SELECT ident FROM container_layer WHERE container = ?", (container,))
            .fetchone()
        )
        return str(row["ident"]) if row else ""

    def _existing(self, container: str) -> str:
        ident = self._of(container)
        if not ident:
            raise NotFound(f"container {container} has no layer")
        return ident


def fill_init(directory: str) -> None:
    """The mount points of the engine's own files, as Docker's init layer has them."""
    for name in INIT_DIRECTORIES:
        os.mkdir(f"{directory}/{name}", 0o755)
    for name in INIT_FILES:
        os.close(os.open(f"{directory}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o755))
    os.symlink("/proc/mounts", f"{directory}/etc/mtab")


def _read_in(directory: str, path: str, limit: int) -> bytes | None:
    """A file's content; b"" for a whiteout or no regular file, None where this layer says nothing."""
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        fd = openat2(root, path.lstrip("/"), flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError:
        return None
    finally:
        os.close(root)
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or not info.st_size:
            return b"" if not stat.S_ISREG(info.st_mode) else None
        return os.pread(fd, limit, 0)
    finally:
        os.close(fd)
