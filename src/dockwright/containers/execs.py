"""exec: further processes in a running container."""

import asyncio
import base64
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.errors import Conflict, EngineError, Internal, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.containers import confinement, links, starting
from dockwright.containers.container import Container
from dockwright.containers.runtimes import is_own
from dockwright.containers.session import Session, detach_sequence
from dockwright.containers.store import Store
from dockwright.images.layers import Layers
from dockwright.kernel.process import capget
from dockwright.networks import NetworkManager
from dockwright.spec import capabilities, security
from dockwright.spec.build import environment, replace
from dockwright.spec.users import identify
from dockwright.supervisor.task import ExitEvent, Stdio, Task
from dockwright.types.streams import ExecCreateRequest, ExecStartRequest

EXPIRY = 300.0  # seconds a finished exec can still be inspected
KEPT = 1000  # how many finished ones are remembered at most
RESIZE_PATIENCE = 10.0  # seconds a resize waits for the start
_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "
RELATIVE = "OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown"
NOT_STARTED = 126  # exit code of an exec that could not begin, whatever the reason


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@dataclass
class Exec:
    """One exec.

    Attributes:
        size: its terminal's height and width, (0, 0) if nobody has said.
        started, over: done when its process runs, and when it has ended (or could not begin).
    """

    id: str
    container: Container
    request: ExecCreateRequest
    size: tuple[int, int] = (0, 0)
    running: bool = False
    pid: int = 0
    exit_code: int | None = None
    ended_at: float = 0.0
    started: "asyncio.Future[None]" = field(default_factory=_future)
    over: "asyncio.Future[None]" = field(default_factory=_future)

    @property
    def command(self) -> str:
        """Program and arguments, as events show them: with a blank between, even if there are none."""
        program, *arguments = self.request.Cmd or [""]
        return f"{program} {' '.join(arguments)}"

    def end(self, status: int) -> None:
        """It has ended, or could not begin."""
        self.running, self.exit_code, self.ended_at = False, status, time.monotonic()
        if self.id in self.container.exec_ids:
            self.container.exec_ids.remove(self.id)
        for future in (self.started, self.over):
            if not future.done():
                future.set_result(None)


