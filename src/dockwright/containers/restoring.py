"""A new daemon takes over what an earlier one left, and lets go of it at its own end."""

import asyncio

from dockwright.containers.container import Container
from dockwright.containers.life import Life
from dockwright.containers.mounting import Mounting
from dockwright.containers.removal import Removal
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.task import ExitEvent


class Restoring:
    """restore and shutdown."""

    def __init__(
        self, store: Store, supervisor: Supervisor, stopping: Stopping, removal: Removal, life: Life,
        networks: NetworkManager, mounting: Mounting,
    ) -> None:  # fmt: skip
        self._store, self._supervisor = store, supervisor
        self._stopping, self._removal, self._life, self._networks = stopping, removal, life, networks
        self._mounting = mounting

    async def restore(self) -> None:
        """After a start: adopt the shims that live, read the records of those that ended meanwhile."""
        await self._mounting.restore()
        for container in self._store:
            if container.state.running or container.state.pid:
                await self._restore(container)
            elif container.state.removing:
                self._store.forget(container)
                await self._mounting.remove(container)
                await self._removal.clean(container)
        await self._networks.keep_only(c.id for c in self._store if c.state.running)

    async def _restore(self, container: Container) -> None:
        task = await self._supervisor.adopt(container.id, container.cgroup)
        if task and task.hello.get("running"):
            container.task, container.state.pid = task, task.hello["pid"]
            container.state.paused = bool(task.hello.get("paused"))
            task.on_exit(lambda event: self._life.on_exit(container, event))
            return
        container.task = task
        record = self._supervisor.exit_record(container.id)
        if record is None:
            self._supervisor.kill_orphans(container.cgroup)
        status = record.status if record else 255
        at = record.at if record else 0
        event = ExitEvent("", status, bool(record and record.oom_killed), at, record.error if record else "")
        await self._life.ended(container, event)

    async def shutdown(self, stop_containers: bool) -> None:
        """Let go of all shims; with `stop_containers` stop the containers first."""
        running = [c for c in self._store if c.state.running]
        if stop_containers:
            stops = (self._stopping.stop_and_wait(c, None, "") for c in running)
            await asyncio.gather(*stops, return_exceptions=True)
        await self._removal.settle()
        for container in self._store:
            if container.task:
                container.task.close()
