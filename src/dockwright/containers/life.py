"""A container's life: start, the end of its process, restart, pause."""

import asyncio
import logging
import signal
import sqlite3
from typing import Any, NoReturn

from dockwright.base.caller import NOBODY, Caller
from dockwright.base.errors import Conflict, EngineError, Internal, NotModified, spoken
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.base.paths import Paths
from dockwright.base.steps import Step
from dockwright.base.times import now, rfc3339, seconds
from dockwright.containers import checkpoints, groups, links, networking, realtime, remap, restarts, starting
from dockwright.containers.blame import Cause, ended_by
from dockwright.containers.container import Container
from dockwright.containers.defaults import Defaults
from dockwright.containers.execs import Execs
from dockwright.containers.health import HealthChecks
from dockwright.containers.mounting import Mounting
from dockwright.containers.noting import noted
from dockwright.containers.removal import Removal
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import Attachment, NetworkManager
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.placement import whole
from dockwright.supervisor.task import ExitEvent, Task, TaskSpec
from dockwright.types.container import RestartPolicy

log = logging.getLogger("dockwright.containers")
FAILURES = (EngineError, OSError, sqlite3.Error)  # of a start: also a full disk
NOT_STARTED = 128  # exit code of a start that failed before there was a process


class Life:
    """start, restart, pause, and what follows an exit."""

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, supervisor: Supervisor, execs: Execs,
        stopping: Stopping, removal: Removal, networks: NetworkManager, mounting: Mounting,
        defaults: Defaults,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images, self._supervisor = store, paths, images, supervisor
        self._networks, self._mounting, self.health = networks, mounting, HealthChecks(store, execs, self.act_on_failure)
        self._checkpoints = checkpoints.Places(paths)
        self._execs, self._stopping, self._removal, self._defaults = execs, stopping, removal, defaults

    async def start(self, ref: str, checkpoint: str = "", directory: str = "") -> None:
        """POST /containers/{id}/start.

        Args:
            checkpoint: the name of one it goes on from, kept in `directory` if that is not "".
        """
        container = self._store.find(ref)
        async with container.lock:
            if container.state.paused:
                raise Conflict("cannot start a paused container, try unpause instead")
            if container.state.running:
                raise NotModified("")
            if container.state.removing:
                raise Conflict("container is marked for removal and cannot be started")
            container.state.restart_count, container.state.stopped_by_hand, container.delay = 0, False, 0.0
            await self._start(container, await self._checkpoint(container, checkpoint, directory))

    async def _checkpoint(self, container: Container, name: str, directory: str) -> dict[str, str] | None:
        """What a start goes on from; that it cannot is shown by inspect too."""
        try:
            return self._checkpoints.wanted(container, name, directory) if name else None
        except EngineError as error:
            container.state.error = error.message
            await self._store.save(container)
            raise

    @timed(CONTAINER_ACTIONS, "start")
    async def _start(self, container: Container, checkpoint: dict[str, str] | None = None) -> None:
        container.last_run, container.state.signals = False, []
        await container.end_task()
        await groups.settle(container, self._supervisor.placement)
        if self._defaults.rt_period or self._defaults.rt_runtime:
            await self._allow_realtime(container)
        spawning = asyncio.ensure_future(self._supervisor.spawn(container.id))
        try:
            streams = starting.streams(container, self._paths)
            attachment = await self._attach(container)
        except FAILURES as error:
            container.task = await spawning
            await self._failed(container, NOT_STARTED, error)
        try:
            task = container.task = await spawning
            scoped = await groups.scope(container, self._supervisor.placement, task)
        except FAILURES as error:
            await self._failed(container, NOT_STARTED, error)
        self.listen(container, task)
        sandbox = remap.owned(attachment.sandbox, container.host, self._defaults.remap)
        prepared = task.prepare(container.cgroup, sandbox, streams, groups.aside(container))  # meanwhile we plan on
        try:
            linked = links.environment(container, self._store, self._networks) if container.links else []
            spec = starting.task_spec(
                container, self._paths, self._images.layers, attachment, self._store, self._defaults, linked
            )
            checkpoints.fit(spec, checkpoint)
        except FAILURES as error:
            await asyncio.wait([prepared])
            await self._failed(container, NOT_STARTED, error)
        try:
            opened, steps = await self._make(container, task, spec, prepared)
        except FAILURES as error:
            explained = checkpoints.explained if checkpoint else starting.explained
            await self._failed(container, *explained(spoken(error), container.host.Runtime or ""))
        state = container.state
        state.running, state.restarting, state.started_at = True, False, now()
        state.exit_code, state.error, state.oom_killed, state.ended_by = 0, "", False, ""
        self.health.begin(container)
        self._store.save_soon(container)
        container.trace = [*(step.record() for step in (*scoped, *opened)), *steps]
        self._store.event(container, "start")

    async def _allow_realtime(self, container: Container) -> None:
        """What the daemon gives the parents of its cgroup."""
        period, runtime = self._defaults.rt_period, self._defaults.rt_runtime
        try:
            await asyncio.to_thread(realtime.allow, whole(container.cgroup), period, runtime)
        except EngineError as error:
            await self._failed(container, NOT_STARTED, error)

    async def _make(
        self, container: Container, task: Task, spec: TaskSpec, prepared: "asyncio.Task[str]"
    ) -> tuple[list[Step], list[Any]]:
        """Make the container in the prepared task and start it; returns what was done, here and there."""
        making = asyncio.ensure_future(task.make(spec))
        opening = asyncio.ensure_future(self._opened(container, prepared))  # ports and names, while the container is made
        for outcome in await asyncio.gather(prepared, making, opening, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        opened = opening.result()
        await starting.attach_waiting(container, task)
        await links.refresh(container, self._store, self._networks, self._paths)
        container.state.pid, steps = await task.start()
        return opened, steps

    async def _opened(self, container: Container, prepared: "asyncio.Task[str]") -> list[Step]:
        """The namespace is there: what the networks do for it."""
        opened = await self._networks.activate(container.id, await prepared)
        if lines := self._networks.late_lines(networking.wishes(container)):
            networking.add_lines(f"{self._paths.container(container.id)}/hosts", lines)
        return opened

    async def _attach(self, container: Container) -> Attachment:
        """Mounts that must be there, addresses and ports."""
        await self._mounting.start(container)
        request = networking.for_start(container, self._store)
        if container.links:
            request.linked = links.linked(container, self._store, self._networks)
        return await self._networks.attach(request)

    async def _failed(self, container: Container, code: int, error: Exception) -> NoReturn:
        """A failed start: the error in Docker's words and the exit code that goes with it; an auto-removed container goes."""
        explained = spoken(error)
        await container.end_task()
        await noted(container, self._networks.release(container.id))
        await noted(container, self._mounting.ended(container))
        starting.end_waiting(container)
        state = container.state
        state.exit_code, state.error, state.pid, state.running, state.restarting = code, explained.message, 0, False, False
        await noted(container, self._store.save(container))
        container.wake_exits()
        if container.host.AutoRemove:
            await self._removal.finish(container)
        raise explained

    def listen(self, container: Container, task: Task) -> None:
        """Hear of the ends of a task's processes."""

        def on_exit(event: ExitEvent) -> None:
            if event.exec_id:
                self._execs.ended(event)
            else:
                asyncio.get_running_loop().create_task(self.ended(container, task, event))

        task.on_exit(on_exit)
        task.on_shortage = lambda: self.short_of_memory(container, task)

    def short_of_memory(self, container: Container, task: Task) -> None:
        """The kernel has killed one of its processes, or is about to, as the container may have no more memory."""
        if container.task is task:
            container.state.oom_killed = True
            self._store.event(container, "oom")
            self._store.save_soon(container)

    async def ended(self, container: Container, task: Task | None, event: ExitEvent) -> None:
        """The container's own process has ended. A start that is under way first says that it has run."""
        async with container.lock:
            if container.task is task and (container.state.running or container.state.pid):
                await self._ended(container, event)

    async def _ended(self, container: Container, event: ExitEvent) -> None:
        state = container.state
        ran = event.at / 1e9 - seconds(state.started_at)
        state.pid, state.exit_code = 0, event.status
        state.finished_at, state.error, state.paused = rfc3339(event.at), event.error, False
        state.running = state.restarting = self._comes_back(container)
        if event.oom_killed and not state.oom_killed:
            state.oom_killed = True
            self._store.event(container, "oom")
        state.ended_by = ended_by(event.status, state.oom_killed, state.signals)
        if state.ended_by:
            log.info("container %s was ended by %s", container.id, state.ended_by)
        self.health.end(container)
        self._execs.container_ended(container)
        await noted(container, self._mounting.ended(container))
        await noted(container, self._networks.close(container.id))
        self._store.event(container, "die", exitCode=str(event.status), execDuration=str(max(0, int(ran))))
        self._store.save_soon(container)
        container.wake_exits()
        if state.removing:
            return
        if container.host.AutoRemove and not container.kept:
            await self._removal.finish(container)
            return
        await self._let_go(container)
        if state.restarting:
            container.delay = restarts.delay(container.delay, ran)
            self.come_back(container, container.delay)

    def _comes_back(self, container: Container) -> bool:
        """Whether its restart policy starts it again."""
        policy = container.host.RestartPolicy
        off = container.last_run or container.state.removing or policy is None
        return not off and restarts.wanted(policy or RestartPolicy(), container.state)

    async def _let_go(self, container: Container) -> None:
        """The exit has been answered: the shim may end, and with it the network namespace; then the address is free."""
        await container.end_task()
        await noted(container, self._networks.release(container.id))

    def come_back(self, container: Container, delay: float) -> None:
        """Start a container again after `delay` seconds, if nobody has stopped it until then."""
        container.comeback = asyncio.get_running_loop().create_task(self._come_back(container, delay))

    async def _come_back(self, container: Container, delay: float) -> None:
        await asyncio.sleep(delay)
        async with container.lock:
            if not container.state.restarting or container.state.removing:
                return
            container.state.restart_count += 1
            try:
                await self._start(container)
            except EngineError as error:
                log.error("container %s could not be started again: %s", container.id, error.message)

    async def restart(
        self, ref: str, timeout: int | None, signal: str, caller: Caller = NOBODY, by: str = "restart"
    ) -> None:
        """POST /containers/{id}/restart. A --rm container is kept over it."""
        container = self._store.find(ref)
        container.kept += 1
        try:
            if container.state.running:
                await self._stopping.stop_by_hand(container, timeout, signal, Cause(by, str(caller)))
            await self.start(container.id)
        except NotModified:
            pass  # somebody else has started it in between
        except EngineError as error:
            raise Internal(f"Cannot restart container {ref}: {error.message}") from None
        finally:
            container.kept -= 1
        self._store.event(container, "restart")

    async def act_on_failure(self, container: Container, action: str) -> None:
        """What Healthcheck.OnFailure says of a container that is unhealthy; after a kill its restart policy holds."""
        if action == "restart":
            await self.restart(container.id, None, "", by="health")
        elif action == "stop":
            await self._stopping.stop(container.id, None, "", by="health")
        elif container.task:
            container.note_signal(signal.SIGKILL, Cause("health"))
            await container.task.kill(int(signal.SIGKILL))

    async def pause(self, ref: str) -> None:
        """POST /containers/{id}/pause."""
        container = self._store.find(ref)
        container.refuse_not_running()
        if container.state.paused or not container.task:
            raise Conflict(f"Container {container.id} is already paused")
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
