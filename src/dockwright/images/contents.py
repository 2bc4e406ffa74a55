"""What is in images: what each layer adds, changes and removes, what later layers hide of it; how two images differ."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.images.differ import ADDED, DELETED, MODIFIED, Change, Marks, lookup
from dockwright.images.inflate import CHUNK
from dockwright.images.snapshotters import Snapshotter

Difference = tuple[str, int, int, int]  # path, kind, bytes before, bytes after


@dataclass
class LayerContents:
    """One layer: how many files (all but directories) it adds and changes, how much it removes; bytes of its files, and of those
    that later layers hide."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    size: int = 0
    wasted: int = 0
    hidden: dict[str, int] = field(default_factory=dict)  # by path


@dataclass(slots=True)
class _Node:
    """A path in the merged tree: which layer it is of, and what that layer pays for it."""

    layer: int = -1
    size: int = 0
    below: dict[str, "_Node"] = field(default_factory=dict)


def layers(driver: Snapshotter, keys: Sequence[str]) -> list[LayerContents]:
    """The layers of an image, lowest first, by their snapshots' keys. In a worker thread: every file is looked at."""
    merged = _Merged()
    for key in keys:
        with driver.opened(key) as directories:
            merged.add(directories[0], driver.changes(key))
    return merged.layers


class _Merged:
    """The tree that layers make up, as they are put on each other."""

    def __init__(self) -> None:
        self.layers: list[LayerContents] = []
        self._root = _Node()
        self._inodes: set[tuple[int, int]] = set()  # of the topmost layer, with several names

    def add(self, top: str, changes: Iterable[Change]) -> None:
        """Put a layer on top, whose files are below directory `top`. Deletions come first: they make room."""
        contents = LayerContents()
        self.layers.append(contents)
        self._inodes.clear()
        for path, kind in sorted(changes, key=lambda change: change[1] != DELETED):
            if kind == DELETED:
                contents.removed += 1
                self._take(path)
                continue
            info = os.lstat(top + path)
            self._put(path, info)
            contents.added += kind == ADDED and not stat.S_ISDIR(info.st_mode)
            contents.changed += kind == MODIFIED and not stat.S_ISDIR(info.st_mode)

    def _put(self, path: str, info: os.stat_result) -> None:
        node = self._root
        for part in path.strip("/").split("/"):
            node = node.below.setdefault(part, _Node())
        self._waste(node, path)
        node.layer, node.size = -1, 0
        if stat.S_ISDIR(info.st_mode):
            return
        self._waste_below(node, path)  # it may replace a directory
        node.layer, node.size, node.below = len(self.layers) - 1, self._cost(info), {}
        self.layers[-1].size += node.size

    def _cost(self, info: os.stat_result) -> int:
        """What a layer pays for a file: an inode with several names once."""
        if info.st_nlink > 1:
            if (info.st_dev, info.st_ino) in self._inodes:
                return 0
            self._inodes.add((info.st_dev, info.st_ino))
        return info.st_size

    def _take(self, path: str) -> None:
        """A path, and all below it, is seen no more."""
        node, parts = self._root, path.strip("/").split("/")
        for part in parts[:-1]:
            if part not in node.below:
                return
            node = node.below[part]
        gone = node.below.pop(parts[-1], None)
        if gone:
            self._waste(gone, path)
            self._waste_below(gone, path)

    def _waste_below(self, node: _Node, path: str) -> None:
        waiting = [(path, node)]
        while waiting:
            above, node = waiting.pop()
            for name, below in node.below.items():
                self._waste(below, f"{above}/{name}")
                waiting.append((f"{above}/{name}", below))

    def _waste(self, node: _Node, path: str) -> None:
        if 0 <= node.layer < len(self.layers) - 1:
            self.layers[node.layer].wasted += node.size
            self.layers[node.layer].hidden[path] = node.size


def differences(old: Sequence[str], new: Sequence[str], marks: Marks) -> list[Difference]:
    """How the merged tree `new` differs from `old`, by path; directories of an image, top first. In a worker thread.

    Contents are compared where times differ and sizes do not.
    """
    before, after = dict(_tree(old, marks)), dict(_tree(new, marks))
    found = [(path, DELETED, _bytes(info), 0) for path, (info, _) in before.items() if path not in after]
    for path, (info, place) in after.items():
        if path not in before:
            found.append((path, ADDED, 0, _bytes(info)))
        elif not _equal(*before[path], info, place):
            found.append((path, MODIFIED, _bytes(before[path][0]), _bytes(info)))
    return sorted(found)


def _tree(stack: Sequence[str], marks: Marks) -> Iterator[tuple[str, tuple[os.stat_result, str]]]:
    """Every path of merged directories, with what it is and where it lies."""
    waiting = [("", list(stack))]
    while waiting:
        path, under = waiting.pop()
        names = {marks.meaning(entry) for directory in under for entry in os.listdir(directory)}
        for name in sorted(name for name, gone in names if name and not gone):
            info, deeper = lookup(under, name, marks)
            if info is None:
                continue
            place = next(f"{d}/{name}" for d in under if os.path.lexists(f"{d}/{name}"))
            yield f"{path}/{name}", (info, place)
            if deeper:
                waiting.append((f"{path}/{name}", deeper))


def _bytes(info: os.stat_result) -> int:
    return 0 if stat.S_ISDIR(info.st_mode) else info.st_size


def _equal(old: os.stat_result, old_place: str, new: os.stat_result, new_place: str) -> bool:
    if (old.st_dev, old.st_ino) == (new.st_dev, new.st_ino):
        return True
    one, two = ((s.st_mode, s.st_uid, s.st_gid, s.st_rdev, _bytes(s)) for s in (old, new))
    if one != two:
        return False
    if stat.S_ISLNK(old.st_mode):
        return os.readlink(old_place) == os.readlink(new_place)
    return not stat.S_ISREG(old.st_mode) or old.st_size == 0 or _digest(old_place) == _digest(new_place)


def _digest(place: str) -> bytes:
    sha = hashlib.sha256()
    with open(place, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW)) as file:
        while data := file.read(CHUNK):
            sha.update(data)
    return sha.digest()


def config_differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(field, before, after) of all that two images' configs say otherwise, but for layers and history: files tell those."""
    left, right = _flat(old), _flat(new)
    return [
        (name, left.get(name), right.get(name)) for name in sorted({*left, *right}) if left.get(name) != right.get(name)
    ]


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in config.items() if name not in ("config", "container_config", "rootfs", "history")}
    return {**own, **{f"config.{name}": value for name, value in (config.get("config") or {}).items() if value}}
