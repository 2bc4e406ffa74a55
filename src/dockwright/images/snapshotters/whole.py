"""What drivers have in common whose snapshots are whole trees: each starts as its parent is, by a copy or a clone.

What is known of a snapshot stands in state/<key>/{parent,committed,view}; Docker keeps that in its layer store.
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dockwright.base.errors import EngineError
from dockwright.images import differ
from dockwright.images.snapshotters import Mount, Options, Usage
from dockwright.images.snapshotters.files import private, read, write
from dockwright.images.trash import Trash, remove_tree
from dockwright.images.unpack import Whiteouts

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Removals:
    """Whiteouts done at once: what a layer takes away is removed from its copy of the parent."""

    def __init__(self, aside: str) -> None:
        self._aside = aside
        self._own: set[str] = set()

    def added(self, path: str) -> bool:
        """The layer itself has `path`, and so the directories above it."""
        known = path in self._own
        while path and path not in self._own:
            self._own.add(path)
            path = path.rpartition("/")[0]
        return known

    def hide(self, parent: int, folder: str, name: str) -> None:
        """Remove it, but for what the layer adds."""
        path = f"{folder}/{name}" if folder else name
        if path not in self._own:
            return self._remove(parent, name)
        try:
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None  # the layer had it, and has replaced a directory above it since
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

    def uncover(self, parent: int, name: str) -> bool:
        """What was hidden is gone already."""
        return False

    def _remove(self, parent: int, name: str) -> None:
        aside = os.open(self._aside, _DIRECTORY)
        try:
            remove_tree(parent, name, aside)
        finally:
            os.close(aside)


class Whole(ABC):
    """A driver whose snapshots are whole trees.

    What a driver adds: `_create` and `_delete` a tree, where it is filled (`_place`), how it is seen (`opened`, `mounts`).
    """

    name: str
    stacked = False
    marks: differ.Marks = differ.NODES

    def __init__(self, root: str, trash: str) -> None:
        self.root = self.base = root
        self._trash = Trash(trash)
        private(root, f"{root}/state", mode=0o710)

    @abstractmethod
    def _create(self, key: str, parent: str, size: int) -> None:
        """Make the tree of `key` as that of `parent` is, or empty; it may take `size` bytes, 0 for any."""

    @abstractmethod
    def _delete(self, key: str) -> None:
        """Remove the tree of `key`; a missing one is fine."""

    @abstractmethod
    def _size(self, options: Options) -> int:
        """The limit that a container's options, or the daemon's, ask for."""

    @abstractmethod
    def _place(self, key: str) -> str:
        """The directory in which a tree that was just made is filled."""

    @abstractmethod
    def _tree(self, key: str) -> AbstractContextManager[str]:
        """The tree of `key`, which is no view, as a directory."""

    @abstractmethod
    def mounts(self, key: str) -> list[Mount]:
        """What to mount to see `key`."""

    def prepare(self, key: str, parent: str = "") -> str:
        """A tree as its parent is."""
        self._make(key, parent, 0)
        return self._place(key)

    def writable(self, key: str, parent: str, options: Options) -> None:
        """The same, with a limit where one is asked for: it counts what is the parent's too."""
        self._make(key, parent, self._size(options))

    def _make(self, key: str, parent: str, size: int) -> None:
        self._note(key, parent)
        try:
            self._create(key, parent, size)
        except (OSError, EngineError):
            self.remove(key)
            raise

    def view(self, key: str, parent: str) -> None:
        """Note whose tree is seen; nothing is copied."""
        self._note(key, parent)
        write(f"{self.root}/state/{key}/view", "")

    def _note(self, key: str, parent: str) -> None:
        os.mkdir(f"{self.root}/state/{key}", 0o700)
        write(f"{self.root}/state/{key}/parent", parent)

    def commit(self, key: str) -> None:
        """Mark it as complete."""
        write(f"{self.root}/state/{key}/committed", "")

    def committed(self, key: str) -> bool:
        """Whether it is there and complete."""
        return os.path.exists(f"{self.root}/state/{key}/committed")

    @contextmanager
    def opened(self, key: str) -> Iterator[list[str]]:
        """A single directory: the tree."""
        with self._tree(self._seen(key)) as tree:
            yield [tree]

    def usage(self, key: str) -> Usage:
        """The files that the parent does not have, or has otherwise."""
        with self._tree(key) as tree, self._below(key) as below:
            return Usage(*differ.usage_against(tree, [below] if below else []))

    def changes(self, key: str) -> list[differ.Change]:
        """Its tree against its parent's."""
        with self._tree(key) as tree, self._below(key) as below:
            return differ.changes(tree, [below] if below else [], flat=True)

    def _below(self, key: str) -> AbstractContextManager[str]:
        parent = self._parent(key)
        return self._tree(parent) if parent else nullcontext("")

    def remove(self, key: str) -> None:
        """Remove its tree, then what is known of it."""
        self._delete(key)
        self._trash.remove(f"{self.root}/state/{key}")

    def disown(self, key: str) -> None:
        """Remove its state."""
        self._trash.remove(f"{self.root}/state/{key}")

    def keys(self) -> list[str]:
        """Every key with a state."""
        return sorted(os.listdir(f"{self.root}/state"))

    def whiteouts(self, directory: str) -> Whiteouts:
        """Done at once."""
        return Removals(self.aside(directory))

    def aside(self, directory: str) -> str:
        """The directory itself, which is a file system of its own."""
        return directory

    def graph_driver(self, key: str) -> dict[str, Any]:
        """GraphDriver of inspect."""
        return {"Data": None, "Name": self.name}

    def _seen(self, key: str) -> str:
        """The key whose tree is seen as `key`."""
        return self._parent(key) if os.path.exists(f"{self.root}/state/{key}/view") else key

    def _mode(self, key: str) -> str:
        """`rw` for an active snapshot, else `ro`."""
        return "ro" if self._seen(key) != key or self.committed(key) else "rw"

    def _parent(self, key: str) -> str:
        return read(f"{self.root}/state/{key}/parent")
