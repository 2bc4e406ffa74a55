"""A container's life: start, the end of its process, restart, pause."""

import asyncio
from typing import NoReturn

from dockwright.base.errors import Conflict, EngineError, NotModified, NotSupported
from dockwright.base.paths import Paths
from dockwright.base.times import now, rfc3339
from dockwright.containers import networking, starting
from dockwright.containers.container import Container
from dockwright.containers.execs import Execs
from dockwright.containers.mounting import Mounting
from dockwright.containers.removal import Removal
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.task import ExitEvent, TaskSpec

NOT_STARTED = 128  # exit code of a start that failed before there was a process


class Life:
    """start, restart, pause, and what follows an exit."""

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, supervisor: Supervisor, execs: Execs,
        stopping: Stopping, removal: Removal, networks: NetworkManager, mounting: Mounting,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images, self._supervisor = store, paths, images, supervisor
        self._networks, self._mounting = networks, mounting
        self._execs, self._stopping, self._removal = execs, stopping, removal

    async def start(self, ref: str) -> None:
        """POST /containers/{id}/start."""
        container = self._store.find(ref)
        async with container.lock:
            if container.state.paused:
                raise Conflict("cannot start a paused container, try unpause instead")
            if container.state.running:
                raise NotModified("")
            if container.state.removing:
                raise Conflict("container is marked for removal and cannot be started")
            await self._start(container)

    async def _start(self, container: Container) -> None:
        if container.task:
            await container.task.delete()
        spawning = asyncio.ensure_future(self._supervisor.spawn(container.id))  # the zygote forks while we plan
        try:
            spec = await self._plan(container)
        except EngineError as error:
            container.task = await spawning
            await self._failed(container, NOT_STARTED, error)
        try:
            task = container.task = await spawning
        except EngineError as error:
            await self._failed(container, NOT_STARTED, error)
        task.on_exit(lambda event: self.on_exit(container, event))
        try:
            namespace = await task.create(spec)
            await starting.attach_waiting(container, task)
            opened = await self._networks.activate(container.id, namespace)
            container.state.pid, steps = await task.start()
        except EngineError as error:
            await self._failed(container, *starting.explained(error))
        state = container.state
        state.running, state.started_at = True, now()
        state.exit_code, state.error, state.oom_killed = 0, "", False
        await self._store.save(container)
        container.trace = [*(step.record() for step in opened), *steps]
        self._store.event(container, "start")

    async def _plan(self, container: Container) -> TaskSpec:
        """Addresses, ports, the engine's files, and what the shim shall make."""
        await self._mounting.start(container)
        wishes = networking.wishes(container, self._store)
        attachment = await self._networks.connect(container.id, container.name, container.config["Hostname"], wishes)
        return starting.task_spec(container, self._paths, self._images.layers, attachment)

    async def _failed(self, container: Container, code: int, explained: EngineError) -> NoReturn:
        """A failed start: the error in Docker's words and the exit code that goes with it; an auto-removed container goes."""
        if container.task:
            await container.task.delete()
            container.task = None
        await self._networks.release(container.id)
        await self._mounting.ended(container)
        starting.end_waiting(container)
        container.state.exit_code, container.state.error, container.state.pid = code, explained.message, 0
        await self._store.save(container)
        container.wake_exits()
        if container.host.AutoRemove:
            await self._removal.finish(container)
        raise explained

    def on_exit(self, container: Container, event: ExitEvent) -> None:
        """The shim's word that a process has ended."""
        if event.exec_id:
            self._execs.ended(event)
        else:
            asyncio.get_running_loop().create_task(self.ended(container, event))

    async def ended(self, container: Container, event: ExitEvent) -> None:
        """The container's own process has ended. A start that is under way first says that it has run."""
        async with container.lock:
            if container.state.running or container.state.pid:
                await self._ended(container, event)

    async def _ended(self, container: Container, event: ExitEvent) -> None:
        state = container.state
        state.running = state.paused = False
        state.pid, state.exit_code, state.oom_killed = 0, event.status, event.oom_killed
        state.finished_at, state.error = rfc3339(event.at), event.error
        self._execs.container_ended(container)
        await self._mounting.ended(container)
        if event.oom_killed:
            self._store.event(container, "oom")
        await self._networks.close(container.id)
        self._store.event(container, "die", exitCode=str(event.status))
        await self._store.save(container)
        container.wake_exits()
        if state.removing:
            return
        if container.host.AutoRemove:
            await self._removal.finish(container)
        else:
            await self._let_go(container)

    async def _let_go(self, container: Container) -> None:
        """The exit has been answered: the shim may end, and with it the network namespace; then the address is free."""
        if container.task:
            await container.task.delete()
            container.task = None
        await self._networks.release(container.id)

    async def restart(self, ref: str, timeout: int | None, signal: str) -> None:
        """POST /containers/{id}/restart."""
        container = self._store.find(ref)
        if container.host.AutoRemove:
            raise NotSupported("restarting a --rm container is not implemented yet")
        if container.state.running:
            await asyncio.shield(self._stopping.stop_and_wait(container, timeout, signal))
        await self.start(ref)
        self._store.event(container, "restart")

    async def pause(self, ref: str) -> None:
        """POST /containers/{id}/pause."""
        container = self._store.find(ref)
        if not container.state.running or not container.task:
            raise Conflict(f"container {container.id} is not running")
        if container.state.paused:
            raise Conflict(f"container {container.id} is already paused")
        await container.task.pause()
        container.state.paused = True
        await self._store.save(container)
        self._store.event(container, "pause")

    async def unpause(self, ref: str) -> None:
        """POST /containers/{id}/unpause."""
        container = self._store.find(ref)
        if not container.state.paused or not container.task:
            raise EngineError(f"Container {container.id} is not paused")
        await container.task.resume()
        container.state.paused = False
        await self._store.save(container)
        self._store.event(container, "unpause")
