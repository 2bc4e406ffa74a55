"""The directories of volumes: DATA/volumes/<name>/_data, and their way into the trash.

Nothing below a mount is ever deleted: a volume on which the host has something mounted is not moved, and a removal does not
cross a mount. A directory without a row may be taken into use again by its name, but is never removed.
"""

import os
import shutil
import stat

from dockwright.base.errors import Internal
from dockwright.base.ids import new_id
from dockwright.base.paths import Paths
from dockwright.host.mountinfo import mounts_below

TRASH_PREFIX = "volume-"


class Directories:
    """All of one data root."""

    def __init__(self, paths: Paths) -> None:
        self._root, self._trash = paths.volumes, paths.trash
        os.makedirs(self._root, 0o701, exist_ok=True)
        os.makedirs(self._trash, 0o700, exist_ok=True)

    def names(self) -> list[str]:
        """All there are, with a row or not."""
        return sorted(os.listdir(self._root))

    def folder(self, name: str) -> str:
        """All of a volume."""
        return f"{self._root}/{name}"

    def path(self, name: str) -> str:
        """The volume's root, which is what containers see."""
        return f"{self._root}/{name}/_data"

    def make(self, name: str) -> bool:
        """Make a volume's directories; returns whether they are new. What is there already, and all in it, stays as it is.

        Raises:
            OSError: disk full, or something else is in the way.
        """
        new = not os.path.isdir(f"{self._root}/{name}")
        if new:
            _make(f"{self._root}/{name}", 0o701)
        if not os.path.isdir(self.path(name)):
            _make(self.path(name), 0o755)
        return new

    def remove_empty(self, name: str) -> None:
        """Undo `make`: remove the directories if nothing is in them."""
        for path in (self.path(name), f"{self._root}/{name}"):
            try:
                os.rmdir(path)
            except OSError:  # missing, or not ours alone
                return

    def refuse_mounted(self, name: str) -> None:
        """Raises Internal while the host has something mounted on or in a volume."""
        if below := mounts_below(f"{self._root}/{name}"):
            raise Internal(f"remove {name}: {below[0]} is mounted there on the host: umount it first")

    def discard(self, name: str) -> str:
        """Move a volume into the trash; returns its place there, "" if it had no directory.

        Raises:
            Internal: the host has something mounted on or in it.
        """
        self.refuse_mounted(name)
        place = f"{self._trash}/{TRASH_PREFIX}{new_id()}"
        try:
            os.rename(f"{self._root}/{name}", place)
        except FileNotFoundError:
            return ""
        return place

    def delete(self, place: str) -> None:
        """Delete what `discard` moved. In a worker thread: it may be much."""
        if place and not mounts_below(place):
            shutil.rmtree(place)

    def discarded(self) -> list[str]:
        """Places in the trash, left by a daemon that was killed before it had deleted them."""
        return [f"{self._trash}/{name}" for name in os.listdir(self._trash) if name.startswith(TRASH_PREFIX)]

    def size(self, name: str) -> int:
        """The bytes of all files of a volume. In a worker thread."""
        total = 0
        for folder, _, files in os.walk(self.path(name)):
            for file in files:
                try:
                    info = os.lstat(f"{folder}/{file}")
                except FileNotFoundError:
                    continue  # its user has removed it meanwhile
                total += info.st_size if stat.S_ISREG(info.st_mode) else 0
        return total


def _make(path: str, mode: int) -> None:
    os.mkdir(path, mode)
    os.chmod(path, mode)
