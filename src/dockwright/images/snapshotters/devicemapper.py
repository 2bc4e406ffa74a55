"""devicemapper: a thin device with a file system of its own per snapshot, in a thin pool.

Layout: devicemapper/{data,metadata} are the files behind the pool when none is given, state/<key>/device the number of its
thin device and its size, base/device that of the empty file system every first layer is a snapshot of. Devices of committed
snapshots are active only while they are looked into; a container's stays so until it is removed.
"""

import os
import threading
from contextlib import suppress
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.grammar.units import human_size
from dockwright.images.snapshotters import Mount, Options, supported
from dockwright.images.snapshotters.dmoptions import Settings, settings
from dockwright.images.snapshotters.files import private, read, write
from dockwright.images.snapshotters.mounted import Mounted
from dockwright.images.snapshotters.sizes import size_of
from dockwright.images.snapshotters.thinpool import LARGEST_ID, ThinPool, check_available, discard
from dockwright.kernel import devicemapper as dm
from dockwright.kernel import growth
from dockwright.runtime import tree
from dockwright.supervisor import spawner

MKFS_DEADLINE = 600.0  # seconds
BASE = "base"


class DeviceMapper(Mounted):
    """The driver below `root` (DATA/devicemapper).

    Args:
        options: of the daemon, `dm.*`.

    Raises:
        EngineError: the kernel has no thin pools, an option is not known, or the base file system cannot be made.
    """

    name = "devicemapper"

    def __init__(self, root: str, trash: str, options: Options) -> None:
        check_available()
        self._settings = settings(options)
        super().__init__(root, trash)
        private(f"{root}/{BASE}", mode=0o710)
        self._turn = threading.Lock()
        self._users: dict[str, int] = {}
        self._prefix = _prefix(root)
        self.pool = _pool(root, self._prefix, self._settings)
        self._last = max([0, *(self._device(key)[0] for key in os.listdir(f"{root}/state") if self._has_device(key))])
        if not os.path.exists(f"{root}/{BASE}/device"):
            self._make_base()
        self._base = [int(part) for part in read(f"{root}/{BASE}/device").split()[:2]]
        self._kind = read(f"{root}/{BASE}/device").split()[2]
        self._last = max(self._last, self._base[0])
        self._expire()

    def _make_base(self) -> None:
        """The empty file system."""
        wanted = self._settings
        kind = wanted.file_system or ("xfs" if spawner.find("mkfs.xfs") and supported("xfs") else "ext4")
        mkfs = spawner.find(f"mkfs.{kind}")
        if not mkfs:
            raise Internal(f"devmapper: mkfs.{kind} is not installed")
        ident = self._new(0)
        name = f"{self._prefix}-{BASE}"
        self.pool.activate(name, ident, wanted.base_size)
        try:
            quiet = ["-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"] if kind == "ext4" else ["-K"]
            command = [mkfs, *quiet, *wanted.mkfs, dm.node(name)]
            code, _, errors = spawner.run_now(command, deadline=MKFS_DEADLINE)
            if code:
                raise Internal(f"devmapper: {' '.join(command)}: {errors.decode(errors='replace').strip()}")
            if kind == "ext4":
                _drop_lost_and_found({"type": kind, "source": dm.node(name), "options": []})
        finally:
            self.pool.deactivate(name)
        write(f"{self.root}/{BASE}/device", f"{ident} {wanted.base_size} {kind}")

    def _new(self, origin: int) -> int:
        """A new thin device, as `origin` is (0: empty); numbers that a crash has left in use are passed over."""
        with self._turn:
            while self._last < LARGEST_ID:
                self._last += 1
                try:
                    self.pool.snapshot(self._last, origin) if origin else self.pool.create(self._last)
                except FileExistsError:
                    continue
                return self._last
        raise Internal("devmapper: the thin pool has no device number left")

    def _size(self, options: Options) -> int:
        size = size_of(options, 0)
        if options and size < self._base[1]:
            raise Internal(f"devmapper: Container size cannot be smaller than {human_size(self._base[1])}")
        return size

    def _create(self, key: str, parent: str, size: int) -> None:
        self.pool.require(self._settings.least_free)
        origin, inherited = self._device(parent) if parent else (self._base[0], self._base[1])
        ident = self._new(origin)
        write(f"{self.root}/state/{key}/device", f"{ident} {max(size, inherited)}")
        if size > inherited:
            with self._tree(key) as place:
                growth.grow(place, self._kind, size)

    def _delete(self, key: str) -> None:
        if not self._has_device(key):
            return
        ident, size = self._device(key)
        self.pool.deactivate(self._name(key))
        if self.pool.data_file and self._settings.discard:
            self.pool.activate(self._name(key), ident, size)
            discard(dm.node(self._name(key)), size)
            self.pool.deactivate(self._name(key))
        self.pool.delete(ident)

    def _open(self, key: str) -> None:
        with self._turn:
            self._users[key] = self._users.get(key, 0) + 1
        self.pool.activate(self._name(key), *self._device(key))

    def _rest(self, key: str) -> None:
        """A layer's device goes when nobody looks into it; a busy one stays until the next time, or its removal."""
        with self._turn:
            left = self._users.pop(key, 1) - 1
            if left > 0:
                self._users[key] = left
                return
        if self.committed(key):
            with suppress(OSError):
                self.pool.deactivate(self._name(key), patience=0)

    def mounts(self, key: str) -> list[Mount]:
        """Its file system; the device is made for it if need be."""
        seen = self._seen(key)
        self.pool.activate(self._name(seen), *self._device(seen))
        unique = ["nouuid"] if self._kind == "xfs" else []
        options = [self._mode(key), *unique, *self._settings.mount]
        return [{"type": self._kind, "source": dm.node(self._name(seen)), "options": options}]

    def close(self) -> None:
        """The pool goes with the daemon, unless a container has a device of it, or it is somebody else's."""
        if not self._settings.pool:
            with suppress(OSError):
                self.pool.end()

    def path(self, key: str) -> str:
        """What is noted of it: its files are in the pool."""
        return f"{self.root}/state/{key}"

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        ident, size = self._device(key)
        data = {"DeviceId": str(ident), "DeviceName": self._name(key), "DeviceSize": str(size)}
        return {"Data": data, "Name": self.name}

    def status(self) -> list[list[str]]:
        """DriverStatus of info, as Docker's of devmapper."""
        data, metadata = self.pool.space()
        free = int(data.total * self._settings.least_free)
        pool = self.pool
        files = [
            ["Data file", pool.data], ["Metadata file", pool.metadata], ["Data loop file", pool.data_file],
            ["Metadata loop file", pool.metadata_file],
        ]  # fmt: skip
        spaces = [
            [f"{what} Space {which}", human_size(size)]
            for what, space in (("Data", data), ("Metadata", metadata))
            for which, size in (("Used", space.used), ("Total", space.total), ("Available", space.total - space.used))
        ]
        return [
            ["Pool Name", pool.name], ["Pool Blocksize", human_size(pool.block_size)],
            ["Base Device Size", human_size(self._base[1])], ["Backing Filesystem", self._kind],
            ["Udev Sync Supported", "true"], *(row for row in files if row[1]), *spaces,
            ["Thin Pool Minimum Free Space", human_size(free)], ["Deferred Removal Enabled", "false"],
            ["Deferred Deletion Enabled", "false"], ["Deferred Deleted Device Count", "0"],
            ["Library Version", f"kernel {dm.version()}"],
        ]  # fmt: skip

    def _name(self, key: str) -> str:
        return f"{self._prefix}-{key}"

    def _has_device(self, key: str) -> bool:
        return os.path.exists(f"{self.root}/state/{key}/device")

    def _device(self, key: str) -> tuple[int, int]:
        ident, size = read(f"{self.root}/state/{key}/device").split()
        return int(ident), int(size)


def _prefix(root: str) -> str:
    """A name for the devices of one data root: the folder's device and inode, as in Docker's."""
    info = os.stat(root)
    return f"dockwright-{os.major(info.st_dev)}:{os.minor(info.st_dev)}-{info.st_ino}"


def _pool(root: str, prefix: str, wanted: Settings) -> ThinPool:
    if wanted.pool:
        name = os.path.basename(wanted.pool)
        if not dm.exists(name):
            raise InvalidParameter(f"devmapper: Non existing device {name}")
        return ThinPool(name)
    pool = ThinPool(f"{prefix}-pool")
    if wanted.data:
        pool.on_devices(wanted.data, wanted.metadata)
    else:
        pool.on_files(f"{root}/devicemapper", wanted.loop_data, wanted.loop_metadata)
    return pool


def _drop_lost_and_found(mount: Mount) -> None:
    """An image's root is empty; e2fsck(8) makes the folder again where it needs it."""
    fd = tree.mounted(mount, "/")
    os.rmdir("lost+found", dir_fd=fd)
    os.close(fd)
