"""Whether volumes and their directories agree. What has no row may well be somebody's data: it is adopted, not removed."""

import os
import time
from collections.abc import Iterator
from functools import partial

from dockwright.base.findings import Finding
from dockwright.metadata import Database
from dockwright.volumes import store
from dockwright.volumes.directories import Directories
from dockwright.volumes.store import Request

KIND = "Volumes"
ADOPT = "make it a volume of that name"


class Checker:
    """Looks at the room's part of a data root."""

    def __init__(self, database: Database, directories: Directories) -> None:
        self._database, self._directories = database, directories

    async def findings(self) -> list[Finding]:
        """What is wrong."""
        names = self._directories.names()
        query = "SELECT name, state FROM volume WHERE driver = 'local'"
        rows = self._database.read().execute(query).fetchall()
        known = {row["name"] for row in rows}
        found = [
            Finding("volume directory without a row", self._directories.folder(name), ADOPT, partial(self._adopt, name))
            for name in names
            if name not in known
        ]
        return [*found, *self._lost(row["name"] for row in rows if row["state"] == "ready")]

    def _lost(self, names: Iterator[str]) -> Iterator[Finding]:
        for name in names:
            if not os.path.isdir(self._directories.path(name)):
                repair = partial(self._remake, name)
                yield Finding("volume without its directory", name, "make an empty directory", repair)

    async def _adopt(self, name: str) -> None:
        await self._database.write(lambda c: store.ensure(c, Request(name), int(time.time())))
        self._directories.make(name)

    async def _remake(self, name: str) -> None:
        self._directories.make(name)
