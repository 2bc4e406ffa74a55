"""Storage drivers: each keeps snapshots on disk and says how they are mounted; somebody else mounts.

Words, as containerd has them:

    snapshot   a directory tree with a key; its parent is a committed snapshot or nothing
    active     prepared from a parent, writable, until it is committed or removed
    view       of a parent, read-only
    committed  complete and unchangeable: it may be a parent
    mounts     what to mount, in order, to see a snapshot; nothing is mounted by the driver itself
    usage      bytes and inodes a snapshot has of its own, beyond its parent's

Unlike containerd's, a snapshot keeps its key when it is committed: the key is the name of its folder, and the database says
which chain ID or container it belongs to. `tests/root/images/test_snapshotters.py` is the conformance suite every driver passes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dockwright.base.errors import InvalidParameter
from dockwright.images.differ import Change
from dockwright.images.unpack import Whiteouts

Mount = dict[str, Any]  # type, source, options


@dataclass(frozen=True)
class Usage:
    """What a snapshot takes: bytes of its files (apparent, each inode once, directories not counted) and inodes."""

    size: int
    inodes: int


class Snapshotter(Protocol):
    """One storage driver.

    Attributes:
        name: as Docker calls it. root: its folder. base: the directory that relative names in mount options start from.
        stacked: whether snapshots of one chain may be filled in any order (each holds its own files only).
    """

    name: str
    root: str
    base: str
    stacked: bool

    def prepare(self, key: str, parent: str = "") -> str:
        """Make an active snapshot on top of `parent`; returns the directory a layer is unpacked into.

        Raises:
            OSError: nothing is left then.
        """

    def view(self, key: str, parent: str) -> None:
        """Make a read-only snapshot of `parent`."""

    def commit(self, key: str) -> None:
        """An active snapshot is complete."""

    def committed(self, key: str) -> bool:
        """Whether `key` is there and complete."""

    def mounts(self, key: str) -> list[Mount]:
        """What to mount to see `key`: read-write if it is active, else read-only."""

    def usage(self, key: str) -> Usage:
        """What `key` has of its own."""

    def changes(self, key: str) -> list[Change]:
        """How `key` differs from its parent, by path."""

    def remove(self, key: str) -> None:
        """Remove a snapshot; a missing or half-made one is fine."""

    def disown(self, key: str) -> None:
        """Forget what is known of a snapshot beside its folder, which is about to be moved away."""

    def keys(self) -> list[str]:
        """All snapshots on disk, complete or not."""

    def path(self, key: str) -> str:
        """The folder of a snapshot, whole: what is moved away when nobody owns it."""

    def lowers(self, key: str) -> list[str]:
        """The directories a snapshot is made of, top first."""

    def whiteouts(self, directory: str) -> Whiteouts:
        """How a layer unpacked into `directory` takes things away."""

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""


def _overlay2(root: str, trash: str) -> Snapshotter:
    from dockwright.images.snapshotters.overlay2 import Overlay2

    return Overlay2(root, trash)


def _vfs(root: str, trash: str) -> Snapshotter:
    from dockwright.images.snapshotters.vfs import Vfs

    return Vfs(root, trash)


DRIVERS: dict[str, Callable[[str, str], Snapshotter]] = {"overlay2": _overlay2, "vfs": _vfs}


class Drivers:
    """The drivers of one data root: the chosen one, and those whose containers are still there.

    Args:
        place: the folder of a driver. trash: see `Trash`. wanted: name of the driver to use, "" to choose.

    Raises:
        InvalidParameter: no such driver.
    """

    def __init__(self, place: Callable[[str], str], trash: str, wanted: str) -> None:
        self._place, self._trash = place, trash
        self.chosen = choose(wanted, place, trash)
        self._made = {self.chosen.name: self.chosen}

    @property
    def base(self) -> str:
        """Where relative names in mount options start: those of overlay2's layers, where there are any."""
        stacked = self._place("overlay2")
        return stacked if os.path.isdir(stacked) else self.chosen.base

    def of(self, name: str) -> Snapshotter:
        """The driver called `name`."""
        if name not in self._made:
            self._made[name] = DRIVERS[name](self._place(name), self._trash)
        return self._made[name]


def choose(wanted: str, place: Callable[[str], str], trash: str) -> Snapshotter:
    """The driver called `wanted`; "" takes the one that has been used here, else the best this kernel has.

    Args:
        place: the folder of a driver.

    Raises:
        InvalidParameter: no such driver.
    """
    if wanted and wanted not in DRIVERS:
        raise InvalidParameter(f"error initializing graphdriver: driver not supported: {wanted}")
    name = wanted or next((n for n in DRIVERS if os.path.isdir(place(n))), "") or _best()
    return DRIVERS[name](place(name), trash)


def _best() -> str:
    """overlay2 where the kernel has overlay or can load it, else vfs."""
    with open("/proc/filesystems", encoding="ascii") as file:
        if any(line.split()[-1] == "overlay" for line in file):
            return "overlay2"
    modules = f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs"
    return "overlay2" if os.path.isdir(modules) else "vfs"
