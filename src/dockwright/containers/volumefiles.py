"""What is in a volume, out and in as a tar, or copied into a new volume: requests of our own, which Docker lacks."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager

from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.containers.archives import Pieces, pulled
from dockwright.images.bridge import across
from dockwright.images.inflate import opened
from dockwright.tar.extraction import Extraction
from dockwright.tar.tree import TreeTar, same_owner
from dockwright.tar.writer import END
from dockwright.volumes.copying import fill
from dockwright.volumes.manager import VolumeManager

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
AT_ONCE = 4  # imports; more wait, and their clients with them


class VolumeFiles:
    """export, import_, clone."""

    def __init__(self, volumes: VolumeManager) -> None:
        self._volumes = volumes
        self._pool = ThreadPoolExecutor(AT_ONCE, "import")

    @asynccontextmanager
    async def export(self, name: str) -> AsyncIterator[Pieces]:
        """A tar of everything in a volume, which may be in use meanwhile.

        Raises:
            NotFound: no such volume.
        """
        async with self._held(name) as directory, aclosing(pulled(_entries(directory))) as pieces:
            yield pieces

    async def import_(self, name: str, body: AsyncIterator[bytes]) -> None:
        """Unpack a tar of any compression into a volume; what is there already and not in the tar stays.

        The volume is made if it is missing, and then goes again if the tar is no good.

        Raises:
            EngineError: the name or the tar cannot be, the disk is full.
        """
        made = await self._made(name)
        try:
            async with self._held(name) as directory:
                work = Extraction(directory, "", False, same_owner, whole=True)
                await across(self._pool, body, lambda bridge: work.all(opened(bridge)))
        except BaseException:
            if made:
                await self._volumes.remove(name, force=True)
            raise

    async def clone(self, name: str, target: str) -> None:
        """A new volume of the local driver with the labels and a copy of all files of another one: wholly or not at all.

        Raises:
            NotFound: no such volume. Conflict: there is a volume called `target`.
        """
        source = self._volumes.find(name)
        if not target:
            raise InvalidParameter("the new volume needs a name")
        if not await self._made(target, source.labels):
            raise Conflict(f"create {target}: a volume of this name exists already")
        try:
            async with self._held(name) as directory, self._held(target):
                await asyncio.to_thread(fill, self._volumes.mountpoint(target), directory, False)
        except BaseException as error:
            await self._volumes.remove(target, force=True)
            if isinstance(error, OSError):
                raise EngineError(f"copy {name} to {target}: {(error.strerror or '').lower()}") from error
            raise

    async def _made(self, name: str, labels: dict[str, str] | None = None) -> bool:
        """Whether the volume had to be made."""
        try:
            self._volumes.find(name)
        except NotFound:
            await self._volumes.create(name, labels=labels)
            return True
        return False

    @asynccontextmanager
    async def _held(self, name: str) -> AsyncIterator[int]:
        """A descriptor of the volume's directory, which is mounted for as long as it takes."""
        user = f"files {new_id()}"
        place = await self._volumes.activate(name, user)
        try:
            directory = os.open(place, _DIRECTORY)
            try:
                yield directory
            finally:
                os.close(directory)
        finally:
            await self._volumes.deactivate(name, user)


def _entries(directory: int) -> Iterator[bytes]:
    yield from TreeTar().whole(directory, ".")
    yield END
