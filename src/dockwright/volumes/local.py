"""The local driver: a directory below DATA/volumes, with what its options mount there while it is used."""

import asyncio

from dockwright.base.paths import Paths
from dockwright.volumes import options
from dockwright.volumes.directories import Directories
from dockwright.volumes.store import Volume

LOCAL = "local"


class Local:
    """All volumes of the local driver."""

    def __init__(self, paths: Paths) -> None:
        self.name, self.scope = LOCAL, "local"
        self.directories = Directories(paths)

    def path(self, volume: Volume) -> str:
        """The directory that containers see."""
        return self.directories.path(volume.name)

    async def status(self, volume: Volume) -> dict[str, object]:
        """What is shown beside the rest: nothing."""
        return {}

    async def make(self, volume: Volume) -> None:
        """Its directory; what is there already stays. Raises OSError."""
        self.directories.make(volume.name)

    async def unmake(self, volume: Volume) -> None:
        """Undo `make`; a directory that was there before its row is not ours to remove."""
        self.directories.remove_empty(volume.name)

    async def mount(self, volume: Volume, user: str) -> str:
        """Make it ready, for another user perhaps; its path.

        Raises:
            Internal: in Docker's words, it could not be mounted. OSError: its directory could not be made.
        """
        path = self.path(volume)
        self.directories.make(volume.name)
        if volume.options and not options.is_mounted(path):
            await asyncio.to_thread(options.mount, volume.options, path)
        return path

    async def unmount(self, volume: Volume, user: str, last: bool) -> None:
        """The end of `mount`; the last user's unmounts."""
        if volume.options and last:
            options.unmount(self.path(volume))

    def exclusive(self, volume: Volume) -> bool:
        """Whether its directory may be replaced as a whole by its only user: nothing is mounted there."""
        return not volume.options

    async def size(self, volume: Volume) -> int:
        """Bytes on the disk."""
        return await asyncio.to_thread(self.directories.size, volume.name)

    def refuse(self, volume: Volume) -> None:
        """Undo what options have mounted there; a mount of somebody else's is a refusal.

        Raises:
            Internal: in Docker's words.
        """
        if volume.options:
            options.unmount(self.path(volume))
        self.directories.refuse_mounted(volume.name)

    async def discard(self, name: str) -> str:
        """Take it out of sight; what is to be deleted then, "" for nothing. Raises EngineError."""
        return self.directories.discard(name)
