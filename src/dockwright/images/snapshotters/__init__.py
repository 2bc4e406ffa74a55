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
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.images.differ import Change, Marks
from dockwright.images.unpack import Whiteouts

Mount = dict[str, Any]  # type, source, options: see dockwright.runtime.tree
Options = dict[str, str]


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
        marks: how a snapshot's directories say what is gone.
    """

    name: str
    root: str
    base: str
    stacked: bool
    marks: Marks

    def prepare(self, key: str, parent: str = "") -> str:
        """Make an active snapshot on top of `parent`; returns the directory a layer is unpacked into until `commit`.

        Raises:
            OSError: nothing is left then.
        """

    def writable(self, key: str, parent: str, options: Options) -> None:
        """Make an active snapshot that only a container writes to: nobody unpacks into it, or commits it.

        Args:
            options: `--storage-opt` of the container.

        Raises:
            OSError: nothing is left then. EngineError: an option this driver, or its file system, does not have.
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

    def opened(self, key: str) -> AbstractContextManager[list[str]]:
        """The directories a snapshot is made of, top first, for as long as the context lasts."""

    def aside(self, directory: str) -> str:
        """Where directories that a layer unpacked into `directory` replaces are emptied: on the same file system."""

    def whiteouts(self, directory: str) -> Whiteouts:
        """How a layer unpacked into `directory` takes things away."""

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""

    def close(self) -> None:
        """The daemon ends: let go of what no container uses."""


Factory = Callable[[str, str, Options], Snapshotter]


def _overlay2(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.overlay2 import Overlay2

    return Overlay2(root, trash, options)


def _vfs(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.vfs import Vfs

    return Vfs(root, trash, options)


def _btrfs(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.btrfs import Btrfs

    return Btrfs(root, trash, options)


def _devicemapper(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.devicemapper import DeviceMapper

    return DeviceMapper(root, trash, options)


def _packed(kind: str) -> Factory:
    def make(root: str, trash: str, options: Options) -> Snapshotter:
        from dockwright.images.snapshotters.packed import Packed

        return Packed(kind, root, trash, options)

    return make


def _aufs(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.aufs import Aufs

    return Aufs(root, trash, options)


def _zfs(root: str, trash: str, options: Options) -> Snapshotter:
    from dockwright.images.snapshotters.zfs import Zfs

    return Zfs(root, trash, options)


DRIVERS: dict[str, Factory] = {
    "overlay2": _overlay2, "aufs": _aufs, "btrfs": _btrfs, "zfs": _zfs, "devicemapper": _devicemapper, "erofs": _packed("erofs"),
    "squashfs": _packed("squashfs"), "vfs": _vfs,
}  # fmt: skip  # what was used here is looked for in this order


class Drivers:
    """The drivers of one data root: the chosen one, and those whose containers are still there.

    Args:
        place: the folder of a driver. trash: see `Trash`. wanted: name of the driver to use, "" to choose.
        options: `--storage-opt` of the daemon, for the chosen one.

    Raises:
        InvalidParameter: no such driver, or an option that it does not have.
    """

    def __init__(self, place: Callable[[str], str], trash: str, wanted: str, options: Options) -> None:
        self._place, self._trash = place, trash
        self.chosen = choose(wanted, place, trash, options)
        self._made = {self.chosen.name: self.chosen}

    @property
    def base(self) -> str:
        """Where relative names in mount options start: those of overlay2's layers, where there are any."""
        stacked = self._place("overlay2")
        return stacked if os.path.isdir(stacked) else self.chosen.base

    def close(self) -> None:
        """The daemon ends."""
        for driver in self._made.values():
            driver.close()

    def used(self, connection: sqlite3.Connection) -> list[Snapshotter]:
        """The chosen driver, and those that rows name."""
        rows = connection.execute("SELECT driver FROM layer UNION SELECT driver FROM container_layer")
        names = {self.chosen.name, *(row["driver"] for row in rows)}
        return [self.of(name) for name in sorted(names)]

    def of(self, name: str) -> Snapshotter:
        """The driver called `name`."""
        if name not in self._made:
            self._made[name] = DRIVERS[name](self._place(name), self._trash, {})
        return self._made[name]


def choose(wanted: str, place: Callable[[str], str], trash: str, options: Options) -> Snapshotter:
    """The driver called `wanted`; "" takes the one that has been used here, else the best this kernel has.

    Args:
        place: the folder of a driver.

    Raises:
        InvalidParameter: in dockerd's words: no such driver, one that cannot be had here, or a bad option.
    """
    prefix = "error initializing graphdriver: "
    if wanted and wanted not in DRIVERS:
        raise InvalidParameter(f"{prefix}driver not supported: {wanted}")
    name = wanted or _used(place) or _best()
    try:
        return DRIVERS[name](place(name), trash, options)
    except EngineError as error:
        raise error.prefixed(prefix) from None


def _used(place: Callable[[str], str]) -> str:
    """The driver that was used here, "" if none.

    Raises:
        InvalidParameter: several were; vfs, which needs nothing, does not count beside another.
    """
    found = [name for name in DRIVERS if os.path.isdir(place(name)) and os.listdir(place(name))]
    others = [name for name in found if name != "vfs"]
    if len(others) > 1:
        folder = os.path.dirname(place(others[0]))
        raise InvalidParameter(
            f"error initializing graphdriver: {folder} contains several valid graphdrivers: {', '.join(sorted(others))}; "
            "cleanup or explicitly choose storage driver (-s <DRIVER>)"
        )
    return (others or found or [""])[0]


def _best() -> str:
    """overlay2 where the kernel has overlay or can load it, else vfs."""
    if supported("overlay"):
        return "overlay2"
    modules = f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs"
    return "overlay2" if os.path.isdir(modules) else "vfs"


def supported(file_system: str) -> bool:
    """Whether the kernel has a file system now (filesystems(5))."""
    with open("/proc/filesystems", encoding="ascii") as file:
        return any(line.split()[-1] == file_system for line in file)
