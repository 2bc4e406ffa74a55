"""Volumes of a plug-in: it makes, mounts and removes them, and alone knows where they are.

Source: docs.docker.com, engine/extend/plugins_volume, "Volume plugin protocol".
"""

from typing import Any

from dockwright.base.errors import EngineError, Internal
from dockwright.plugins import client
from dockwright.plugins.client import Answered, Plugin
from dockwright.plugins.discovery import Directories
from dockwright.volumes.store import Volume

SUBSYSTEM = "VolumeDriver"


class Plugged:
    """All volumes of one plug-in.

    Attributes:
        scope: "local", or "global" if it has them on every host.
    """

    def __init__(self, plugin: Plugin, scope: str) -> None:
        self._plugin, self.name, self.scope = plugin, plugin.name, scope
        self._paths: dict[str, str] = {}

    def path(self, volume: Volume) -> str:
        """Where it was last mounted; "" before."""
        return self._paths.get(volume.name, "")

    async def status(self, volume: Volume) -> dict[str, Any]:
        """Mountpoint, CreatedAt and Status, as far as the plug-in says them.

        Raises:
            Answered: it knows no such volume. Internal: it does not answer.
        """
        known = (await self._call("Get", Name=volume.name)).get("Volume") or {}
        return _said(known)

    async def listed(self) -> dict[str, dict[str, Any]]:
        """What it says of all its volumes, by name, made here or not: Mountpoint, CreatedAt, Status.

        Raises:
            Answered: it does not list them. Internal: it does not answer.
        """
        rows = (await self._call("List")).get("Volumes") or []
        return {str(row["Name"]): _said(row) for row in rows if isinstance(row, dict) and row.get("Name")}

    async def make(self, volume: Volume) -> None:
        """Raises EngineError in Docker's words."""
        try:
            await self._call("Create", Name=volume.name, Opts=volume.options or {})
        except Answered as error:
            raise Internal(f"create {volume.name}: {error}") from None
        try:
            self._paths[volume.name] = str((await self._call("Path", Name=volume.name)).get("Mountpoint") or "")
        except Answered:
            self._paths[volume.name] = ""  # it may not know before it is mounted

    async def unmake(self, volume: Volume) -> None:
        """Undo `make`, if it was made."""
        try:
            await self.discard(volume.name)
        except EngineError:
            return  # the error that led here is the one to be told

    async def mount(self, volume: Volume, user: str) -> str:
        """Its path for this user, from now on until `unmount`.

        Raises:
            Internal: in Docker's words.
        """
        try:
            path = str((await self._call("Mount", Name=volume.name, ID=user)).get("Mountpoint") or "")
        except Answered as error:
            raise Internal(f"error while mounting volume '{self.path(volume)}': {error}") from None
        if not path.startswith("/"):
            raise Internal(f"error while mounting volume '{path}': VolumeDriver.Mount: no mountpoint")
        self._paths[volume.name] = path
        return path

    async def unmount(self, volume: Volume, user: str, last: bool) -> None:
        """The end of `mount`. Raises Internal in Docker's words."""
        try:
            await self._call("Unmount", Name=volume.name, ID=user)
        except Answered as error:
            raise Internal(f"error while unmounting volume '{self.path(volume)}': {error}") from None

    def exclusive(self, volume: Volume) -> bool:
        """What is behind its path is the plug-in's: nothing there is replaced as a whole."""
        return False

    async def size(self, volume: Volume) -> int:
        """Nobody knows."""
        return -1

    def refuse(self, volume: Volume) -> None:
        """The plug-in itself says whether it can go."""

    async def discard(self, name: str) -> str:
        """Have it removed. Raises Internal in Docker's words."""
        try:
            await self._call("Remove", Name=name)
        except Answered as error:
            raise Internal(f"remove {name}: {error}") from None
        self._paths.pop(name, None)
        return ""

    async def _call(self, method: str, **document: Any) -> dict[str, Any]:
        return await self._plugin.call(f"{SUBSYSTEM}.{method}", document)


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """What is shown of an answer about a volume."""
    return {key: row[key] for key in ("CreatedAt", "Mountpoint", "Status") if row.get(key)}


async def plugged(directories: Directories, name: str) -> Plugged:
    """The driver of the plug-in called `name`.

    Raises:
        NotFound: there is none, or none for volumes. Internal: it does not answer.
    """
    plugin = await client.activated(directories, name, SUBSYSTEM)
    try:
        capabilities = (await plugin.call(f"{SUBSYSTEM}.Capabilities", {})).get("Capabilities") or {}
    except Answered:
        capabilities = {}  # older ones have none
    scope = str(capabilities.get("Scope") or "local").lower()
    return Plugged(plugin, scope if scope in ("local", "global") else "local")
