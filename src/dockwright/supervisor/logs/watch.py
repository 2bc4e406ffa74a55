"""Waking those who follow a log when its folder changes: one inotify descriptor for all of them.

Where the host's inotify limits are used up, followers look again every 100 ms.
"""

import asyncio
import contextlib
import os
from typing import Any

from dockwright.kernel import inotify

POLL = 0.1  # seconds, without inotify
PATIENCE = 5.0  # seconds after which a follower looks again even so
_MASK = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO


class Watch:
    """One follower's bell. Close it."""

    def __init__(self, watcher: "Watcher", directory: str) -> None:
        self._watcher = watcher
        self._bell = asyncio.Event()
        self.descriptor = watcher.add(directory, self._bell)

    async def wait(self, until: "asyncio.Future[int]", seconds: float | None = None) -> None:
        """Return when the folder has changed, `until` is done or `seconds` are over (whichever is first)."""
        patience = POLL if self.descriptor < 0 else PATIENCE
        if seconds is not None:
            patience = min(patience, seconds)
        bell = asyncio.ensure_future(self._bell.wait())
        try:
            waited: set[asyncio.Future[Any]] = {bell, until}
            await asyncio.wait(waited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            bell.cancel()
        self._bell.clear()

    def close(self) -> None:
        """Listen no more."""
        self._watcher.drop(self.descriptor, self._bell)


class Watcher:
    """The daemon's inotify descriptor, made at the first use."""

    def __init__(self) -> None:
        self._fd = -1
        self._bells: dict[int, list[asyncio.Event]] = {}

    def watch(self, directory: str) -> Watch:
        """A bell that rings at each change of a file in `directory`."""
        return Watch(self, directory)

    def add(self, directory: str, bell: asyncio.Event) -> int:
        """The watch descriptor; -1 where inotify has no room."""
        try:
            if self._fd < 0:
                self._fd = inotify.init()
                asyncio.get_running_loop().add_reader(self._fd, self._ring)
            descriptor = inotify.add(self._fd, directory, _MASK)
        except OSError:
            return -1
        self._bells.setdefault(descriptor, []).append(bell)
        return descriptor

    def drop(self, descriptor: int, bell: asyncio.Event) -> None:
        """Take a bell away; the last one takes the watch with it."""
        bells = self._bells.get(descriptor, [])
        if bell in bells:
            bells.remove(bell)
            if not bells:
                del self._bells[descriptor]
                with contextlib.suppress(OSError):  # EINVAL: the folder has gone, and the watch with it
                    inotify.remove(self._fd, descriptor)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ring(self) -> None:
        for descriptor, _ in inotify.events(self._fd):
            for bell in self._bells.get(descriptor, ()):
                bell.set()
