"""A task as the daemon sees it: requests to its shim, events from it."""

import asyncio
import contextlib
import errno
import logging
import marshal
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from dockwright.base import errors
from dockwright.base.errors import EngineError, Internal, Unavailable
from dockwright.base.files import write_atomic
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.supervisor import frames, plan, record

log = logging.getLogger("dockwright.supervisor")
DEADLINE = 10.0  # seconds for a shim's answer; a start may wait for hooks and mounts, so it has more
START_DEADLINE = 120.0
CHECKPOINT_DEADLINE = 3600.0  # all its memory is written to a disk
SHIM_DIED = "the container's shim died"


@dataclass
class TaskSpec:
    """What a maker needs to make a container in a prepared task.

    Attributes:
        spec: OCI runtime spec. bundle: directory of the task.
        rootfs: mount that becomes the root. overlay_base: where relative lowerdirs start.
        runtime: {"path", "args", "root"} of a runtime that is not ours.
        checkpoint: what it is made from instead of its program (supervisor.checkpoints).
    """

    spec: dict[str, Any]
    bundle: str
    rootfs: dict[str, Any] | None = None
    overlay_base: str = "/"
    seccomp_cache: str = ""
    runtime: dict[str, Any] | None = None
    checkpoint: dict[str, str] | None = None


@dataclass
class Streams:
    """How a container's streams are.

    Attributes:
        tty, stdin, stdin_once: Config's Tty, OpenStdin, StdinOnce. log: see supervisor.logs.writer.
    """

    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    log: dict[str, Any] = field(default_factory=dict)


@dataclass
class ExitEvent:
    """A process of the task has ended; `exec_id` is "" for the container itself."""

    exec_id: str
    status: int
    oom_killed: bool
    at: int
    error: str = ""


Stdio = dict[str, bool]  # tty, stdin, stdin_once


@dataclass
class Position:
    """Where a log is: (inode, size) of its file, None for no log; and the unfinished line of each stream."""

    end: tuple[int, int] | None = None
    rest: dict[str, bytes] = field(default_factory=dict)


