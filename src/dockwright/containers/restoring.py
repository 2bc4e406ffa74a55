"""A new daemon takes over what an earlier one left, and lets go of it at its own end."""

import asyncio
import os
import time

from dockwright.base.paths import Paths
from dockwright.base.times import rfc3339
from dockwright.containers import networking, restarts
from dockwright.containers.blame import Cause
from dockwright.containers.container import Container
from dockwright.containers.life import Life
from dockwright.containers.mounting import Mounting
from dockwright.containers.removal import Removal
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.task import SHIM_DIED, ExitEvent, Task

KILLED, LOST = 137, 255  # exit codes: its shim was killed; the machine was started anew


class Restoring:
    """restore and shutdown."""

    def __init__(
        self, store: Store, paths: Paths, supervisor: Supervisor, stopping: Stopping, removal: Removal, life: Life,
        networks: NetworkManager, mounting: Mounting,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._supervisor = store, paths, supervisor
        self._stopping, self._removal, self._life, self._networks = stopping, removal, life, networks
        self._mounting = mounting

    async def restore(self) -> None:
        """After a start: adopt the shims that live, read the records of those that ended meanwhile."""
        await self._mounting.restore()
        for container in self._store:
            if container.state.removing:
                self._store.forget(container)
                await self._mounting.remove(container)
                await self._removal.clean(container)
            else:
                await self._restore(container)
        await self._networks.keep_only(c.id for c in self._store if c.state.running)
        for container in self._store:
            if container.task and container.state.running and not container.state.restarting:
                await self._networks.reconcile(networking.wishes(container))
        for container in self._store:
            await self._revive(container)

    async def _restore(self, container: Container) -> None:
        """Whatever the row says: a shim counts more, and after it the exit record."""
        os.makedirs(self._paths.container(container.id), mode=0o710, exist_ok=True)  # its create may have got so far only
        state = container.state
        task = await self._supervisor.adopt(container.id, container.cgroup)
        if task and task.hello.get("running"):
            await self._adopt(container, task)
        elif task and not task.hello and state.running:
            container.task = task  # stopped: the row is all that is known
            self._life.listen(container, task)
        elif (state.running and not state.restarting) or state.pid:
            container.task = task
            await self._life.ended(container, task, self._end_of(container))
        elif task:
            await task.delete()  # a start that the earlier daemon did not bring to its end

    async def _adopt(self, container: Container, task: Task) -> None:
        state = container.state
        container.task, state.pid, state.paused = task, task.hello["pid"], bool(task.hello.get("paused"))
        self._life.listen(container, task)
        self._mounting.adopt(container)
        if not state.running or state.restarting:
            state.running, state.restarting, state.started_at = True, False, rfc3339(task.hello["started"])
            state.exit_code, state.error, state.oom_killed = 0, "", False
            await self._store.save(container)
        if task.hello.get("oom") and not state.oom_killed:
            self._life.short_of_memory(container, task)
        self._life.health.begin(container, adopted=True)

    def _end_of(self, container: Container) -> ExitEvent:
        """How a container has ended that ran when the earlier daemon did, and has no shim any more."""
        record = self._supervisor.exit_record(container.id)
        if record:
            return ExitEvent("", record.status, record.oom_killed, record.at, record.error)
        self._supervisor.kill_orphans(container.cgroup)
        if self._supervisor.knows(container.id):
            return ExitEvent("", KILLED, False, time.time_ns(), SHIM_DIED)
        return ExitEvent("", LOST, False, time.time_ns())

    async def _revive(self, container: Container) -> None:
        """What the restart policy says to a new daemon; and what was to be removed at its end, and is not yet."""
        state = container.state
        if state.restarting or restarts.wanted_at_boot(container):
            state.running = state.restarting = True
            self._life.come_back(container, restarts.SHORTEST)
        elif state.ended and container.host.AutoRemove:
            await self._removal.finish(container)

    async def shutdown(self, stop_containers: bool, patience: int = -1) -> None:
        """Let go of all shims; with `stop_containers` stop the containers first.

        Args:
            patience: seconds that they have for it together, -1 for as long as each one's own stop takes.
        """
        for container in self._store:
            container.cancel_comeback()
        if stop_containers:
            running = [c for c in self._store if c.state.running and not c.state.restarting]
            await self._stop(running, patience)
        await self._removal.settle()
        for container in self._store:
            if container.task:
                container.task.close()

    async def _stop(self, running: list[Container], patience: int) -> None:
        """Stop containers side by side; what still runs when the time is up is killed."""
        stops = [asyncio.ensure_future(self._stopping.stop_and_wait(c, None, "", Cause("shutdown"))) for c in running]
        if not stops:
            return
        _, late = await asyncio.wait(stops, timeout=None if patience < 0 else patience)
        for stop in late:
            stop.cancel()
        kills = (self._stopping.kill_and_wait(c, Cause("late")) for c in running if c.state.running)
        await asyncio.gather(*stops, *kills, return_exceptions=True)
