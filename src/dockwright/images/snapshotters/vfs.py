"""vfs: every snapshot is a whole copy of its parent. It needs nothing of the kernel and costs the most disk.

Layout, as Docker's: dir/<key> is the tree.
"""

import os
from contextlib import AbstractContextManager, nullcontext

from dockwright.base.errors import InvalidParameter
from dockwright.images.copytree import copy_tree
from dockwright.images.snapshotters import Mount, Options
from dockwright.images.snapshotters.files import private
from dockwright.images.snapshotters.sizes import Quotas, bytes_of, size_of
from dockwright.images.snapshotters.whole import Whole


class Vfs(Whole):
    """The driver below `root` (DATA/vfs).

    Args:
        options: of the daemon: `size`, what each container may take.

    Raises:
        EngineError: an option that is not known, or that the backing file system cannot keep.
    """

    name = "vfs"

    def __init__(self, root: str, trash: str, options: Options) -> None:
        super().__init__(root, trash)
        private(f"{root}/dir", mode=0o710)
        self._quotas = Quotas(f"{root}/dir")
        if unknown := next((name for name in options if name not in ("size", "vfs.size")), ""):
            raise InvalidParameter(f"unknown option {unknown} for vfs")
        self._default = self._kept(bytes_of(next(iter(options.values()), "0")))

    def _size(self, options: Options) -> int:
        return self._kept(size_of(options, self._default, "Storage opt {} not supported"))

    def _kept(self, size: int) -> int:
        if size and not self._quotas.kept:
            raise InvalidParameter("Filesystem does not support, or has not enabled quotas")
        return size

    def _create(self, key: str, parent: str, size: int) -> None:
        tree = self.path(key)
        os.mkdir(tree, 0o755)
        if size:
            self._quotas.limit(tree, size)
        if parent:
            copy_tree(self.path(parent), tree)

    def _delete(self, key: str) -> None:
        self._trash.remove(self.path(key))

    def _place(self, key: str) -> str:
        return self.path(key)

    def _tree(self, key: str) -> AbstractContextManager[str]:
        return nullcontext(self.path(key))

    def mounts(self, key: str) -> list[Mount]:
        """A bind of the tree."""
        return [{"type": "bind", "source": self.path(self._seen(key)), "options": ["rbind", self._mode(key)]}]

    def keys(self) -> list[str]:
        """Every tree, and every key with a state."""
        return sorted({*os.listdir(f"{self.root}/dir"), *super().keys()})

    def path(self, key: str) -> str:
        """Its tree."""
        return f"{self.root}/dir/{key}"

    def aside(self, directory: str) -> str:
        """The trash: it is on the same file system."""
        return self._trash.path

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> list[list[str]]:
        """DriverStatus of info: nothing to say."""
        return []
