"""Signals to a running container, and waiting for its end: kill and stop."""

import asyncio
import logging

from dockwright.base.caller import NOBODY, Caller
from dockwright.base.errors import Conflict, EngineError, Internal, NotFound, NotModified, Unavailable
from dockwright.containers import signals
from dockwright.containers.blame import Cause
from dockwright.containers.container import Container
from dockwright.containers.store import Store

log = logging.getLogger("dockwright.containers")
KILL = 9
STOP_PATIENCE = 10  # seconds between the stop signal and SIGKILL, unless somebody says otherwise
KILL_PATIENCE, FORCE_PATIENCE = 10, 2  # seconds for the exit after SIGKILL, and after the cgroup was killed


class Stopping:
    """kill and stop."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def kill(self, ref: str, signal: str, caller: Caller = NOBODY) -> None:
        """POST /containers/{id}/kill."""
        try:
            number, container = signals.parse(signal or "KILL"), self._store.find(ref)
            if not container.state.running:
                raise Conflict(f"container {container.id} is not running")
            await self._kill(container, number, Cause("kill", str(caller)))
        except EngineError as error:
            raise error.prefixed(f"cannot kill container: {ref}: ") from None

    async def _kill(self, container: Container, number: int, cause: Cause) -> None:
        await self._by_hand(container)
        own = container.config.get("StopSignal")
        ends = number == KILL or not own or signals.parse(own) == number
        if ends:
            container.last_run = True
        if ends and await self._cancel_comeback(container):
            return
        if number == KILL:
            await self.kill_and_wait(container, cause)
            return
        await self._signal(container, number, cause)
        if ends:
            await self._thaw(container)

    async def _by_hand(self, container: Container) -> None:
        """Somebody wants it to end: `unless-stopped` remembers that beyond this daemon."""
        container.state.stopped_by_hand = True
        if container.host.RestartPolicy and container.host.RestartPolicy.Name != "no":
            await self._store.save(container)

    async def _cancel_comeback(self, container: Container) -> bool:
        """Whether it was only waiting to be started again; it will not be."""
        if not container.state.restarting:
            return False
        async with container.lock:
            if not container.state.restarting:
                return False
            container.cancel_comeback()
            container.state.running = container.state.restarting = False
            await self._store.save(container)
            container.wake_exits()
            return True

    async def _signal(self, container: Container, number: int, cause: Cause) -> None:
        container.note_signal(number, cause)
        self._store.save_soon(container)
        if container.task:
            try:
                await container.task.kill(number)
            except NotFound:
                return  # it has ended meanwhile
        self._store.event(container, "kill", signal=str(number))

    async def _thaw(self, container: Container) -> None:
        """A frozen container dies of a signal only when it is thawed."""
        if container.state.paused and container.task:
            await container.task.resume()
            container.state.paused = False

    async def kill_and_wait(self, container: Container, cause: Cause) -> None:
        """SIGKILL, and the end; by its cgroup if its shim does not do it.

        Raises:
            Internal: it has not ended even so.
        """
        container.last_run = True
        if await self._cancel_comeback(container):
            return
        ended = container.next_exit()
        try:
            await self._signal(container, KILL, cause)
            await self._thaw(container)
            if await _within(ended, KILL_PATIENCE) or not container.state.running:
                return
        except Unavailable as error:
            log.warning("%s; killing its cgroup", error.message)
        await self._kill_by_force(container, ended)

    async def _kill_by_force(self, container: Container, ended: "asyncio.Future[int]") -> None:
        if container.task:
            await container.task.destroy()
        if not await _within(ended, FORCE_PATIENCE) and container.state.running:
            raise Internal("tried to kill container, but did not receive an exit event")

    async def stop(
        self, ref: str, timeout: int | None, signal: str, caller: Caller = NOBODY, by: str = "stop"
    ) -> None:
        """POST /containers/{id}/stop: the stop signal, then after `timeout` seconds (-1: never) SIGKILL."""
        container = self._store.find(ref)
        if not container.state.running:
            raise NotModified("")
        try:
            await self.stop_by_hand(container, timeout, signal, Cause(by, str(caller)))
        except EngineError as error:
            raise Internal(f"cannot stop container: {ref}: {error.message}") from None

    async def stop_by_hand(self, container: Container, timeout: int | None, signal: str, cause: Cause) -> None:
        """stop, as somebody wants it who has found the container running."""
        await self._by_hand(container)
        await self.stop_and_wait(container, timeout, signal, cause)
        self._store.event(container, "stop")

    async def stop_and_wait(self, container: Container, timeout: int | None, signal: str, cause: Cause) -> None:
        """The stop signal, and the end.

        Raises:
            InvalidParameter: the signal. Internal: it has not ended.
        """
        number = signals.parse(signal or container.config.get("StopSignal") or "TERM")
        container.last_run = True
        if await self._cancel_comeback(container):
            return
        ended = container.next_exit()
        try:
            await self._signal(container, number, cause)
            await self._thaw(container)
            if await _within(ended, _patience(container, timeout)) or not container.state.running:
                return
        except Unavailable as error:
            log.warning("%s; killing the container", error.message)
        await self.kill_and_wait(container, cause.later)


def _patience(container: Container, timeout: int | None) -> float | None:
    """Seconds before SIGKILL, None for ever."""
    own = container.config.get("StopTimeout")
    seconds = timeout if timeout is not None else own if own is not None else STOP_PATIENCE
    return None if seconds < 0 else seconds


async def _within(future: "asyncio.Future[int]", seconds: float | None) -> bool:
    """Whether `future` is done within `seconds`."""
    done, _ = await asyncio.wait({future}, timeout=seconds)
    return bool(done)
