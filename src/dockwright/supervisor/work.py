"""The container a shim looks after: its sandbox, init, exec'ed processes and how they end."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
from time import time_ns

from dockwright.base.errors import Conflict, InvalidParameter, NotFound, NotSupported
from dockwright.kernel.libc import libc
from dockwright.runtime.cgroups import oom
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.supervisor import ending, external, published, record
from dockwright.supervisor.logs import writer
from dockwright.supervisor.maker import Maker
from dockwright.supervisor.shortage import Shortage
from dockwright.supervisor.stdio import STALLED, Stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.supervisor.frames import Message
    from dockwright.supervisor.loop import Loop

    Reply = Callable[[Message], None]


class Process:
    """One process of the container: init, or an exec'ed one.

    Attributes:
        status: None while it runs. maker: what makes it, until it runs.
    """

    def __init__(self, ident: str, stdio: Stdio, maker: Maker) -> None:
        self.id, self.stdio, self.maker = ident, stdio, maker
        self.pid = 0
        self.status: int | None = None


class Task:
    """What a shim does for its container.

    Args:
        loop: the shim's. announce: tells events to whoever is connected. settled: called when streams are done with.

    Attributes:
        delivering: streams of processes that live, or whose output clients are still taking.
        namespace: descriptor of the network namespace, -1 for the host's or another's. unclaimed: statuses of children that
            ended before their maker told whose they are.
        commands: what another runtime is doing; afterwards: what waits for its end.
    """

    def __init__(
        self, loop: Loop, task_id: str, directory: str, announce: Callable[[Message], None], settled: Callable[[], None]
    ) -> None:
        self.loop, self.id, self.directory, self.announce = loop, task_id, directory, announce
        self.settled = settled
        self.delivering: list[Stdio] = []
        self.group: Cgroup | None = None
        self.namespace = -1
        self.spare: Maker | None = None
        self.processes: dict[str, Process] = {}
        self.unclaimed: dict[int, int] = {}
        self.over = False
        self.paused = False
        self._oom_before = self._started = 0
        self._shortage: Shortage | None = None
        self._own_pids = True
        self._hooked = False
        self.runtime: Message | None = None  # one that is not ours
        self.commands: list[Maker] = []
        self.afterwards: list[Callable[[], None]] = []

    def prepare(self) -> None:
        """Fork the maker of init now, while the daemon is still planning."""
        self.spare = Maker(self.loop, ahead=True)

    def summary(self) -> Message:
        """What a daemon that has just connected must know."""
        main = self.processes.get("")
        execs = {ident: p.pid for ident, p in self.processes.items() if ident and p.status is None}
        return {
            "id": self.id,
            "maker": self.spare.pid if self.spare else 0,
            "pid": main.pid if main else 0,
            "started": self._started,
            "running": bool(main and main.pid and main.status is None),
            "over": self.over,
            "paused": self.paused,
            "oom": bool(self._shortage and self._shortage.seen),
            "execs": execs,
            "sandbox": self.sandbox,
        }

    @property
    def sandbox(self) -> str:
        """The path of the network namespace we hold, "" if it is not one of the container's own."""
        return f"/proc/{os.getpid()}/fd/{self.namespace}" if self.namespace >= 0 else ""

    def perform(self, operation: str, message: Message, reply: Reply) -> None:
        """One request of the daemon; `reply` is called with {"ok": ...} or {"kind", "error"}, at once or later.

        Raises:
            EngineError: with the text for the user. OSError: from the kernel.
        """
        slow = {"prepare": self.prepare_task, "start": self.start, "exec": self.execute, "checkpoint": self.checkpoint}.get(
            operation
        )
        if self.runtime and operation in ("kill", "pause", "resume") and not message.get("all") and not message.get("exec"):
            return self._command(operation, message, reply)
        quick = self._quick().get(operation)
        if slow:
            slow(message, reply)
        elif quick:
            reply({"ok": quick(message)})
        else:
            raise InvalidParameter(f"unknown operation {operation}")
        return None

    def _command(self, operation: str, message: Message, reply: Reply) -> None:
        """Have a runtime that is not ours do it."""
        self._alive("")
        more = [str(message["signal"])] if operation == "kill" else []
        request = {"op": "command", "id": self.id, "directory": self.directory, "arguments": [operation, self.id, *more]}
        maker = Maker(self.loop)
        self.commands.append(maker)

        def done(answer: Message, _fds: list[int]) -> None:
            maker.close()
            self.commands.remove(maker)
            if "error" not in answer:
                self.paused = operation == "pause" or (self.paused and operation == "kill")
                answer = {"ok": None}
            reply(answer)
            while self.afterwards and not self.commands:
                self.afterwards.pop(0)()

        maker.ask(request, (), done, last=True)

    def _quick(self) -> dict[str, Callable[[Message], Any]]:
        return {
            "make": self.make, "kill": self.kill, "pause": lambda _: self.freeze(True), "resume": lambda _: self.freeze(False),
            "resize": self.resize, "state": lambda _: self.summary(),
        }  # fmt: skip

    # the life of the container

    @property
    def unborn(self) -> bool:
        """Whether there is no init, nor one on its way."""
        main = self.processes.get("")
        return not self.over and (main is None or (not main.pid and not main.maker.then))

    def prepare_task(self, message: Message, reply: Reply) -> None:
        """Sandbox and cgroup, by the maker; meanwhile the streams."""
        if "" in self.processes:
            raise Conflict("the task has been prepared already")
        maker, self.spare = self.spare or Maker(self.loop), None

        def prepared(reason: str) -> None:
            if reason:
                self._unmake(main)
                reply({"kind": "Internal", "error": f"{writer.LOG_FAILED}{reason}"})
            else:
                reply({"ok": {"sandbox": self.sandbox or message["sandbox"].get("path", "")}})
                self.settled()

        def made(answer: Message, fds: list[int]) -> None:
            if "error" in answer:
                self._unmake(main)
                reply(answer)
            else:
                self.namespace = fds[0] if fds else -1
                main.stdio.when_log_ready(prepared)

        wanted = {"sandbox": message["sandbox"], "cgroup": message["cgroup"], "aside": message.get("aside", "")}
        maker.ask({"op": "prepare", **wanted}, (), made)
        self.group = Cgroup(message["cgroup"])
        try:
            main = self.processes[""] = Process("", self._stdio("", message), maker)
        except BaseException:
            maker.close()
            raise

    def make(self, message: Message) -> None:
        """Let the maker go on with init by itself."""
        main = self.processes.get("")
        if main is None or main.pid:
            raise Conflict("the task is not prepared")
        self._hooked, self.runtime = bool(message.get("poststop")), message.get("runtime")
        main.maker.tell({"op": "make", "id": self.id, "directory": self.directory}, main.stdio.given)

    def start(self, _message: Message, reply: Reply) -> None:
        """Let init go, once it is made."""
        main = self.processes.get("")
        if main is None or main.pid:
            raise Conflict("the task is not in a state to be started")

        def started(answer: Message, fds: list[int]) -> None:
            if "error" in answer:
                self._unmake(main)
                reply(answer)
                return
            self._oom_before, self._own_pids, self._started = answer["oom"], answer["pids"], time_ns()
            reply({"ok": {"pid": answer["pid"], "trace": answer["trace"]}})
            if self.group:
                self._shortage = Shortage(self.loop, self.group, self._oom_before, lambda: self.announce({"event": "oom"}))
            self._begin(main, answer["pid"], fds)

        main.maker.ask({"op": "go"}, (), started, last=True)

    def _begin(self, process: Process, pid: int, fds: list[int]) -> None:
        """It runs; perhaps it has ended already."""
        process.pid = pid
        process.maker.close()
        process.stdio.begin(fds[0] if fds else -1)
        libc.malloc_trim(0)  # what the request took goes back: a shim lives long and does little
        status = self.unclaimed.pop(pid, None)
        if status is not None:
            self._ended(pid, status)

    def _unmake(self, main: Process) -> None:
        """The start failed: nothing may be left."""
        self._drop(main)
        self._clear()

    def _clear(self) -> None:
        """Clean up what a container leaves: its cgroup and our hold on its network namespace."""
        if self._shortage:
            self._shortage.close()
            self._shortage = None
        if self.group:
            self.group.kill()
            self._reap_all()
            if self.runtime:
                external.clear(self.runtime, self.id, self.directory)
                self.runtime = None
            self.group.remove()
            self.group = None
            published.withdraw(self.directory)
        if self.namespace >= 0:
            os.close(self.namespace)
            self.namespace = -1

    def kill(self, message: Message) -> None:
        """Signal one process, or with `all` everything in the cgroup (SIGKILL only)."""
        if message.get("all"):
            if self.group:
                self.group.kill()
            return
        process = self._alive(message.get("exec", ""))
        os.kill(process.pid, message["signal"])

    def freeze(self, frozen: bool) -> None:
        """Pause or go on."""
        if not self.group:
            raise Conflict("the task is not running")
        self.group.freeze(frozen)
        self.paused = frozen

    def resize(self, message: Message) -> None:
        """Tell the terminal its size, in characters."""
        stdio = self.stdio_of(message.get("exec", ""))
        if stdio is None or not stdio.tty:
            raise InvalidParameter("the process has no terminal")
        stdio.resize(message["height"], message["width"])

    def stdio_of(self, ident: str) -> Stdio | None:
        """The streams of init ("") or of an exec."""
        process = self.processes.get(ident)
        return process.stdio if process else None

    def execute(self, message: Message, reply: Reply) -> None:
        """Run another process in the container; its streams may be there already (`prepare_exec`)."""
        ident = str(message["exec"])
        main = self._alive("")
        if ident not in self.processes:
            self.prepare_exec(message)
        process = self.processes[ident]
        request = {"op": "exec", "id": self.id, "directory": self.directory, "pid": main.pid}

        def started(answer: Message, fds: list[int]) -> None:
            if "error" in answer:
                self._drop(process)
                reply(answer)
                return
            reply({"ok": {"pid": answer["pid"]}})
            self._begin(process, answer["pid"], fds)

        process.maker.ask({**request, "process": message["process"]}, process.stdio.given, started, last=True)

    def checkpoint(self, message: Message, reply: Reply) -> None:
        """Write the container down; it ends by that unless it `stays`."""
        main = self._alive("")
        if self.runtime:
            raise NotSupported("checkpoints of containers of another runtime are not supported")
        maker = Maker(self.loop)

        def done(answer: Message, _fds: list[int]) -> None:
            maker.close()
            reply(answer if "error" in answer else {"ok": None})

        request = {"op": "checkpoint", "id": self.id, "directory": self.directory, "pid": main.pid}
        maker.ask({**request, "checkpoint": message["checkpoint"], "stays": message["stays"]}, (), done, last=True)

    def prepare_exec(self, message: Message) -> None:
        """Make the streams of an exec, so that clients can be attached before it starts."""
        ident = str(message["exec"])
        self._alive("")
        if ident in self.processes:
            raise Conflict("the exec exists already")
        self.processes[ident] = Process(ident, self._stdio(ident, message), Maker(self.loop))

    def _alive(self, ident: str) -> Process:
        process = self.processes.get(ident)
        if process is None or not process.pid or process.status is not None:
            raise NotFound("no such process")
        return process

    def _stdio(self, ident: str, message: Message) -> Stdio:
        options = message["stdio"]
        log = None if ident else writer.open_log(options.get("log") or {}, self.loop)
        stdio = Stdio(
            self.loop, bool(options.get("tty")), bool(options.get("stdin")), bool(options.get("stdin_once")), log,
            self._delivered, 0.0 if ident else STALLED,
        )  # fmt: skip
        self.delivering.append(stdio)
        return stdio

    def _delivered(self, stdio: Stdio) -> None:
        """A process's output has ended, and its clients have all of it."""
        if stdio in self.delivering:
            self.delivering.remove(stdio)
            self.settled()

    # the end of processes

    def watch_children(self) -> None:
        """Hear of ended children from now on."""
        wake, self._wake_write = os.pipe()
        for fd in (wake, self._wake_write):
            os.set_blocking(fd, False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self.loop.add(wake, lambda _readable, _writable: self._reap(wake), read=True)

    def _reap(self, wake: int) -> None:
        """Something has ended."""
        os.read(wake, 4096)
        self._reap_all()

    def _reap_all(self) -> None:
        """Collect all that has ended: ours, and orphans that came to us as the nearest subreaper."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, _exit_code(status))

    def _ended(self, pid: int, status: int) -> None:
        process = next((p for p in self.processes.values() if p.pid == pid and p.status is None), None)
        if process is None:
            self._ended_unknown(pid, status)
            return
        process.status = status
        process.stdio.drain()
        if not process.id:
            self._kill_rest()
        process.stdio.cut()
        self._finish(process)

    def _ended_unknown(self, pid: int, status: int) -> None:
        """An orphan, a maker, what compresses the log; or a process whose maker has not told yet that it is one."""
        if any(not process.pid for process in self.processes.values()):
            self.unclaimed[pid] = status
        else:
            self.unclaimed.clear()
        self._ended_helper(pid, status)

    def _ended_helper(self, pid: int, status: int) -> None:
        """Perhaps it compressed the log."""
        main = self.processes.get("")
        if main and main.stdio.log:
            main.stdio.log.reaped(pid, status)

    def _kill_rest(self) -> None:
        """init has gone: with a pid namespace of its own so has the rest; else (pid=host) what is in the cgroup goes now."""
        if self.group and not self._own_pids:
            self.group.kill()

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
        assert self.group
        if self._shortage:
            self._shortage.close()
        killed = oom.kills(self.group) > self._oom_before
        record.write(self.directory, record.ExitRecord(process.status, killed, at))
        self.over = True
        self.announce({"event": "exit", "exec": "", "status": process.status, "oom_killed": killed, "at": at})
        if self._hooked:
            ending.run_hooks(self.id, self.directory)

    def close(self) -> None:
        """Clean up: what is being made is not made any more."""
        for process in tuple(self.processes.values()):
            if not process.pid:
                self._drop(process)
        if self.spare:
            self.spare.close()
        self._clear()

    def drop_unasked(self) -> None:
        """Nobody is connected who could still start what was only prepared."""
        for process in tuple(self.processes.values()):
            if process.id and not process.pid and not process.maker.then:
                self._drop(process)

    def _drop(self, process: Process) -> None:
        """A process that is not to be, or could not be."""
        process.maker.close()
        self.processes.pop(process.id, None)
        process.stdio.abandon()


def _exit_code(status: int) -> int:
    """wait(2) status as shells count: 128+n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
