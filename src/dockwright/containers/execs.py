"""exec: further processes in a running container."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.containers.container import Container
from dockwright.containers.session import Session, detach_sequence
from dockwright.containers.store import Store
from dockwright.images.layers import Layers
from dockwright.kernel.process import capget
from dockwright.spec import capabilities
from dockwright.spec.build import environment, replace
from dockwright.spec.users import identify
from dockwright.supervisor.task import ExitEvent
from dockwright.types.streams import ExecCreateRequest, ExecStartRequest

EXPIRY = 300.0  # seconds a finished exec can still be inspected
_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: "


@dataclass
class Exec:
    """One exec."""

    id: str
    container: Container
    request: ExecCreateRequest
    running: bool = False
    pid: int = 0
    exit_code: int | None = None
    ended_at: float = 0.0
    over: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, status: int) -> None:
        """It has ended, or could not begin."""
        self.running, self.exit_code, self.ended_at = False, status, time.monotonic()
        if not self.over.done():
            self.over.set_result(None)


class Execs:
    """All execs of the daemon's life; finished ones expire."""

    def __init__(self, store: Store, layers: Layers) -> None:
        self._store, self._layers = store, layers
        self._execs: dict[str, Exec] = {}

    def find(self, ident: str) -> Exec:
        """Raises NotFound in Docker's words."""
        if ident not in self._execs:
            raise NotFound(f"No such exec instance: {ident}")
        return self._execs[ident]

    def create(self, container: Container, request: ExecCreateRequest) -> Exec:
        """Note an exec.

        Raises:
            InvalidParameter, Conflict: in Docker's words.
        """
        if not request.Cmd:
            raise InvalidParameter("No exec command specified")
        if not container.state.running:
            raise Conflict(f"container {container.id} is not running")
        if container.state.paused:
            raise Conflict(f"Container {container.name} is paused, unpause the container before exec")
        keys = request.DetachKeys or ""
        detach_sequence(keys, f"Invalid escape keys ({keys}) provided")
        self._expire()
        made = Exec(new_id(), container, request)
        self._execs[made.id] = made
        self._store.event(container, f"exec_create: {' '.join(request.Cmd)}", execID=made.id)
        return made

    def _expire(self) -> None:
        limit = time.monotonic() - EXPIRY
        for ident in [e.id for e in self._execs.values() if e.ended_at and e.ended_at < limit]:
            del self._execs[ident]

    async def start(self, ident: str, request: ExecStartRequest) -> Session | None:
        """POST /exec/{id}/start: run it; attached unless the request says Detach."""
        made = self.find(ident)
        if made.exit_code is not None or made.running:
            word = "is already running" if made.running else "has already run"
            raise Conflict(f"exec command {ident} {word}")
        container, task = made.container, made.container.task
        if task is None or not container.state.running:
            raise Conflict(f"container {container.id} is not running")
        given, tty = made.request, bool(made.request.Tty)
        stdin = bool(given.AttachStdin) and not request.Detach
        made.running = True
        self._store.event(container, f"exec_start: {' '.join(given.Cmd or [])}", execID=ident)
        await task.prepare_exec(ident, tty, stdin)
        session = None
        if not request.Detach:
            streams = tuple(
                n for n, on in (("stdin", stdin), ("stdout", given.AttachStdout), ("stderr", given.AttachStderr)) if on
            )
            connection = asyncio.ensure_future(task.attach(streams, ident))
            await connection
            session = Session(connection, tty, stdin, detach_sequence(given.DetachKeys or "", ""), made.over)
        try:
            made.pid = await task.exec(ident, self._process(made))
        except EngineError as error:
            self._failed(made, error)
        return session

    def _failed(self, made: Exec, error: EngineError) -> None:
        missing = "executable file not found" in error.message or "no such file" in error.message
        made.end(127 if missing else 126)
        raise InvalidParameter(f"{_PREFIX}{error.message}: unknown") from None

    def _process(self, made: Exec) -> dict[str, Any]:
        """The OCI process object."""
        container, given = made.container, made.request
        config = container.config
        passwd = self._layers.read_file(container.id, "etc/passwd")
        group = self._layers.read_file(container.id, "etc/group")
        identity = identify(given.User or config["User"], [], passwd, group)
        host = container.host
        privileged = bool(given.Privileged or host.Privileged)
        caps = capabilities.effective(host.CapAdd, host.CapDrop, privileged, capget()[1])
        effective = caps if identity.uid == 0 else []
        variables = environment({**config, "Tty": bool(given.Tty)}, config["Hostname"], identity.home)
        return {
            "terminal": bool(given.Tty), "args": given.Cmd, "env": replace(variables, given.Env or []),
            "cwd": given.WorkingDir or config["WorkingDir"] or "/",
            "user": {"uid": identity.uid, "gid": identity.gid, "additionalGids": list(identity.groups)},
            "capabilities": {"bounding": caps, "effective": effective, "permitted": effective},
        }  # fmt: skip

    def ended(self, event: ExitEvent) -> Exec | None:
        """An exec's process has ended."""
        made = self._execs.get(event.exec_id)
        if made:
            made.end(event.status)
        return made

    async def resize(self, ident: str, height: int, width: int) -> None:
        """POST /exec/{id}/resize."""
        made = self.find(ident)
        if not made.running or not made.container.task:
            raise Conflict(f"exec process {ident} is not running")
        await made.container.task.resize(width, height, ident)

    def inspect(self, ident: str) -> dict[str, Any]:
        """GET /exec/{id}/json."""
        made, given = self.find(ident), self.find(ident).request
        command = given.Cmd or [""]
        process: dict[str, Any] = {
            "tty": bool(given.Tty), "entrypoint": command[0], "arguments": command[1:], "privileged": bool(given.Privileged),
        }  # fmt: skip
        if given.User:
            process["user"] = given.User
        return {
            "ID": ident, "Running": made.running, "ExitCode": made.exit_code, "ProcessConfig": process,
            "OpenStdin": bool(given.AttachStdin), "OpenStderr": bool(given.AttachStderr),
            "OpenStdout": bool(given.AttachStdout), "CanRemove": False, "ContainerID": made.container.id,
            "DetachKeys": "", "Pid": made.pid,
        }  # fmt: skip
