"""vfs: every snapshot is a whole copy of its parent. It needs nothing of the kernel and costs the most disk.

Layout, as Docker's: dir/<key> is the tree. Beside it state/<key>/{parent,committed,view}, which Docker keeps in its layer store.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.images import differ
from dockwright.images.copytree import copy_tree
from dockwright.images.snapshotters import Mount, Options, Usage
from dockwright.images.snapshotters.files import private, read, write
from dockwright.images.snapshotters.sizes import Quotas, bytes_of, size_of
from dockwright.images.trash import Trash, remove_tree
from dockwright.images.unpack import Whiteouts

NAME = "vfs"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Removals:
    """Whiteouts done at once: what a layer takes away is removed from its copy of the parent."""

    def __init__(self, aside: str) -> None:
        self._aside = aside
        self._own: set[str] = set()

    def added(self, path: str) -> None:
        """The layer itself has `path`, and so the directories above it."""
        while path and path not in self._own:
            self._own.add(path)
            path = path.rpartition("/")[0]

    def hide(self, parent: int, folder: str, name: str) -> None:
        """Remove it, but for what the layer adds."""
        path = f"{folder}/{name}" if folder else name
        if path not in self._own:
            return self._remove(parent, name)
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            fd = os.open(name, _DIRECTORY, dir_fd=parent)
            try:
                self.opaque(fd, path)
            finally:
                os.close(fd)
        return None

    def opaque(self, parent: int, folder: str) -> None:
        """Hide every name in the directory."""
        for name in os.listdir(parent):
            self.hide(parent, folder, name)

    def _remove(self, parent: int, name: str) -> None:
        aside = os.open(self._aside, _DIRECTORY)
        try:
            remove_tree(parent, name, aside)
        finally:
            os.close(aside)


class Vfs:
    """The driver below `root` (DATA/vfs).

    Args:
        options: of the daemon: `size`, what each container may take.

    Raises:
        EngineError: an option that is not known, or that the backing file system cannot keep.
    """

    name = NAME
    stacked = False

    def __init__(self, root: str, trash: str, options: Options) -> None:
        self.root = self.base = root
        self._trash = Trash(trash)
        private(root, f"{root}/dir", f"{root}/state", mode=0o710)
        self._quotas = Quotas(f"{root}/dir")
        if unknown := next((name for name in options if name not in ("size", "vfs.size")), ""):
            raise InvalidParameter(f"unknown option {unknown} for vfs")
        self._size = self._checked(bytes_of(next(iter(options.values()), "0")))

    def _checked(self, size: int) -> int:
        if size and not self._quotas.kept:
            raise InvalidParameter("Filesystem does not support, or has not enabled quotas")
        return size

    def writable(self, key: str, parent: str, options: Options) -> None:
        """The same, with a limit where one is asked for: it counts the copy of the parent too."""
        self._make(key, parent, self._checked(size_of(options, self._size, "Storage opt {} not supported")))

    def prepare(self, key: str, parent: str = "") -> str:
        """Copy the parent."""
        return self._make(key, parent, 0)

    def _make(self, key: str, parent: str, size: int) -> str:
        self._state(key, parent)
        tree = self.path(key)
        try:
            os.mkdir(tree, 0o755)
            if size:
                self._quotas.limit(tree, size)
            if parent:
                copy_tree(self.path(parent), tree)
        except OSError:
            self.remove(key)
            raise
        return tree

    def view(self, key: str, parent: str) -> None:
        """Note whose tree is seen; nothing is copied."""
        self._state(key, parent)
        write(f"{self.root}/state/{key}/view", "")

    def _state(self, key: str, parent: str) -> None:
        os.mkdir(f"{self.root}/state/{key}", 0o700)
        write(f"{self.root}/state/{key}/parent", parent)

    def commit(self, key: str) -> None:
        """Mark it as complete."""
        write(f"{self.root}/state/{key}/committed", "")

    def committed(self, key: str) -> bool:
        """Whether it is there and complete."""
        return os.path.exists(f"{self.root}/state/{key}/committed")

    def mounts(self, key: str) -> list[Mount]:
        """A bind of the tree."""
        if os.path.exists(f"{self.root}/state/{key}/view"):
            return [{"type": "bind", "source": self.path(self._parent(key)), "options": ["rbind", "ro"]}]
        mode = "ro" if self.committed(key) else "rw"
        return [{"type": "bind", "source": self.path(key), "options": ["rbind", mode]}]

    def usage(self, key: str) -> Usage:
        """The files that the parent does not have, or has otherwise."""
        return Usage(*differ.usage_against(self.path(key), self._below(key)))

    def changes(self, key: str) -> list[differ.Change]:
        """Its tree against its parent's."""
        return differ.changes(self.path(key), self._below(key), flat=True)

    def _below(self, key: str) -> list[str]:
        parent = self._parent(key)
        return [self.path(parent)] if parent else []

    def remove(self, key: str) -> None:
        """Remove its tree, then what is known of it."""
        self._trash.remove(self.path(key))
        self.disown(key)

    def disown(self, key: str) -> None:
        """Remove its state."""
        self._trash.remove(f"{self.root}/state/{key}")

    def keys(self) -> list[str]:
        """Every tree, and every key with a state."""
        return sorted({*os.listdir(f"{self.root}/dir"), *os.listdir(f"{self.root}/state")})

    def path(self, key: str) -> str:
        """Its tree."""
        return f"{self.root}/dir/{key}"

    @contextmanager
    def opened(self, key: str) -> Iterator[list[str]]:
        """A single directory: the tree."""
        view = os.path.exists(f"{self.root}/state/{key}/view")
        yield [self.path(self._parent(key) if view else key)]

    def aside(self, directory: str) -> str:
        """The trash."""
        return self._trash.path

    def whiteouts(self, directory: str) -> Whiteouts:
        """Done at once."""
        return Removals(self._trash.path)

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        return {"Data": None, "Name": NAME}

    def status(self) -> list[list[str]]:
        """DriverStatus of info: nothing to say."""
        return []

    def _parent(self, key: str) -> str:
        return read(f"{self.root}/state/{key}/parent")