class Task:
    """One shim. Made by `Supervisor.spawn` and `Supervisor.adopt`.

    Attributes:
        hello: what it said when it was connected to, {} as long as it has not. shim: its pid.
        on_shortage: called in the event loop when the kernel kills a process of the container for want of memory.
    """

    def __init__(self, task_id: str, directory: str, path: str, cgroup: str = "") -> None:
        self.id, self.directory, self.path = task_id, directory, path
        self.cgroup = cgroup
        self.hello: dict[str, Any] = {}
        self.shim = 0
        self.ended = self.restores = False
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._callbacks: list[Callable[[ExitEvent], None]] = []
        self.on_shortage: Callable[[], None] = _nothing
        self._decoder = frames.Decoder()
        self._greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.StreamWriter | None = None
        self._pump: asyncio.Task[None] | None = None
        self._deleted = not task_id  # a spare shim's end is nobody's

    def assign(self, task_id: str, directory: str, path: str) -> None:
        """Make a spare shim this task's. Not waited for: what is asked of it next comes after.

        Raises:
            Unavailable: it has gone.
        """
        number, answered = self._send("assign", id=task_id, directory=directory, socket=path)
        answered.add_done_callback(lambda future: self._noted(number, future))
        self.id, self.directory, self.path, self._deleted = task_id, directory, path, False

    def _noted(self, number: int, answered: "asyncio.Future[Any]") -> None:
        """The answer to an `assign`. A refusal shows in what is asked next."""
        self._waiting.pop(number, None)
        if not answered.cancelled() and answered.exception():
            log.warning("a spare shim did not take its task: %s", answered.exception())

    async def serve(self, sock: socket.socket, patience: float = DEADLINE) -> None:
        """Take over a connected socket and wait for the shim's hello.

        Raises:
            Unavailable: the shim ended instead. TimeoutError: it says nothing; it may later.
        """
        reader, self._writer = await asyncio.open_unix_connection(sock=sock)
        self._pump = asyncio.create_task(self._read(reader))
        await asyncio.wait_for(asyncio.shield(self._greeted), patience)

    def on_exit(self, callback: Callable[[ExitEvent], None]) -> None:
        """Call `callback` in the event loop for each process that ends."""
        self._callbacks.append(callback)

    def prepare(
        self, cgroup: str, sandbox: dict[str, Any], streams: Streams, aside: str = ""
    ) -> "asyncio.Task[str]":
        """Make the streams, the sandbox and the cgroup. It is asked for at once; clients can be attached from now on.

        Args:
            cgroup: path of the container's cgroup. sandbox: plan of the network namespace.
            aside: cgroup for the maker itself, where it is in the way of the container's; "" where it is not.

        Returns:
            a path of the network namespace, once it is there; EngineError as of `call`.
        """
        self.cgroup = cgroup
        waiting = self._send("prepare", cgroup=cgroup, sandbox=sandbox, stdio=asdict(streams), aside=aside)

        async def answered() -> str:
            return str((await self._answer(*waiting, "prepare", START_DEADLINE))["sandbox"])

        return asyncio.get_running_loop().create_task(answered())

    async def make(self, spec: TaskSpec) -> None:
        """Have init made in the prepared task, up to its execve. What goes wrong with it is told by `start`."""
        task = {
            "spec": spec.spec, "bundle": spec.bundle, "rootfs": spec.rootfs, "overlay_base": spec.overlay_base,
            "seccomp_cache": spec.seccomp_cache, "runtime": spec.runtime, "checkpoint": spec.checkpoint,
        }  # fmt: skip
        write_atomic(os.path.join(self.directory, plan.NAME), marshal.dumps(task, 4))
        self.restores = bool(spec.checkpoint)
        await self.call("make", runtime=spec.runtime, poststop=bool((spec.spec.get("hooks") or {}).get("poststop")))

    async def start(self) -> tuple[int, list[Any]]:
        """Make the container in the sandbox and start it; RuntimeFailure comes as Internal.

        Returns:
            init's pid, and the step records of sandbox and runtime.
        """
        answer = await self.call("start", deadline=CHECKPOINT_DEADLINE if self.restores else START_DEADLINE)
        return int(answer["pid"]), list(marshal.loads(answer["trace"]))

    async def kill(self, signal: int, exec_id: str = "", everything: bool = False) -> None:
        """Signal init, an exec, or with `everything` kill all."""
        await self.call("kill", signal=signal, exec=exec_id, all=everything)

    async def checkpoint(self, wanted: dict[str, str], stays: bool) -> None:
        """Write the container down; it ends by that unless it `stays`. RuntimeFailure comes as Internal.

        Args:
            wanted: {"images", "work", "criu"} (supervisor.checkpoints).
        """
        await self.call("checkpoint", deadline=CHECKPOINT_DEADLINE, checkpoint=wanted, stays=stays)

    async def pause(self) -> None:
        """Freeze all processes."""
        await self.call("pause")

    async def resume(self) -> None:
        """Thaw them."""
        await self.call("resume")

    async def exec(self, exec_id: str, process: dict[str, Any], stdio: Stdio | None = None) -> int:
        """Start an exec, one that `attach_exec` has prepared, or with streams that nobody hears; returns its pid."""
        return int((await self.call("exec", exec=exec_id, process=process, stdio=stdio))["pid"])

    async def attach_exec(
        self, exec_id: str, streams: tuple[str, ...], stdio: Stdio
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Make an exec's streams, to be started by `exec`, and a raw connection to them."""
        return await self._attached({"exec": exec_id, "streams": streams, "stdio": stdio}, Position())

    async def resize(self, width: int, height: int, exec_id: str = "") -> None:
        """Set a terminal's size in characters."""
        await self.call("resize", width=width, height=height, exec=exec_id)

    async def state(self) -> dict[str, Any]:
        """What the shim says of its container."""
        return dict(await self.call("state"))

    async def attach(
        self, streams: tuple[str, ...], position: "Position | None" = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection to the streams: Docker's frames (or raw tty bytes) out, stdin in.

        Args:
            position: is filled in with where the log is at the moment the connection begins.
        """
        return await self._attached({"exec": "", "streams": streams}, position or Position())

    async def _attached(
        self, request: dict[str, Any], position: "Position"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = await self._connect()
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, frames.encode({"n": 1, "op": "attach", **request}))
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        decoder = frames.Decoder()
        message: dict[str, Any] = {}
        while "n" not in message:  # its hello comes first, and events of other processes may
            message = await _one(reader, decoder)
        if "error" in message:
            writer.close()
            raise _error(message)
        if message.get("ok"):
            end = message["ok"]["end"]
            position.end, position.rest = tuple(end) if end else None, message["ok"]["rest"]
        return reader, writer

    async def delete(self) -> None:
        """Let the shim clean up and end."""
        self._deleted = True
        if not self.ended:
            try:
                await self.call("delete")
            except Unavailable:
                log.debug("shim of %s had gone before it was told to", self.id)
        self.close()

    def close(self) -> None:
        """Let go of the connection; the shim goes on."""
        self._deleted = True
        if self._pump:
            self._pump.cancel()
        if self._writer:
            self._writer.close()

    async def call(self, operation: str, deadline: float = DEADLINE, **arguments: Any) -> Any:
        """One request.

        Raises:
            EngineError: of the shim's kind. Unavailable: the shim is gone or does not answer in time.
        """
        return await self._answer(*self._send(operation, **arguments), operation, deadline)

    def _send(self, operation: str, **arguments: Any) -> "tuple[int, asyncio.Future[Any]]":
        if self._writer is None or self.ended:
            raise Unavailable(f"the shim of container {self.id} is gone")
        number = self._number = self._number + 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(frames.encode({"n": number, "op": operation, **arguments}))
        return number, future

    async def _answer(self, number: int, future: "asyncio.Future[Any]", operation: str, deadline: float) -> Any:
        try:
            return await asyncio.wait_for(future, deadline)
        except TimeoutError:
            raise Unavailable(
                f"the shim of container {self.id} did not answer {operation} within {deadline:.0f}s"
            ) from None
        finally:
            self._waiting.pop(number, None)

    async def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.path)
        except OSError as error:
            sock.close()
            raise Unavailable(f"the shim of container {self.id} is gone: {error.strerror}") from None
        return sock

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(1 << 16):
                for message in self._decoder.feed(data):
                    self._take(message)
        except (ConnectionError, frames.FrameError) as error:  # killed with requests unread; or it speaks nonsense
            log.warning("the connection to the shim of container %s is broken: %s", self.id, error)
        self.ended = True
        for future in tuple(self._waiting.values()):
            if not future.done():
                future.set_exception(Unavailable(f"the shim of container {self.id} is gone"))
        if not self._greeted.done():
            self._greeted.set_exception(Unavailable(f"the shim of container {self.id} ended at once"))
            self._greeted.exception()  # nobody may wait for it any more
        if self._callbacks and not self._deleted:
            await self._lost()

    def _take(self, message: dict[str, Any]) -> None:
        if "hello" in message:
            self.hello, self.shim = message, message["shim"]
            self._greeted.set_result(None)
        elif message.get("event") == "exit":
            event = ExitEvent(message["exec"], message["status"], message["oom_killed"], message["at"])
            self._tell(event)
        elif message.get("event") == "oom":
            self.on_shortage()
        elif (future := self._waiting.get(message.get("n", 0))) and not future.done():
            if "error" in message:
                future.set_exception(_error(message))
            else:
                future.set_result(message["ok"])

    def _tell(self, event: ExitEvent) -> None:
        for callback in self._callbacks:
            callback(event)

    async def _lost(self) -> None:
        """The shim has died: its container must not go on without one (DECISIONS 15)."""
        found = record.read(self.directory)
        if found is None:
            log.error("the shim of container %s died; killing the container", self.id)
            await asyncio.to_thread(kill_cgroup, self.cgroup)
            found = record.ExitRecord(137, False, time.time_ns(), SHIM_DIED)
            record.write(self.directory, found)
        self._tell(ExitEvent("", found.status, found.oom_killed, found.at, found.error))

    async def destroy(self) -> None:
        """Kill a shim that does not do what it is told; its container goes with it, as with any dead shim."""
        await asyncio.to_thread(kill_cgroup, self.cgroup)
        if self.shim and not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.shim, signal.SIGKILL)


def _nothing() -> None:
    """Nobody wants to know."""


def kill_cgroup(path: str) -> None:
    """Kill all that is in cgroup `path` and remove it; one that is gone is fine."""
    if not path:
        return
    group = Cgroup(path)
    try:
        group.kill()
        group.remove()
    except OSError as error:
        if error.errno != errno.ENOENT:
            log.error("cannot clear cgroup %s: %s", path, error)


async def _one(reader: asyncio.StreamReader, decoder: frames.Decoder) -> dict[str, Any]:
    """The next frame, and not a byte more: what follows belongs to the stream."""
    head = await reader.readexactly(frames.HEADER.size)
    length = frames.HEADER.unpack(head)[0]
    return decoder.feed(head + await reader.readexactly(min(length, frames.LIMIT)))[0]


def _error(message: dict[str, Any]) -> EngineError:
    kind = getattr(errors, str(message.get("kind")), Internal)
    return (
        kind(message["error"])
        if isinstance(kind, type) and issubclass(kind, EngineError)
        else Internal(message["error"])
    )
