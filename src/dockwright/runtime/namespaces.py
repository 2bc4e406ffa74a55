"""Which namespaces a container gets: new ones by clone3(2), given ones by setns(2) (namespaces(7))."""

from __future__ import annotations

import os

from dockwright.kernel import process as k
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = {
    "user": k.CLONE_NEWUSER, "mount": k.CLONE_NEWNS, "uts": k.CLONE_NEWUTS, "ipc": k.CLONE_NEWIPC,
    "network": k.CLONE_NEWNET, "pid": k.CLONE_NEWPID, "cgroup": k.CLONE_NEWCGROUP, "time": k.CLONE_NEWTIME,
}  # fmt: skip
FILES = {"mount": "mnt", "network": "net"}  # the others are named alike in /proc/PID/ns


class Namespaces:
    """The spec's linux.namespaces, sorted by how they come about.

    Attributes:
        new: CLONE_NEW* flags for clone3. joined: (flag, path) in the order to join. kinds: all types named.
        cgroup: whether init makes its own cgroup namespace, after it has joined its cgroups (else a parent's would show).
    """

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.new = 0
        self.cgroup = False
        self.joined: list[tuple[int, str]] = []
        self.kinds = [entry["type"] for entry in entries]
        if len(set(self.kinds)) != len(self.kinds):
            twice = next(entry for entry in entries if self.kinds.count(entry["type"]) > 1)
            raise RuntimeFailure(f"malformed spec file: duplicated ns {_shown(twice)}")
        for entry in sorted(entries, key=_order):
            path, flag = entry.get("path") or "", FLAGS[entry["type"]]
            if path:
                self.joined.append((flag, path))
            elif entry["type"] == "cgroup":
                self.cgroup = True
            else:
                self.new |= flag

    @property
    def user(self) -> bool:
        """Whether a new user namespace is made."""
        return bool(self.new & k.CLONE_NEWUSER)

    def has(self, kind: str) -> bool:
        """Whether the container has a namespace of this type that is not the caller's."""
        return kind in self.kinds

    def open_joined(self) -> list[tuple[int, int]]:
        """(flag, descriptor) of each namespace to join, opened in the host's view.

        Raises:
            RuntimeFailure: one of the paths is not there.
        """
        opened: list[tuple[int, int]] = []
        for flag, path in self.joined:
            try:
                opened.append((flag, os.open(path, os.O_RDONLY | os.O_CLOEXEC)))
            except OSError as error:
                for _, fd in opened:
                    os.close(fd)
                raise RuntimeFailure(f"namespace path: lstat {path}: {words(error)}") from None
        return opened


def _order(entry: dict[str, Any]) -> int:
    """Its place in the order of joining.

    Raises:
        RuntimeFailure: there is no such namespace.
    """
    if entry["type"] not in FLAGS:
        raise RuntimeFailure(f"namespace {_shown(entry)} does not exist")
    return list(FLAGS).index(entry["type"])


def _shown(entry: dict[str, Any]) -> str:
    return f'{{"{entry["type"]}" "{entry.get("path") or ""}"}}'
