"""`system check`: do rows and disk agree, and what of it can be put right."""

import asyncio
import logging
from typing import Any

from dockwright.base.errors import Conflict, EngineError
from dockwright.base.findings import Finding, Place
from dockwright.base.paths import Paths
from dockwright.containers.manager import ContainerManager
from dockwright.images.manager import ImageManager
from dockwright.metadata import Database
from dockwright.upkeep.disk import account, strangers
from dockwright.volumes.manager import VolumeManager

log = logging.getLogger("dockwright.upkeep")
PAUSE = 1.0  # seconds between two looks: what is just being made is not wrong
Document = dict[str, Any]


class Disk:
    """The data root as a whole."""

    def __init__(
        self, database: Database, paths: Paths, images: ImageManager, containers: ContainerManager, volumes: VolumeManager
    ) -> None:
        self._database, self._paths = database, paths
        self._images, self._containers, self._volumes = images, containers, volumes
        self._checking = asyncio.Lock()

    async def account(self) -> Document:
        """Where every block of the data root is: Total, Kinds, Unowned; Root is where it is."""
        found = await asyncio.to_thread(account, self._paths.data_root, self._places())
        return {"Root": self._paths.data_root, **found.document()}

    def _places(self) -> list[Place]:
        return [*self._images.owned(), *self._volumes.owned(), *self._containers.owned()]

    async def check(self, deep: bool, repair: bool) -> Document:
        """What is wrong, and what was done about it.

        Args:
            deep: read every blob. repair: do what can be done without losing anything.

        Raises:
            Conflict: another check is under way.
        """
        if self._checking.locked():
            raise Conflict("a check is already running")
        async with self._checking:
            findings = await self._lasting(deep)
            rows = [await self._row(finding, repair) for finding in findings]
        return {"Findings": rows or []}

    async def _lasting(self, deep: bool) -> list[Finding]:
        """What is wrong at two looks: between a row and its folder there is always a moment."""
        first = await self._look(deep)
        if not first:
            return []
        await asyncio.sleep(PAUSE)
        second = await self._look(False)
        read = "blob that is not what its digest says"  # nothing that passes: it need not be read twice
        return [finding for finding in first if finding in second or finding.kind == read]

    async def _look(self, deep: bool) -> list[Finding]:
        found = await asyncio.to_thread(self._database_findings)
        found += [Finding("path that is nobody's", path) for path in strangers(self._paths.data_root, self._places())]
        found += await self._images.findings(deep)
        return [*found, *await self._containers.findings(), *await self._volumes.findings()]

    def _database_findings(self) -> list[Finding]:
        """What SQLite says of its own file (sqlite.org/pragma.html#pragma_integrity_check)."""
        connection = self._database.read()
        texts = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
        rows = connection.execute("PRAGMA foreign_key_check").fetchall()
        broken = [f"a row of {row['table']} refers to nothing in {row['parent']}" for row in rows]
        return [Finding("database", text) for text in [*texts, *broken] if text != "ok"]

    async def _row(self, finding: Finding, repair: bool) -> Document:
        row = {"Kind": finding.kind, "Subject": finding.subject, "Remedy": finding.remedy, "Repaired": False, "Error": ""}
        if repair and finding.repair:
            try:
                await finding.repair()
                row["Repaired"] = True
                log.warning("%s: %s: repaired: %s", finding.kind, finding.subject, finding.remedy)
            except (EngineError, OSError) as error:
                row["Error"] = str(error)
        return row
