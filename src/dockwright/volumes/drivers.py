"""Which driver a volume is of: the local one, or a plug-in."""

import asyncio
from typing import Any, Protocol

from dockwright.base.errors import NotFound
from dockwright.base.paths import Paths
from dockwright.plugins.discovery import Directories
from dockwright.volumes.local import LOCAL, Local
from dockwright.volumes.plugged import Plugged, plugged
from dockwright.volumes.store import Volume


class Driver(Protocol):
    """What makes volumes and has their files; see `Local` and `Plugged` for each call."""

    name: str
    scope: str

    def path(self, volume: Volume) -> str: ...
    async def status(self, volume: Volume) -> dict[str, Any]: ...
    async def make(self, volume: Volume) -> None: ...
    async def unmake(self, volume: Volume) -> None: ...
    async def mount(self, volume: Volume, user: str) -> str: ...
    async def unmount(self, volume: Volume, user: str, last: bool) -> None: ...
    def exclusive(self, volume: Volume) -> bool: ...
    async def size(self, volume: Volume) -> int: ...
    def refuse(self, volume: Volume) -> None: ...
    async def discard(self, name: str) -> str: ...


class Drivers:
    """All of them; a plug-in is greeted when the first of its volumes is needed."""

    def __init__(self, paths: Paths, directories: Directories) -> None:
        self.local = Local(paths)
        self._directories = directories
        self._plugged: dict[str, Plugged] = {}
        self._others: set[str] = set()
        self._greeting: dict[str, asyncio.Lock] = {}

    def check(self, name: str) -> None:
        """See that there is such a driver. Raises NotFound in Docker's words."""
        if name != LOCAL and name not in self._plugged:
            try:
                self._directories.find(name)
            except NotFound as error:
                raise error.prefixed(f"error looking up volume plugin {name}: ") from None

    async def of(self, name: str) -> "Driver":
        """The driver called `name`.

        Raises:
            NotFound: there is none. Internal: it does not answer.
        """
        return self.local if name == LOCAL else await self.plugged(name)

    async def plugged(self, name: str) -> Plugged:
        """The plug-in called `name`; each is greeted once, and by itself: one that hangs holds up nobody else.

        Raises:
            NotFound: there is none, or none for volumes. Internal: it does not answer.
        """
        async with self._greeting.setdefault(name, asyncio.Lock()):
            if name not in self._plugged:
                try:
                    self._plugged[name] = await plugged(self._directories, name)
                except NotFound as error:
                    self._others.add(name)
                    raise error.prefixed(f"error looking up volume plugin {name}: ") from None
            self._others.discard(name)
            return self._plugged[name]

    def found(self) -> list[str]:
        """The plug-ins there are, but for those that have said that they have no volumes."""
        return [name for name in self._directories.names() if name not in self._others]

    def known(self, name: str) -> "Driver | None":
        """The driver called `name`, if it has been greeted already."""
        return self.local if name == LOCAL else self._plugged.get(name)

    def names(self) -> list[str]:
        """Those in use."""
        return [LOCAL, *sorted(self._plugged)]