class Execs:
    """All execs of the daemon's life; finished ones expire.

    Args:
        no_new_privileges: whether that holds in containers that do not say.
    """

    def __init__(self, store: Store, layers: Layers, networks: NetworkManager, no_new_privileges: bool) -> None:
        self._store, self._layers, self._networks = store, layers, networks
        self._no_new_privileges = no_new_privileges
        self._execs: dict[str, Exec] = {}
        self._ended: deque[Exec] = deque()

    def _find(self, ident: str) -> Exec:
        """Raises NotFound in Docker's words."""
        self._expire()
        made = self._execs.get(ident)
        if made is None or made.container not in self._store:
            self._execs.pop(ident, None)
            raise NotFound(f"No such exec instance: {ident}")
        return made

    def check(self, ident: str) -> None:
        """Raises NotFound or Conflict, in Docker's words, for an exec that cannot be started."""
        _refuse_idle(self._find(ident).container, "")

    def create(self, container: Container, request: ExecCreateRequest, ref: str = "") -> Exec:
        """Note an exec.

        Raises:
            InvalidParameter, Conflict, Internal: in Docker's words.
        """
        if not request.Cmd:
            raise InvalidParameter("No exec command specified")
        _refuse_idle(container, ref)
        _keys(request)
        self._expire()
        made = Exec(new_id(), container, request, _size(request.ConsoleSize))
        self._execs[made.id] = made
        container.exec_ids.append(made.id)
        self._event(made, f"exec_create: {made.command}")
        return made

    def _event(self, made: Exec, action: str, **attributes: str) -> None:
        self._store.event(made.container, action, execID=made.id, **attributes)

    def _expire(self) -> None:
        """Forget finished ones: those of some time ago, and the oldest of very many."""
        limit = time.monotonic() - EXPIRY
        while self._ended and (self._ended[0].ended_at < limit or len(self._ended) > KEPT):
            self._execs.pop(self._ended.popleft().id, None)

    def _end(self, made: Exec, status: int) -> None:
        """It has ended, or could not begin."""
        made.end(status)
        self._ended.append(made)

    def forget(self, container: Container) -> None:
        """The container is removed, and its execs with it."""
        for ident in [made.id for made in self._execs.values() if made.container is container]:
            del self._execs[ident]

    async def start(self, ident: str, request: ExecStartRequest) -> Session | None:
        """POST /exec/{id}/start: run it; attached unless the request says Detach."""
        made = self._find(ident)
        _refuse_idle(made.container, "")
        if made.exit_code is not None or made.running:
            word = "has already run" if made.exit_code is not None else "is already running"
            raise Conflict(f"exec command {ident} {word}")
        task = made.container.task
        assert task
        made.running = True
        made.size = _size(request.ConsoleSize) if request.ConsoleSize else made.size
        self._event(made, f"exec_start: {made.command}")
        try:
            return await self._run(made, task, request)
        except EngineError as error:
            self._end(made, NOT_STARTED)
            raise _explained(error, made.container.host.Runtime or "") from None

    async def _run(self, made: Exec, task: Task, request: ExecStartRequest) -> Session | None:
        given, detached = made.request, bool(request.Detach)
        if given.WorkingDir and not given.WorkingDir.startswith("/"):
            raise InvalidParameter(RELATIVE)
        stdio = {"tty": bool(given.Tty), "stdin": bool(given.AttachStdin) and not detached, "stdin_once": True}
        attaching = None if detached else asyncio.ensure_future(self._attach(made, task, stdio, bool(request.Tty)))
        await asyncio.sleep(0)  # so that the shim forks the maker while we plan
        try:
            process = self._process(made)
        except EngineError:
            await _abandon(attaching)
            raise
        session = await attaching if attaching else None
        made.pid = await task.exec(made.id, process, stdio)
        if not made.started.done():
            made.started.set_result(None)
        return session

    async def _attach(self, made: Exec, task: Task, stdio: Stdio, bare: bool) -> Session:
        given = made.request
        wanted = (("stdin", stdio["stdin"]), ("stdout", given.AttachStdout), ("stderr", given.AttachStderr))
        streams = tuple(name for name, on in wanted if on)
        connection = asyncio.ensure_future(task.attach_exec(made.id, streams, stdio))
        await connection
        return Session(
            connection, stdio["tty"], stdio["stdin"], _keys(given), made.over,
            on_detach=lambda: self._event(made, "exec_detach"), bare=bare,
        )  # fmt: skip

    def _process(self, made: Exec) -> dict[str, Any]:
        """The OCI process object."""
        container, given = made.container, made.request
        config, host = container.config, container.host
        passwd, group = self._layers.accounts(container.id)
        identity = identify(given.User or config["User"], host.GroupAdd or [], passwd, group)
        caps = capabilities.effective(
            host.CapAdd, host.CapDrop, bool(given.Privileged or host.Privileged), capget()[1]
        )
        effective, chosen = caps if identity.uid == 0 else [], security.parse(host.SecurityOpt or [], self._no_new_privileges)
        linked = links.environment(container, self._store, self._networks) if container.links else []
        variables = environment({**config, "Tty": bool(given.Tty)}, config["Hostname"], identity.home, linked)
        return {
            "terminal": bool(given.Tty), "consoleSize": {"height": made.size[0], "width": made.size[1]},
            "args": given.Cmd, "env": replace(variables, given.Env or []),
            "cwd": given.WorkingDir or config["WorkingDir"] or "/",
            "user": {"uid": identity.uid, "gid": identity.gid, "additionalGids": list(identity.groups)},
            "capabilities": {"bounding": caps, "effective": effective, "permitted": effective},
            "rlimits": starting.rlimits(container), "oomScoreAdj": host.OomScoreAdj or 0,
            "noNewPrivileges": chosen.no_new_privileges,
            "apparmorProfile": confinement.apparmor(chosen, bool(given.Privileged or host.Privileged)),
        }  # fmt: skip

    def ended(self, event: ExitEvent) -> None:
        """An exec's process has ended."""
        made = self._execs.get(event.exec_id)
        if made:
            self._end(made, event.status)
            self._event(made, "exec_die", exitCode=str(event.status))

    def container_ended(self, container: Container) -> None:
        """Nothing runs in it any more, whatever its shim could still tell."""
        for made in self._execs.values():
            if made.container is container and made.running:
                self.ended(ExitEvent(made.id, 137, False, 0))

    async def resize(self, ident: str, height: int, width: int) -> None:
        """POST /exec/{id}/resize: waits for the start for a while, since clients ask as soon as they are attached."""
        made = self._find(ident)
        _refuse_idle(made.container, "")
        try:
            await asyncio.wait_for(asyncio.shield(made.started), RESIZE_PATIENCE)
        except TimeoutError:
            raise Internal("timeout waiting for exec session ready") from None
        if not made.running or not made.container.task:
            raise NotFound(f"process {made.id} not found")
        await made.container.task.resize(width, height, ident)

    def inspect(self, ident: str) -> dict[str, Any]:
        """GET /exec/{id}/json."""
        made = self._find(ident)
        given, command = made.request, made.request.Cmd or [""]
        process: dict[str, Any] = {
            "tty": bool(given.Tty), "entrypoint": command[0], "arguments": command[1:], "privileged": bool(given.Privileged),
        }  # fmt: skip
        if given.User:
            process["user"] = given.User
        return {
            "ID": ident, "Running": made.running, "ExitCode": made.exit_code, "ProcessConfig": process,
            "OpenStdin": bool(given.AttachStdin), "OpenStderr": bool(given.AttachStderr),
            "OpenStdout": bool(given.AttachStdout), "CanRemove": False, "ContainerID": made.container.id,
            "DetachKeys": base64.b64encode(_keys(given)).decode() if given.DetachKeys else "", "Pid": made.pid,
        }  # fmt: skip


def _keys(request: ExecCreateRequest) -> bytes:
    """Raises Internal for keys that cannot be (a 500, unlike attach's)."""
    keys = request.DetachKeys or ""
    try:
        return detach_sequence(keys, f"Invalid escape keys ({keys}) provided")
    except InvalidParameter as error:
        raise Internal(error.message) from None


def _size(given: list[int] | None) -> tuple[int, int]:
    return (given[0], given[1]) if given and len(given) == 2 else (0, 0)


def _refuse_idle(container: Container, ref: str) -> None:
    """`ref` is what the user called the container, "" where only its exec was named."""
    container.refuse_not_running()
    if container.state.paused:
        raise Conflict(f"Container {ref or container.id} is paused, unpause the container before exec")


def _explained(error: EngineError, runtime: str) -> EngineError:
    """Why an exec could not begin, in Docker's words."""
    text = error.message
    if text == RELATIVE or text.startswith(("unable to find", "Unable to find", "uids and gids", "the shim of")):
        return error
    return InvalidParameter(f"{_PREFIX if is_own(runtime) else 'OCI runtime exec failed: '}{text}: unknown")


async def _abandon(attaching: "asyncio.Task[Session] | None") -> None:
    """What was prepared is not started: without its connection the shim lets it go."""
    if attaching:
        (await attaching).abandon()
