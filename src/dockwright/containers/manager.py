"""The container manager: what each request of the API does to a container."""

import asyncio
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from typing import Any

from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound, NotModified, NotSupported
from dockwright.base.ids import new_id
from dockwright.base.paths import Paths
from dockwright.base.times import now, rfc3339
from dockwright.containers import config as configs
from dockwright.containers import documents, hostconfig, names, signals, starting
from dockwright.containers.container import MIGRATIONS, Container, from_row
from dockwright.containers.execs import Execs
from dockwright.containers.session import Session, detach_sequence
from dockwright.containers.waiting import Waiter
from dockwright.events import EventBus
from dockwright.images.manager import ImageManager
from dockwright.metadata import Database, references
from dockwright.runtime.cgroups.layout import layout
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.task import ExitEvent, Task
from dockwright.types.container import CreateRequest
from dockwright.types.streams import AttachOptions, ExecCreateRequest, ExecStartRequest, LogOptions

log = logging.getLogger("dockwright.containers")
Rows = list[dict[str, Any]]
KILL, STOP_PATIENCE = 9, 10
_HEX = re.compile(r"[0-9a-f]{1,64}")


class ContainerManager:
    """All containers of one data root."""

    def __init__(
        self, database: Database, paths: Paths, events: EventBus, images: ImageManager, supervisor: Supervisor
    ) -> None:
        self._database, self._paths, self._events = database, paths, events
        self._images, self._supervisor = images, supervisor
        database.migrate("containers", MIGRATIONS)
        rows = database.read().execute("SELECT * FROM container").fetchall()
        self._execs = Execs(images.layers)
        self._containers = {row["id"]: from_row(row) for row in rows}

    def find(self, ref: str) -> Container:
        """By full id, name, or unique prefix of an id.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        if not ref:
            raise InvalidParameter('invalid name or ID supplied: ""')
        if ref in self._containers:
            return self._containers[ref]
        by_name = [c for c in self._containers.values() if c.name == ref.removeprefix("/")]
        if by_name:
            return by_name[0]
        matches = [c for ident, c in self._containers.items() if _HEX.fullmatch(ref) and ident.startswith(ref)]
        if len(matches) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
        if not matches:
            raise NotFound(f"No such container: {ref}")
        return matches[0]

    # create and remove

    async def create(
        self, name: str, request: CreateRequest, platform: str, version: tuple[int, int]
    ) -> dict[str, Any]:
        """POST /containers/create; an error leaves nothing behind."""
        if platform:
            raise NotSupported("choosing a platform is not implemented yet")
        host = hostconfig.completed(request.HostConfig, layout().is_v2)
        image = self._images.resolve(request.Image) if request.Image else None
        ident = new_id()
        wanted = names.checked(name) if name else names.made_up({c.name for c in self._containers.values()}, ident)
        self._refuse_taken(wanted)
        host_name = os.uname().nodename if host.NetworkMode == "host" else ""
        config = configs.merged(request, image, ident, host_name)
        container = Container(ident, wanted, now(), image.id if image else "", config, host)
        self._containers[ident] = container
        try:
            await self._images.layers.create(
                ident, container.image, self._images.chain_of(image) if image else "", container.durable
            )
            os.makedirs(self._paths.container(ident), mode=0o710)
            await self._database.write(lambda c: _insert(c, container), container.durable)
        except BaseException:
            del self._containers[ident]
            await self._images.layers.remove(ident)
            shutil.rmtree(self._paths.container(ident), ignore_errors=True)
            raise
        self._event(container, "create")
        return {"Id": ident, "Warnings": []}

    def _refuse_taken(self, name: str) -> None:
        for other in self._containers.values():
            if other.name == name:
                raise Conflict(
                    f'Conflict. The container name "/{name}" is already in use by container "{other.id}". You have to '
                    "remove (or rename) that container to be able to reuse that name."
                )

    async def rename(self, ref: str, name: str) -> None:
        """POST /containers/{id}/rename."""
        container = self.find(ref)
        if not name:
            raise InvalidParameter("Neither old nor new names may be empty")
        try:
            wanted = names.checked(name)
            if wanted == container.name:
                raise InvalidParameter("Renaming a container with the same name as its current name")
            self._refuse_taken(wanted)
        except Conflict as error:
            raise error.prefixed("Error when allocating new name: ") from None
        old, container.name = container.name, wanted
        await self._database.write(
            lambda c: c.execute("UPDATE container SET name = ? WHERE id = ?", (wanted, container.id))
        )
        self._event(container, "rename", oldName=f"/{old}")

    async def remove(self, ref: str, force: bool, volumes: bool, link: bool) -> None:
        """DELETE /containers/{id}."""
        if link:
            raise NotSupported("links are not implemented yet")
        container = self.find(ref)
        if container.state.removing:
            raise Conflict(f"removal of container {ref} is already in progress")
        if container.state.running and not force:
            why = (
                "container is paused and must be unpaused first"
                if container.state.paused
                else "container is running: stop the container before removing or force remove"
            )
            raise Conflict(f'cannot remove container "{ref}": {why}')
        container.state.removing = True
        if container.state.running:
            await self._kill_and_wait(container)
        await self._remove(container)

    async def _remove(self, container: Container) -> None:
        container.state.removing = True
        if container.task:
            await container.task.delete()
            container.task = None
        self._supervisor.forget(container.id)
        await self._images.layers.remove(container.id)
        shutil.rmtree(self._paths.container(container.id), ignore_errors=True)
        await self._database.write(lambda c: _delete(c, container.id), durable=False)
        self._containers.pop(container.id, None)
        self._event(container, "destroy")
        for future in container.removals:
            if not future.done():
                future.set_result(None)

    # start and end

    async def start(self, ref: str) -> None:
        """POST /containers/{id}/start."""
        container = self.find(ref)
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
        task = container.task = await self._supervisor.spawn(container.id)
        task.on_exit(lambda event: self._on_exit(container, event))
        try:
            spec = starting.task_spec(container, self._paths, self._images.layers)
            await task.create(spec)
            await starting.attach_waiting(container, task)
            container.state.pid = await task.start()
        except EngineError as error:
            await self._failed(container, task, error)
        state = container.state
        state.running, state.started_at = True, now()
        state.exit_code, state.error, state.oom_killed = 0, "", False
        await self._database.write(container.save_state, container.durable)
        container.trace = await task.trace()
        self._event(container, "start")

    async def _failed(self, container: Container, task: Task, error: EngineError) -> None:
        """A failed start: the error in Docker's words, the exit code from its text; an auto-removed container goes."""
        code, explained = starting.explained(error)
        await task.delete()
        container.task = None
        starting.end_waiting(container)
        container.state.exit_code, container.state.error, container.state.pid = code, explained.message, 0
        await self._database.write(container.save_state, container.durable)
        self._wake(container)
        if container.host.AutoRemove:
            await self._remove(container)
        raise explained

    def _on_exit(self, container: Container, event: ExitEvent) -> None:
        if event.exec_id:
            made = self._execs.ended(event)
            if made:
                self._event(container, "exec_die", execID=made.id, exitCode=str(event.status))
        else:
            asyncio.get_running_loop().create_task(self._ended(container, event))

    async def _ended(self, container: Container, event: ExitEvent) -> None:
        state = container.state
        if not state.running and not state.pid:
            return
        state.running = state.paused = False
        state.pid, state.exit_code, state.oom_killed = 0, event.status, event.oom_killed
        state.finished_at, state.error = rfc3339(event.at), event.error
        if event.oom_killed:
            self._event(container, "oom")
        self._event(container, "die", exitCode=str(event.status))
        await self._database.write(container.save_state, container.durable)
        self._wake(container)
        if container.host.AutoRemove and not state.removing:
            await self._remove(container)

    def _wake(self, container: Container) -> None:
        exits, container.exits = container.exits, []
        for future in exits:
            if not future.done():
                future.set_result(container.state.exit_code)

    async def kill(self, ref: str, signal: str) -> None:
        """POST /containers/{id}/kill."""
        container = self.find(ref)
        try:
            number = signals.parse(signal or "KILL")
        except InvalidParameter as error:
            raise error.prefixed(f"cannot kill container: {ref}: ") from None
        if not container.state.running:
            raise Conflict(f"cannot kill container: {ref}: container {container.id} is not running")
        if number == KILL:
            await self._kill_and_wait(container)
        else:
            await self._signal(container, number)

    async def _signal(self, container: Container, number: int) -> None:
        if container.task:
            try:
                await container.task.kill(number)
            except NotFound:
                return  # it has ended meanwhile
        self._event(container, "kill", signal=str(number))

    async def _kill_and_wait(self, container: Container) -> None:
        ended = self._next_exit(container)
        if container.state.paused and container.task:
            await container.task.resume()
        await self._signal(container, KILL)
        if container.state.running:
            await asyncio.wait_for(ended, STOP_PATIENCE)

    def _next_exit(self, container: Container) -> "asyncio.Future[int]":
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        container.exits.append(future)
        return future

    async def stop(self, ref: str, timeout: int | None, signal: str) -> None:
        """POST /containers/{id}/stop: the stop signal, then after `timeout` seconds (-1: never) SIGKILL."""
        container = self.find(ref)
        if not container.state.running:
            raise NotModified("")
        await asyncio.shield(self._stop(container, timeout, signal))
        self._event(container, "stop")

    async def _stop(self, container: Container, timeout: int | None, signal: str) -> None:
        number = signals.parse(signal or container.config.get("StopSignal") or "TERM")
        patience = timeout if timeout is not None else container.config.get("StopTimeout") or STOP_PATIENCE
        ended = self._next_exit(container)
        if container.state.paused and container.task:
            await container.task.resume()
        await self._signal(container, number)
        try:
            await asyncio.wait_for(asyncio.shield(ended), None if patience < 0 else patience)
        except TimeoutError:
            await self._kill_and_wait(container)

    async def restart(self, ref: str, timeout: int | None, signal: str) -> None:
        """POST /containers/{id}/restart."""
        container = self.find(ref)
        if container.host.AutoRemove:
            raise NotSupported("restarting a --rm container is not implemented yet")
        if container.state.running:
            await asyncio.shield(self._stop(container, timeout, signal))
        await self.start(ref)
        self._event(container, "restart")

    async def pause(self, ref: str) -> None:
        """POST /containers/{id}/pause."""
        container = self.find(ref)
        if not container.state.running or not container.task:
            raise Conflict(f"container {container.id} is not running")
        if container.state.paused:
            raise Conflict(f"container {container.id} is already paused")
        await container.task.pause()
        container.state.paused = True
        await self._database.write(container.save_state, durable=False)
        self._event(container, "pause")

    async def unpause(self, ref: str) -> None:
        """POST /containers/{id}/unpause."""
        container = self.find(ref)
        if not container.state.paused or not container.task:
            raise EngineError(f"Container {container.id} is not paused")
        await container.task.resume()
        container.state.paused = False
        await self._database.write(container.save_state, durable=False)
        self._event(container, "unpause")

    def wait(self, ref: str, condition: str) -> Waiter:
        """POST /containers/{id}/wait: listens from now on."""
        return Waiter(self.find(ref), condition or "not-running")

    # streams

    async def attach(self, ref: str, options: AttachOptions) -> Session:
        """POST /containers/{id}/attach; to a container that has not started yet, it waits for the start."""
        container = self.find(ref)
        if container.state.paused:
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        if options.logs:
            raise NotSupported("attach with logs=1 is not implemented yet")
        refusal = f"Invalid detach keys ({options.detach_keys}) provided"
        detach = detach_sequence(options.detach_keys, refusal)
        chosen = [name for name in ("stdin", "stdout", "stderr") if getattr(options, name)]
        stdin = options.stdin and container.config["OpenStdin"]
        if not options.stream:
            return Session(None, container.config["Tty"], False, detach)
        streams = tuple(name for name in chosen if name != "stdin" or stdin)
        self._event(container, "attach")
        connection = await starting.attached(container, streams)
        return Session(connection, container.config["Tty"], stdin, detach)

    async def resize(self, ref: str, height: int, width: int) -> None:
        """POST /containers/{id}/resize."""
        container = self.find(ref)
        if not container.state.running or not container.task:
            raise Conflict(f"container {container.id} is not running")
        if container.config["Tty"]:
            await container.task.resize(width, height)
        self._event(container, "resize", height=str(height), width=str(width))

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[bytes]:
        """GET /containers/{id}/logs: not there yet."""
        self.find(ref)
        raise NotSupported("reading logs is not implemented yet")
        yield b""

    async def stats(self, ref: str, stream: bool, one_shot: bool) -> AsyncIterator[dict[str, Any]]:
        """GET /containers/{id}/stats: not there yet."""
        self.find(ref)
        raise NotSupported("stats are not implemented yet")
        yield {}

    async def top(self, ref: str, ps_args: str) -> dict[str, Any]:
        """GET /containers/{id}/top: not there yet."""
        self.find(ref)
        raise NotSupported("top is not implemented yet")

    async def exec_create(self, ref: str, request: ExecCreateRequest) -> dict[str, Any]:
        """POST /containers/{id}/exec."""
        made = self._execs.create(self.find(ref), request)
        self._event(made.container, f"exec_create: {' '.join(request.Cmd or [])}", execID=made.id)
        return {"Id": made.id}

    async def exec_start(self, ident: str, request: ExecStartRequest) -> Session | None:
        """POST /exec/{id}/start."""
        made = self._execs.find(ident)
        self._event(made.container, f"exec_start: {' '.join(made.request.Cmd or [])}", execID=ident)
        return await self._execs.start(ident, request)

    def exec_inspect(self, ident: str) -> dict[str, Any]:
        """GET /exec/{id}/json."""
        return self._execs.inspect(ident)

    async def exec_resize(self, ident: str, height: int, width: int) -> None:
        """POST /exec/{id}/resize."""
        made = self._execs.find(ident)
        if not made.running or not made.container.task:
            raise Conflict(f"exec process {ident} is not running")
        await made.container.task.resize(width, height, ident)

    # seeing

    async def inspect(self, ref: str, size: bool) -> dict[str, Any]:
        """GET /containers/{id}/json."""
        container = self.find(ref)
        if size:
            raise NotSupported("container sizes are not implemented yet")
        folder = self._paths.container(container.id)
        graph = self._images.layers.graph_driver(container.id)
        return documents.inspect(container, graph, starting.log_path(container, self._paths), folder)

    async def list(self, all: bool, limit: int, size: bool, filters: dict[str, Sequence[str]]) -> Rows:
        """GET /containers/json."""
        if filters or size:
            raise NotSupported(f"invalid filter '{next(iter(filters), 'size')}': it is not implemented yet")
        chosen = sorted(self._containers.values(), key=lambda c: c.created, reverse=True)
        if not all and not limit:
            chosen = [container for container in chosen if container.state.running]
        return [documents.summary(container) for container in chosen[: limit or None]]

    async def trace(self, ref: str) -> Rows:
        """The steps of the last start: actor, kind, text, start and duration in nanoseconds."""
        keys = ("Actor", "Kind", "Text", "Start", "Took")
        return [dict(zip(keys, record, strict=True)) for record in self.find(ref).trace]

    async def restore(self) -> None:
        """After a start: adopt the shims that live, read the records of those that ended meanwhile."""
        for container in tuple(self._containers.values()):
            if container.state.running or container.state.pid:
                await self._restore(container)
            elif container.state.removing:
                await self._remove(container)

    async def _restore(self, container: Container) -> None:
        task = await self._supervisor.adopt(container.id, f"/docker/{container.id}")
        if task and task.hello.get("running"):
            container.task, container.state.pid = task, task.hello["pid"]
            container.state.paused = bool(task.hello.get("paused"))
            task.on_exit(lambda event: self._on_exit(container, event))
            return
        container.task = task
        record = self._supervisor.exit_record(container.id)
        if record is None:
            self._supervisor.kill_orphans(f"/docker/{container.id}")
        status = record.status if record else 255
        at = record.at if record else 0
        event = ExitEvent("", status, bool(record and record.oom_killed), at, record.error if record else "")
        await self._ended(container, event)

    async def shutdown(self, stop_containers: bool) -> None:
        """Let go of all shims; with `stop_containers` stop the containers first."""
        running = [c for c in self._containers.values() if c.state.running]
        if stop_containers:
            await asyncio.gather(*(self._stop(c, None, "") for c in running), return_exceptions=True)
        for container in self._containers.values():
            if container.task:
                container.task.close()

    def _event(self, container: Container, action: str, **attributes: str) -> None:
        shown = {**(container.config["Labels"] or {}), "image": container.config["Image"], "name": container.name}
        self._events.publish("container", action, container.id, {**shown, **attributes})


def _insert(connection: Any, container: Container) -> None:
    container.insert(connection)
    if container.image:
        references.add(connection, "container", container.id, "image", container.image)


def _delete(connection: Any, ident: str) -> None:
    connection.execute("DELETE FROM container WHERE id = ?", (ident,))
    references.drop_owner(connection, "container", ident)
