"""zfs: a dataset per snapshot, each a clone of its parent's; zfs(8) does it.

Layout, as Docker's: <dataset>/<key>, where <dataset> is that of the data root or the one of `zfs.fsname`. Datasets have
`mountpoint=legacy`: nothing mounts them but who uses them.
"""

import os
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.host.mountinfo import mount_of
from dockwright.images.snapshotters import Mount, Options
from dockwright.images.snapshotters.mounted import Mounted
from dockwright.images.snapshotters.sizes import size_of
from dockwright.kernel.mount import file_system_type
from dockwright.supervisor import spawner

ZFS_SUPER_MAGIC = 0x2FC12FC1
DEADLINE = 60.0  # seconds for one command
ORIGIN = "layer"  # the snapshot of a committed dataset that its children are clones of
_ROWS = (
    ("Space Used By Parent", "used"), ("Space Available", "available"), ("Parent Quota", "quota"), ("Compression", "compression"),
)  # fmt: skip


class Zfs(Mounted):
    """The driver below `root` (DATA/zfs).

    Args:
        options: of the daemon: `zfs.fsname`, a dataset.

    Raises:
        EngineError: no zfs here, the data root is not on it, or an option is not known.
    """

    name = "zfs"

    def __init__(self, root: str, trash: str, options: Options) -> None:
        if unknown := next((name for name in options if name != "zfs.fsname"), ""):
            raise InvalidParameter(f"Unknown option {unknown}")
        self._zfs, self._zpool = spawner.find("zfs"), spawner.find("zpool")
        if not (self._zfs and self._zpool and os.path.exists("/dev/zfs")):
            raise InvalidParameter("prerequisites for driver not satisfied (wrong filesystem?)")
        self._dataset = options.get("zfs.fsname", "") or _dataset_of(os.path.dirname(root))
        self._run("list", "-H", "-o", "name", self._dataset)
        super().__init__(root, trash)
        self._expire()

    def _run(self, *arguments: str) -> str:
        """What a command of zfs(8) prints.

        Raises:
            Internal: with what it complains of.
        """
        code, output, errors = spawner.run_now([self._zfs, *arguments], deadline=DEADLINE)
        if code:
            raise Internal(f"zfs {' '.join(arguments)}: {errors.decode(errors='replace').strip()}")
        return output.decode().strip()

    def _size(self, options: Options) -> int:
        return size_of(options, 0)

    def _create(self, key: str, parent: str, size: int) -> None:
        limit = ["-o", f"quota={size}"] if size else []
        common = ["-o", "mountpoint=legacy", *limit]
        if parent:
            self._run("clone", *common, f"{self._of(parent)}@{ORIGIN}", self._of(key))
        else:
            self._run("create", *common, self._of(key))

    def commit(self, key: str) -> None:
        """What its children will be clones of."""
        self._flush(key)
        self._run("snapshot", f"{self._of(key)}@{ORIGIN}")
        super().commit(key)

    def _delete(self, key: str) -> None:
        try:
            self._run("destroy", "-r", self._of(key))
        except Internal as error:
            if "does not exist" not in error.message:
                raise

    def _open(self, key: str) -> None:
        """A dataset is always ready."""

    def _rest(self, key: str) -> None:
        """And stays so."""

    def mounts(self, key: str) -> list[Mount]:
        """Its dataset."""
        return [{"type": "zfs", "source": self._of(self._seen(key)), "options": [self._mode(key)]}]

    def path(self, key: str) -> str:
        """What is noted of it: its files are in a dataset."""
        return f"{self.root}/state/{key}"

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        return {"Data": {"Dataset": self._of(key), "Mountpoint": ""}, "Name": self.name}

    def status(self) -> list[list[str]]:
        """DriverStatus of info, as Docker's."""
        pool = self._dataset.partition("/")[0]
        code, health, _ = spawner.run_now([self._zpool, "list", "-H", "-o", "health", pool], deadline=DEADLINE)
        wanted = ",".join(name for _, name in _ROWS)
        values = self._run("get", "-H", "-p", "-o", "value", wanted, self._dataset).splitlines()
        shown = ["no" if name == "quota" and value == "0" else value for (_, name), value in zip(_ROWS, values, strict=True)]
        return [
            ["Zpool", pool], ["Zpool Health", "not available" if code else health.decode().strip()],
            ["Parent Dataset", self._dataset], *([title, value] for (title, _), value in zip(_ROWS, shown, strict=True)),
        ]  # fmt: skip

    def close(self) -> None:
        """Nothing is held."""

    def _of(self, key: str) -> str:
        return f"{self._dataset}/{key}"


def _dataset_of(directory: str) -> str:
    """The dataset that holds `directory`.

    Raises:
        InvalidParameter: it is on another file system.
    """
    os.makedirs(directory, exist_ok=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if file_system_type(fd) != ZFS_SUPER_MAGIC:
            raise InvalidParameter("prerequisites for driver not satisfied (wrong filesystem?)")
    finally:
        os.close(fd)
    return mount_of(directory).source
