"""What drivers have in common whose snapshots are file systems: they are looked into through detached mounts.

Such a mount hangs nowhere in the tree of names; it is reached through a descriptor, and goes with it, also when the daemon
is killed. Nothing has to be unmounted after a crash.
"""

import os
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from dockwright.images.snapshotters.whole import Whole
from dockwright.images.trash import Trash
from dockwright.kernel.sync import syncfs
from dockwright.runtime import tree

UNOWNED = "unowned"


class Mounted(Whole):
    """A driver whose snapshots are file systems. It adds `_open` and `_rest`, which make a snapshot mountable and let it go."""

    def __init__(self, root: str, trash: str) -> None:
        super().__init__(root, trash)
        self._filled: dict[str, int] = {}  # what is being unpacked into: key to the descriptor of its mount

    @abstractmethod
    def _open(self, key: str) -> None:
        """Make the file system of `key` ready to be mounted."""

    @abstractmethod
    def _rest(self, key: str) -> None:
        """`_open` no longer counts; a snapshot that a container may have is left ready."""

    def _place(self, key: str) -> str:
        fd = tree.mounted(self.mounts(key)[0], "/")
        self._filled[key] = fd
        return f"/proc/{os.getpid()}/fd/{fd}/."

    def commit(self, key: str) -> None:
        """Write everything out, then mark it as complete."""
        self._flush(key)
        super().commit(key)
        self._rest(key)

    def _flush(self, key: str) -> None:
        if key in self._filled:
            syncfs(f"/proc/self/fd/{self._filled[key]}")
            self._close(key)

    def remove(self, key: str) -> None:
        """Remove it; whoever was unpacking into it has ended."""
        self._close(key)
        super().remove(key)

    def _close(self, key: str) -> None:
        if key in self._filled:
            os.close(self._filled.pop(key))

    def disown(self, key: str) -> None:
        """There is no folder to be moved to the trash: what is noted waits here, and the file system with it."""
        os.makedirs(f"{self.root}/{UNOWNED}", 0o700, exist_ok=True)
        os.rename(f"{self.root}/state/{key}", f"{self.root}/{UNOWNED}/{int(time.time())}.{key}")

    def _expire(self) -> None:
        """Remove what nobody has asked for long enough. At the end of a driver's making."""
        waiting = f"{self.root}/{UNOWNED}"
        for name in os.listdir(waiting) if os.path.isdir(waiting) else ():
            stamp, _, key = name.partition(".")
            if int(stamp) + Trash.PATIENCE < time.time():
                os.rename(f"{waiting}/{name}", f"{self.root}/state/{key}")
                self.remove(key)

    @contextmanager
    def _tree(self, key: str) -> Iterator[str]:
        self._open(key)
        try:
            fd = tree.mounted(self.mounts(key)[0], "/")
            try:
                yield f"/proc/{os.getpid()}/fd/{fd}/."
            finally:
                os.close(fd)
        finally:
            self._rest(key)
