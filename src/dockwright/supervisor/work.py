"""The container a shim looks after: its sandbox, init, exec'ed processes and how they end."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
from time import time_ns

from dockwright.base.errors import Conflict, InvalidParameter, NotFound
from dockwright.runtime import container, execute
from dockwright.runtime.cgroups import oom
from dockwright.supervisor import record
from dockwright.supervisor.logs import writer
from dockwright.supervisor.sandbox import Sandbox
from dockwright.supervisor.stdio import Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.supervisor.frames import Message
    from dockwright.supervisor.loop import Loop



class Process:
    """One process of the container: init, or an exec'ed one.

    Attributes:
        status: None while it runs.
    """

    def __init__(self, ident: str, stdio: Stdio) -> None:
        self.id, self.stdio = ident, stdio
        self.pid = 0
        self.status: int | None = None


class Task:
    """What a shim does for its container.

    Args:
        loop: the shim's. announce: tells events to whoever is connected. settled: called when streams are done with.

    Attributes:
        delivering: streams of processes that live, or whose output clients are still taking.
    """

    def __init__(
        self, loop: Loop, task_id: str, directory: str, announce: Callable[[Message], None], settled: Callable[[], None]
    ) -> None:
        self.loop, self.id, self.directory, self.announce = loop, task_id, directory, announce
        self.settled = settled
        self.delivering: list[Stdio] = []
        self.sandbox: Sandbox | None = None
        self.init: container.Init | None = None
        self.processes: dict[str, Process] = {}
        self.over = False
        self.paused = False
        self._oom_before = self._started = 0
        self._watch_children()

    def summary(self) -> Message:
        """What a daemon that has just connected must know."""
        main = self.processes.get("")
        execs = {ident: p.pid for ident, p in self.processes.items() if ident and p.status is None}
        return {
            "id": self.id,
            "pid": main.pid if main else 0,
            "started": self._started,
            "running": bool(main and main.pid and main.status is None),
            "over": self.over,
            "paused": self.paused,
            "execs": execs,
            "sandbox": self.sandbox.path if self.sandbox else "",
        }

    def perform(self, operation: str, message: Message) -> Any:
        """One request of the daemon.

        Raises:
            EngineError: with the text for the user. OSError: from the kernel.
        """
        handler = self._operations().get(operation)
        if handler is None:
            raise InvalidParameter(f"unknown operation {operation}")
        return handler(message)

    def _operations(self) -> dict[str, Callable[[Message], Any]]:
        return {
            "create": self.create, "start": self.start, "kill": self.kill, "exec": self.execute,
            "pause": lambda _: self.freeze(True), "resume": lambda _: self.freeze(False), "resize": self.resize,
            "close_stdin": self.close_stdin, "state": lambda _: self.summary(), "trace": lambda _: self.trace(),
        }  # fmt: skip

    # the life of the container

    def create(self, message: Message) -> Message:
        """Sandbox, streams and init; all undone when one fails."""
        if self.init or "" in self.processes:
            raise Conflict("the task has been created already")
        stdio = self._stdio("", message)
        self.processes[""] = Process("", stdio)
        return {"sandbox": self._make_sandbox(message)}

    def _make_sandbox(self, message: Message) -> str:
        self.sandbox = Sandbox(message["sandbox"])
        try:
            self.sandbox.create()
        except OSError:
            self._unmake()
            raise
        self._spec, self._bundle = message["spec"], message["bundle"]
        self._rootfs, self._seccomp_cache = message.get("rootfs"), message.get("seccomp_cache", "")
        self._overlay_base = message.get("overlay_base", "/")
        return str(self.sandbox.path)

    def start(self, _message: Message) -> Message:
        """Make init in the sandbox and let it go."""
        main = self.processes.get("")
        if main is None or self.sandbox is None or main.pid:
            raise Conflict("the task is not in a state to be started")
        spec = self._with_sandbox()
        stdio = main.stdio
        try:
            self.init = container.create(
                self.id, spec, bundle=self._bundle, stdio=stdio.child, console_socket=stdio.console_socket,
                rootfs=self._rootfs, overlay_base=self._overlay_base, seccomp_cache=self._seccomp_cache,
            )  # fmt: skip
            self._oom_before = oom.kills(self.init.group)
            main.pid = self.init.pid
            container.start(self.init)
        except Exception:
            self._failed(main)
            raise
        self._started = time_ns()
        stdio.begin()
        return {"pid": main.pid, "trace": self.trace()}

    def _failed(self, main: Process) -> None:
        """The start failed: nothing may be left."""
        if self.init:
            self._reap_now(main.pid)
            self.init.group.kill()
            self.init.group.remove()
        main.pid = 0
        self._unmake()

    def _unmake(self) -> None:
        main = self.processes.pop("", None)
        if main:
            main.stdio.abandon()
        if self.sandbox:
            self.sandbox.close()
        self.init = self.sandbox = None

    def _with_sandbox(self) -> Message:
        """The spec with the sandbox's namespace in place of a new one."""
        assert self.sandbox
        spec: Message = self._spec
        for namespace in spec["linux"]["namespaces"]:
            if namespace["type"] == "network" and self.sandbox.path:
                namespace["path"] = self.sandbox.path
        return spec

    def kill(self, message: Message) -> None:
        """Signal one process, or with `all` everything in the cgroup (SIGKILL only)."""
        if message.get("all"):
            if self.init:
                self.init.group.kill()
            return
        process = self._alive(message.get("exec", ""))
        os.kill(process.pid, message["signal"])

    def freeze(self, frozen: bool) -> None:
        """Pause or go on."""
        if not self.init:
            raise Conflict("the task is not running")
        self.init.group.freeze(frozen)
        self.paused = frozen

    def resize(self, message: Message) -> None:
        """Tell the terminal its size, in characters."""
        stdio = self.stdio_of(message.get("exec", ""))
        if stdio is None or not stdio.tty:
            raise InvalidParameter("the process has no terminal")
        stdio.resize(message["height"], message["width"])

    def close_stdin(self, message: Message) -> None:
        """The end of input."""
        stdio = self.stdio_of(message.get("exec", ""))
        if stdio:
            stdio.close_stdin()

    def stdio_of(self, ident: str) -> Stdio | None:
        """The streams of init ("") or of an exec."""
        process = self.processes.get(ident)
        return process.stdio if process else None

    def trace(self) -> list[Any]:
        """What each step was and took."""
        steps = list(self.sandbox.steps if self.sandbox else ()) + list(self.init.steps if self.init else ())
        return [step.record() for step in steps]

    def execute(self, message: Message) -> Message:
        """Run another process in the container; its streams can be attached to before it starts (`prepare`)."""
        ident = str(message["exec"])
        main = self._alive("")
        if message.get("prepare"):
            if ident in self.processes:
                raise Conflict("the exec exists already")
            self.processes[ident] = Process(ident, self._stdio(ident, message))
            return {}
        process = self.processes[ident]
        stdio = process.stdio
        assert self.init and main
        try:
            process.pid = execute.execute(
                self.init, message["process"], stdio=stdio.child, console_socket=stdio.console_socket,
                seccomp_cache=self._seccomp_cache,
            )  # fmt: skip
        except Exception:
            del self.processes[ident]
            stdio.abandon()
            raise
        stdio.begin()
        return {"pid": process.pid}

    def _alive(self, ident: str) -> Process:
        process = self.processes.get(ident)
        if process is None or not process.pid or process.status is not None:
            raise NotFound("no such process")
        return process

    def _stdio(self, ident: str, message: Message) -> Stdio:
        options = message["stdio"]
        log = None if ident else writer.open_log(options.get("log") or {})
        stdio = Stdio(
            self.loop, bool(options.get("tty")), bool(options.get("stdin")), bool(options.get("stdin_once")), log,
            self._delivered,
        )  # fmt: skip
        self.delivering.append(stdio)
        return stdio

    def _delivered(self, stdio: Stdio) -> None:
        """A process's output has ended, and its clients have all of it."""
        if stdio in self.delivering:
            self.delivering.remove(stdio)
            self.settled()

    # the end of processes

    def _watch_children(self) -> None:
        wake, self._wake_write = os.pipe()
        for fd in (wake, self._wake_write):
            os.set_blocking(fd, False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self.loop.add(wake, lambda _readable, _writable: self._reap(wake), read=True)

    def _reap(self, wake: int) -> None:
        """Collect all that has ended: ours, and orphans that came to us as the nearest subreaper."""
        os.read(wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, _exit_code(status))

    def _reap_now(self, pid: int) -> None:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            return  # the runtime has collected it already

    def _ended(self, pid: int, status: int) -> None:
        process = next((p for p in self.processes.values() if p.pid == pid and p.status is None), None)
        if process is None:
            self._ended_helper(pid, status)
            return
        process.status = status
        process.stdio.drain()
        if not process.id:
            self._kill_rest()
        process.stdio.cut()
        self._finish(process)

    def _ended_helper(self, pid: int, status: int) -> None:
        """An orphan, or what compresses the log."""
        main = self.processes.get("")
        if main and main.stdio.log:
            main.stdio.log.reaped(pid, status)

    def _kill_rest(self) -> None:
        """init has gone: with a pid namespace of its own so has the rest; else (pid=host) what is in the cgroup goes now."""
        if self.init and not any(n["type"] == "pid" for n in self._spec["linux"]["namespaces"]):
            self.init.group.kill()

    def _finish(self, process: Process) -> None:
        """Record and tell an end; for the container itself also clean up, after the answer."""
        at = time_ns()
        assert process.status is not None
        if process.id:
            del self.processes[process.id]
            self.announce(
                {"event": "exit", "exec": process.id, "status": process.status, "oom_killed": False, "at": at}
            )
            return
        assert self.init
        killed = oom.kills(self.init.group) > self._oom_before
        record.write(self.directory, record.ExitRecord(process.status, killed, at))
        self.over = True
        self.announce({"event": "exit", "exec": "", "status": process.status, "oom_killed": killed, "at": at})

    def close(self) -> None:
        """Clean up what the container leaves: its cgroup and namespaces."""
        if self.init:
            self.init.group.kill()
            self.init.group.remove()
        if self.sandbox:
            self.sandbox.close()


def _exit_code(status: int) -> int:
    """wait(2) status as shells count: 128+n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
