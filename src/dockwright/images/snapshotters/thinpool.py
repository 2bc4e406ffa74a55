"""A thin pool of the device mapper: made on loop devices, or somebody else's; devices in it by number.

Documentation/admin-guide/device-mapper/thin-provisioning.rst.
"""

import errno
import fcntl
import os
import threading
import time
from dataclasses import dataclass

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.kernel import devicemapper as dm
from dockwright.kernel import loop

BLOCK = 128  # sectors: 64 KiB, as Docker's
LOW_WATER = 32768  # free blocks at which the kernel says so
LARGEST_ID = (1 << 24) - 1
PATIENCE = 10.0  # seconds that a device may stay busy: the mounts of a container end a little after it
BLKGETSIZE64, BLKDISCARD = 0x80081272, 0x1277
METADATA_BLOCK = 4096  # bytes


@dataclass(frozen=True)
class Space:
    """Bytes used and there in all."""

    used: int
    total: int


class ThinPool:
    """One pool.

    Attributes:
        name: of its device. data, metadata: paths of its devices; "" for a pool of somebody else's.
        data_file, metadata_file: behind the loop devices; "" without.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.data = self.metadata = self.data_file = self.metadata_file = ""
        self._turn = threading.Lock()

    def on_files(self, folder: str, data: int, metadata: int) -> None:
        """Back it by sparse files in `folder`, made with these sizes in bytes at the first time."""
        os.makedirs(folder, 0o700, exist_ok=True)
        self.data_file, self.metadata_file = f"{folder}/data", f"{folder}/metadata"
        for path, size in ((self.data_file, data), (self.metadata_file, metadata)):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(fd).st_size < size:
                os.ftruncate(fd, size)
            os.close(fd)
        if dm.exists(self.name):
            self.data, self.metadata = loop.find(self.data_file), loop.find(self.metadata_file)
            return
        devices = [loop.attach(path, readonly=False) for path in (self.data_file, self.metadata_file)]
        try:
            self.on_devices(devices[0].path, devices[1].path)
        finally:
            for device in devices:
                device.close()  # the pool holds them now; they go with it

    def on_devices(self, data: str, metadata: str) -> None:
        """Back it by two block devices; an empty metadata device starts with a block of zeros."""
        self.data, self.metadata = data, metadata
        if dm.exists(self.name):
            return
        fd = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
        size = int.from_bytes(fcntl.ioctl(fd, BLKGETSIZE64, bytes(8)), "little")
        os.close(fd)
        table = f"{metadata} {data} {BLOCK} {LOW_WATER} 2 skip_block_zeroing error_if_no_space"
        _device(self.name, size // dm.SECTOR, "thin-pool", table)

    def end(self) -> None:
        """Remove the pool's own device; its files and what is in them stay."""
        dm.remove(self.name)

    def create(self, ident: int) -> None:
        """An empty thin device. Raises OSError: EEXIST."""
        dm.send(self.name, f"create_thin {ident}")

    def snapshot(self, ident: int, origin: int) -> None:
        """A thin device as `origin`, which is not in use, is now."""
        dm.send(self.name, f"create_snap {ident} {origin}")

    def delete(self, ident: int) -> None:
        """Remove a thin device that is not active; a missing one is fine."""
        try:
            dm.send(self.name, f"delete {ident}")
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOENT):
                raise

    def activate(self, device: str, ident: int, size: int) -> None:
        """Make a thin device a block device called `device`, if it is not yet."""
        with self._turn:
            if not dm.exists(device):
                _device(device, size // dm.SECTOR, "thin", f"{self.path} {ident}")

    def deactivate(self, device: str, patience: float = PATIENCE) -> None:
        """The opposite; a device nobody has made is fine.

        Raises:
            OSError: EBUSY, somebody has it mounted still.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                return dm.remove(device)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return None
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    @property
    def path(self) -> str:
        """The pool's device node."""
        return dm.node(self.name)

    def space(self) -> tuple[Space, Space]:
        """Of data and metadata."""
        return _spaces(dm.status(self.name)[1], self.block_size)

    @property
    def block_size(self) -> int:
        """Bytes of a block."""
        return int(dm.status(self.name, table=True)[1].split()[2]) * dm.SECTOR

    def require(self, least: float) -> None:
        """Refuse to go on when less than a share of the pool is free.

        Raises:
            Internal: in Docker's words.
        """
        data, _ = self.space()
        free, wanted = (data.total - data.used) // self.block_size, int(data.total * least) // self.block_size
        if free < wanted:
            raise Internal(
                f"devmapper: Thin Pool has {free} free data blocks which is less than minimum required {wanted} free data "
                "blocks. Create more free space in thin pool or use dm.min_free_space option to change behavior"
            )


def _spaces(text: str, block: int) -> tuple[Space, Space]:
    """The status line of a pool: transaction, used/total metadata blocks, used/total data blocks, ...

    Raises:
        Internal: the pool has failed.
    """
    fields = text.split()
    if len(fields) < 3:
        raise Internal(f"devmapper: the thin pool is broken: {text}")
    metadata, data = ([int(part) for part in fields[index].split("/")] for index in (1, 2))
    return Space(data[0] * block, data[1] * block), Space(metadata[0] * METADATA_BLOCK, metadata[1] * METADATA_BLOCK)


def _device(name: str, sectors: int, kind: str, table: str) -> None:
    dm.create(name)
    try:
        dm.load(name, sectors, kind, table)
        dm.resume(name)
    except OSError:
        dm.remove(name)
        raise


def discard(path: str, size: int) -> None:
    """Give the blocks of a device back, so that a sparse file below gets smaller (BLKDISCARD)."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, BLKDISCARD, (0).to_bytes(8, "little") + size.to_bytes(8, "little"))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    finally:
        os.close(fd)


def check_available() -> None:
    """Raises InvalidParameter, in Docker's words, where the kernel has no thin pools."""
    if not dm.have_control() or not dm.has_target("thin-pool"):
        raise InvalidParameter("driver not supported")
