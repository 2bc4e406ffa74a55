"""btrfs: a subvolume per snapshot, each a snapshot of its parent's; a limit is a quota group's.

Layout, as Docker's: subvolumes/<key> is the tree. The data root must be on btrfs.
"""

import errno
import os
from contextlib import AbstractContextManager, nullcontext

from dockwright.base.errors import InvalidParameter
from dockwright.images.snapshotters import Mount, Options
from dockwright.images.snapshotters.files import private
from dockwright.images.snapshotters.sizes import bytes_of, size_of
from dockwright.images.snapshotters.whole import Whole
from dockwright.kernel import btrfs
from dockwright.kernel.mount import file_system_type


class Btrfs(Whole):
    """The driver below `root` (DATA/btrfs).

    Args:
        options: of the daemon: `btrfs.min_space`, the least size a container may ask for.

    Raises:
        EngineError: the data root is on another file system, or an option is not known.
    """

    name = "btrfs"

    def __init__(self, root: str, trash: str, options: Options) -> None:
        _check_file_system(os.path.dirname(root))
        super().__init__(root, trash)
        private(f"{root}/subvolumes", mode=0o710)
        if unknown := next((name for name in options if name != "btrfs.min_space"), ""):
            raise InvalidParameter(f"Unknown option {unknown}")
        self._least = bytes_of(options.get("btrfs.min_space", "0"))
        self._counting = False

    def _size(self, options: Options) -> int:
        size = size_of(options, 0)
        if options and size < self._least:
            raise InvalidParameter(f"btrfs: storage size cannot be less than {self._least}")
        return size

    def _create(self, key: str, parent: str, size: int) -> None:
        folder = f"{self.root}/subvolumes"
        if parent:
            btrfs.snapshot(self.path(parent), folder, key)
        else:
            btrfs.create(folder, key)
            os.chmod(self.path(key), 0o755)
        if size:
            self._count()
            btrfs.limit(self.path(key), size)

    def _count(self) -> None:
        """Quotas cost, so they are switched on for the first container that asks for them."""
        if not self._counting:
            btrfs.enable_quotas(self.root)
            self._counting = True

    def _delete(self, key: str) -> None:
        """The subvolume, and those that somebody has made inside it."""
        try:
            self._destroy(self.path(key))
        except FileNotFoundError:
            pass  # removed before, or half made

    def _destroy(self, path: str) -> None:
        ident = btrfs.subvolume_id(path)
        try:
            btrfs.destroy(*os.path.split(path))
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            for name in _inner(path):
                self._destroy(f"{path}/{name}")
            btrfs.destroy(*os.path.split(path))
        try:
            btrfs.forget_limit(self.root, ident)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTCONN, errno.EINVAL, errno.EBUSY):
                raise  # it had none, quotas are off, or the kernel drops it itself when it has cleaned up

    def _place(self, key: str) -> str:
        return self.path(key)

    def _tree(self, key: str) -> AbstractContextManager[str]:
        return nullcontext(self.path(key))

    def mounts(self, key: str) -> list[Mount]:
        """A bind of the tree."""
        return [{"type": "bind", "source": self.path(self._seen(key)), "options": ["rbind", self._mode(key)]}]

    def keys(self) -> list[str]:
        """Every tree, and every key with a state."""
        return sorted({*os.listdir(f"{self.root}/subvolumes"), *super().keys()})

    def path(self, key: str) -> str:
        """Its tree."""
        return f"{self.root}/subvolumes/{key}"

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return [["Btrfs", ""]]


def _check_file_system(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if file_system_type(fd) != btrfs.BTRFS_SUPER_MAGIC:
            raise InvalidParameter("prerequisites for driver not satisfied (wrong filesystem?)")
    finally:
        os.close(fd)


def _inner(path: str) -> list[str]:
    """Subvolumes somewhere below `path`, innermost first; no link is followed, and no other file system entered."""
    found, device = [], os.stat(path).st_dev
    for folder, names, _, _ in os.fwalk(path, topdown=True, follow_symlinks=False):
        for name in list(names):
            info = os.lstat(f"{folder}/{name}")
            if info.st_ino == btrfs.FIRST_FREE_OBJECTID and info.st_dev != device:
                found.append(os.path.relpath(f"{folder}/{name}", path))
                names.remove(name)
    return found
