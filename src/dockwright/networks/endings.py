"""Links of removed networks go later, one after the other: the kernel takes up to 40 ms for each, and lets nobody else change
links meanwhile. So a burst of removals is over before the first link goes.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable

from dockwright.base.errors import EngineError
from dockwright.networks.network import Network

log = logging.getLogger("dockwright.networks")
QUIET = 0.5  # seconds after a removal


class Endings:
    """The removals that are answered but not finished.

    Args:
        finish: takes away what is left of a network.
    """

    def __init__(self, finish: Callable[[Network], Awaitable[None]]) -> None:
        self._finish = finish
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the network's id
        self._wanted: dict[str, tuple[str, asyncio.Event]] = {}  # link, and whether somebody waits for its end
        self._lock = asyncio.Lock()

    def add(self, network: Network) -> None:
        """Finish the removal of a network, in a while."""
        self._wanted[network.id] = network.link, asyncio.Event()
        task = self._tasks[network.id] = asyncio.get_running_loop().create_task(self._end(network))
        task.add_done_callback(lambda _: self._forget(network.id))

    def _forget(self, ident: str) -> None:
        del self._tasks[ident], self._wanted[ident]

    async def _end(self, network: Network) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted[network.id][1].wait(), QUIET)
        async with self._lock:
            try:
                await self._finish(network)
            except (EngineError, OSError, sqlite3.Error) as error:
                log.error("network %s is not wholly removed, the next daemon tries again: %s", network.name, error)

    async def gone(self, link: str = "") -> None:
        """Hurry, and wait until a link is gone; "" for every one."""
        found = [(ident, event) for ident, (name, event) in self._wanted.items() if link in ("", name)]
        for _, event in found:
            event.set()
        tasks = [self._tasks[ident] for ident, _ in found]
        if tasks:
            await asyncio.wait(tasks)
