"""Whose every block of the data root is: what rows know, what the engine needs itself, and what nobody owns."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.findings import Place
from dockwright.host.mountinfo import mounts_below

ENGINE, UNOWNED = "Metadata", "Unowned"
BLOCK = 512  # st_blocks counts these (stat(2))
_OWN = ("metadata.db", "engine-id", "lock", "containers", "volumes", "tmp")


@dataclass
class Account:
    """What a walk has found; sizes in bytes of blocks, each inode once.

    Attributes:
        total: of the data root. kinds: by kind. owners: by kind and owner. unowned: by path.
    """

    total: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    owners: dict[tuple[str, str], int] = field(default_factory=dict)
    unowned: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For the API."""
        return {
            "Total": self.total,
            "Kinds": [{"Kind": kind, "Size": size} for kind, size in sorted(self.kinds.items(), key=lambda item: -item[1])],
            "Unowned": [{"Path": path, "Size": size} for path, size in sorted(self.unowned.items())],
        }


def account(root: str, places: Iterable[Place]) -> Account:
    """Walk the data root; what is mounted below it belongs to other file systems and is left out.

    Args:
        places: whose what is, absolute; what is below one belongs to it, but for places of its own.
    """
    walk = _Walk(root, places)
    walk.go()
    return walk.account


def strangers(root: str, places: Iterable[Place]) -> list[str]:
    """Paths right below the data root that are nobody's."""
    known = {path for path, kind, _ in places if kind} | {f"{root}/{name}" for name in _OWN}
    paths = [f"{root}/{name}" for name in sorted(os.listdir(root)) if not name.startswith(_OWN[0])]
    return [path for path in paths if path not in known]


class _Walk:
    def __init__(self, root: str, places: Iterable[Place]) -> None:
        self._root = root
        self._places = {path: (kind, owner) for path, kind, owner in places}
        self._places.update((f"{root}/{name}", (ENGINE, "")) for name in _OWN if f"{root}/{name}" not in self._places)
        self._mounted = set(mounts_below(root)) - {root}
        self._seen: set[tuple[int, int]] = set()
        self.account = Account()

    def go(self) -> None:
        todo: list[tuple[str, str, str]] = [(self._root, ENGINE, "")]
        while todo:
            path, kind, owner = todo.pop()
            try:
                there = os.lstat(path)
                names = os.listdir(path) if path == self._root or (there.st_mode & 0o170000) == 0o040000 else []
            except FileNotFoundError:
                continue  # removed meanwhile
            self._count(there, path, kind, owner)
            for name in names:
                below = f"{path}/{name}"
                if below not in self._mounted:
                    todo.append((below, *self._whose(below, path, kind, owner)))

    def _whose(self, path: str, above: str, kind: str, owner: str) -> tuple[str, str]:
        """Its own place's, else that of what it is in; at the top of the data root what is unknown is nobody's."""
        if path in self._places:
            found, name = self._places[path]
            return (found, name) if found else (UNOWNED, path)
        if above == self._root and not path.startswith(f"{self._root}/metadata.db"):
            return UNOWNED, path
        return kind, owner

    def _count(self, there: os.stat_result, path: str, kind: str, owner: str) -> None:
        if there.st_nlink > 1 and (there.st_mode & 0o170000) != 0o040000:
            if (there.st_dev, there.st_ino) in self._seen:
                return
            self._seen.add((there.st_dev, there.st_ino))
        size = there.st_blocks * BLOCK
        account = self.account
        account.total += size
        account.kinds[kind] = account.kinds.get(kind, 0) + size
        account.owners[kind, owner] = account.owners.get((kind, owner), 0) + size
        if kind == UNOWNED:
            account.unowned[owner] = account.unowned.get(owner, 0) + size
