"""Signals to a running container, and waiting for its end: kill and stop."""

import asyncio

from dockwright.base.errors import Conflict, EngineError, NotFound, NotModified
from dockwright.containers import signals
from dockwright.containers.container import Container
from dockwright.containers.store import Store

KILL, STOP_PATIENCE = 9, 10


class Stopping:
    """kill and stop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def kill(self, ref: str, signal: str) -> None:
        """POST /containers/{id}/kill."""
        try:
            number, container = signals.parse(signal or "KILL"), self._store.find(ref)
            if not container.state.running:
                raise Conflict(f"container {container.id} is not running")
        except EngineError as error:
            raise error.prefixed(f"cannot kill container: {ref}: ") from None
        if number == KILL:
            await self.kill_and_wait(container)
        else:
            await self._signal(container, number)

    async def _signal(self, container: Container, number: int) -> None:
        if container.task:
            try:
                await container.task.kill(number)
            except NotFound:
                return  # it has ended meanwhile
        self._store.event(container, "kill", signal=str(number))

    async def kill_and_wait(self, container: Container) -> None:
        """SIGKILL, and the end."""
        ended = container.next_exit()
        if container.state.paused and container.task:
            await container.task.resume()
        await self._signal(container, KILL)
        if container.state.running:
            await asyncio.wait_for(ended, STOP_PATIENCE)

    async def stop(self, ref: str, timeout: int | None, signal: str) -> None:
        """POST /containers/{id}/stop: the stop signal, then after `timeout` seconds (-1: never) SIGKILL."""
        container = self._store.find(ref)
        if not container.state.running:
            raise NotModified("")
        await asyncio.shield(self.stop_and_wait(container, timeout, signal))
        self._store.event(container, "stop")

    async def stop_and_wait(self, container: Container, timeout: int | None, signal: str) -> None:
        """The stop signal, and the end."""
        number = signals.parse(signal or container.config.get("StopSignal") or "TERM")
        patience = timeout if timeout is not None else container.config.get("StopTimeout") or STOP_PATIENCE
        ended = container.next_exit()
        if container.state.paused and container.task:
            await container.task.resume()
        await self._signal(container, number)
        try:
            await asyncio.wait_for(asyncio.shield(ended), None if patience < 0 else patience)
        except TimeoutError:
            await self.kill_and_wait(container)
