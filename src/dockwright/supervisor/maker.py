"""The maker: a fork of the shim that makes one process, the container's init or an exec, and ends.

All the work of a start happens in it: planning, mounts, seccomp, cloning. What that dirties in memory goes with it, so a
shim stays as small as it was born; and a runtime that fails, hangs or is killed takes nobody's exit status with it.
init is cloned with CLONE_PARENT: it is the shim's own child.

    shim -> maker   {"op": "prepare", "sandbox", "cgroup", "aside"}     -> {"sandbox"} + the namespace's descriptor
                    {"op": "make", "id", "directory"} + stdio           -> nothing: what goes wrong is told by `go`
                    {"op": "go"}                                        -> {"pid", "trace", "oom", "pids"} [+ console]
                    {"op": "exec", "id", "directory", "pid", "process"} + stdio -> {"pid"} [+ console]
                    {"op": "command", "id", "directory", "arguments"}   -> {}
                    {"op": "checkpoint", "id", "directory", "pid", "checkpoint", "stays"} -> {}
    any answer may be {"kind", "error"} instead; after one of the last four the maker ends

A container whose plan names a runtime that is not ours is made by that one (external.py).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
import select

from dockwright.base.errors import EngineError
from dockwright.base.steps import perform
from dockwright.kernel import process as k
from dockwright.runtime import console, container, execute
from dockwright.runtime.cgroups import oom
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.criu.restore import Restored
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.plan import CgroupCreate
from dockwright.supervisor import checkpoints, frames, lastwords, plan, published, warmup
from dockwright.supervisor.external import External
from dockwright.supervisor.sandbox import Sandbox, Spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dockwright.base.steps import Step
    from dockwright.supervisor.frames import Message
    from dockwright.supervisor.loop import Loop

    Answered = Callable[[Message, list[int]], None]

SETTLED = 0.03  # seconds after which a container is one that goes on

GONE: Message = {"kind": "Internal", "error": "the process that was making the container has died"}


class Maker:
    """The shim's side: a maker just forked, to which requests are sent one after the other.

    Args:
        ahead: it makes a network namespace at once, while nobody waits for it.
    """

    def __init__(self, loop: Loop, ahead: bool = False) -> None:
        self.loop = loop
        self.decoder = frames.Decoder()
        self.then: Answered | None = None
        self.done = self.last = False
        self.sock, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self.pid = os.fork()
        if not self.pid:
            _serve(theirs, ahead)
        self.pidfd = k.pidfd_open(self.pid)
        theirs.close()
        loop.add(self.sock.fileno(), self._on_event, read=True)

    def ask(self, message: Message, fds: tuple[int, ...], then: Answered, last: bool = False) -> None:
        """Send a request, the `last` one or not; `then` is called with the answer, GONE if the maker dies instead."""
        self.then, self.last = then, last
        self.tell(message, fds)

    def tell(self, message: Message, fds: tuple[int, ...]) -> None:
        """Send a request that has no answer of its own. That the maker has gone is told later: who asks is still at work."""
        try:
            frames.send_descriptors(self.sock, message, fds)
        except OSError:
            self.loop.later(0, lambda: self._answer(GONE, []))

    def _on_event(self, _readable: bool, _writable: bool) -> None:
        try:
            data, fds = frames.receive_descriptors(self.sock)
        except OSError:
            data, fds = b"", []
        if not data:
            self.close()
            self._answer(GONE, [])
            return
        for message in self.decoder.feed(data):
            self._answer(message, fds)

    def _answer(self, message: Message, fds: list[int]) -> None:
        then, self.then = self.then, None
        self.done = self.done or self.last
        if then:
            then(message, fds)

    def close(self) -> None:
        """Let go of it; if it is still at work it is killed, and what it had begun must be undone by the caller.

        An init it leaves before its execve ends by itself: nobody holds the other end of its gate any more.
        """
        if self.sock.fileno() >= 0:
            self.loop.remove(self.sock.fileno())
            self.sock.close()
            if not self.done:
                self._kill()
            os.close(self.pidfd)

    def _kill(self) -> None:
        try:
            k.pidfd_send_signal(self.pidfd, 9)
        except ProcessLookupError:
            return  # it has ended meanwhile


def _serve(sock: _socket.socket, ahead: bool) -> None:
    """The maker's life. It never returns."""
    work = _Work(sock)
    try:
        k.set_name("dockwright-make")
        _signal.set_wakeup_fd(-1)  # the shim's: our children are none of its
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        kept = sock.fileno()
        k.close_range(3, kept - 1)
        k.close_range(kept + 1)
        if ahead:
            work.spare = Spare()
            work.spare.make()
            warmup.maker()
        work.run()
    except ConnectionError:
        os._exit(0)  # the shim has let go of us: there is nobody to answer
    except BaseException as error:
        lastwords.leave("maker", work.directory, error)
        raise
    finally:
        os._exit(0)


class _Work:
    """The requests of one maker."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.spare: Spare | None = None
        self.sandbox: Sandbox | None = None
        self.init: container.Init | None = None
        self.external: External | None = None
        self.restore: checkpoints.Restore | None = None
        self.group: CgroupCreate | None = None
        self.failure: Message = {}
        self.directory = ""
        self.console = -1

    def run(self) -> None:
        """Serve until the last request, or until the shim has gone."""
        decoder = frames.Decoder()
        descriptors: list[int] = []
        while True:
            data, fds = frames.receive_descriptors(self.sock)
            if not data:
                return
            descriptors += fds
            for message in decoder.feed(data):
                if self._perform(message, descriptors):
                    return

    def _perform(self, message: Message, fds: list[int]) -> bool:
        """One request; answers whether it was the last."""
        operation = message["op"]
        if operation == "prepare":
            self._prepare(message)
            return False
        if operation == "make":
            self.failure = self._guarded(lambda: self._make_init(message, tuple(fds)))
            return False
        last = {
            "go": self._go, "command": lambda: self._command(message), "checkpoint": lambda: self._checkpoint(message),
        }  # fmt: skip
        answer = self._guarded(last.get(operation) or (lambda: self._exec(message, tuple(fds))))
        frames.send_descriptors(self.sock, answer, (self.console,) if self.console >= 0 and "pid" in answer else ())
        made = self.init or (self.restore and self.restore.made)
        if operation == "go" and made and "pid" in answer:
            self._publish(made)
        return True

    def _publish(self, init: container.Init | Restored) -> None:
        """Let `dockwright-runc` know the container, if it outlives its start: many do not, and this is nobody's hurry."""
        if self.sandbox:
            self.sandbox.close()  # or the namespace would wait for us
        try:
            pidfd = k.pidfd_open(init.pid)
        except ProcessLookupError:
            return  # over already
        if not select.select([pidfd], [], [], SETTLED)[0]:
            published.publish(self.directory, init)

    def _guarded(self, work: Callable[[], Message]) -> Message:
        try:
            return work()
        except EngineError as error:
            return {"kind": type(error).__name__, "error": error.message}
        except (OSError, KeyError, ValueError, TypeError) as error:
            return {"kind": "Internal", "error": f"{type(error).__name__}: {error}"}

    def _prepare(self, message: Message) -> None:
        """The sandbox; and once that is told, the cgroup's folders: nobody need wait for them."""
        answer = self._guarded(lambda: self._make_sandbox(message["sandbox"]))
        fd = self.sandbox.fd if self.sandbox else -1
        frames.send_descriptors(self.sock, answer, (fd,) if fd >= 0 else ())
        if "error" not in answer:
            self.group = CgroupCreate(Cgroup(message["cgroup"]))
            self.failure = self._guarded(lambda: self._make_group(message["aside"]))

    def _make_group(self, aside: str) -> Message:
        """The container's cgroup. Where we are in the parent's (its scope was made around us), which may have no processes of its
        own then (cgroup-v2.rst, No Internal Process Constraint), and are to be outside of the limits, we go aside first."""
        assert self.group
        if aside:
            here = Cgroup(aside)
            here.create(limited=False)
            here.take(os.getpid())
        perform([self.group])
        return {}

    def _make_sandbox(self, wanted: Message) -> Message:
        self.sandbox = Sandbox(wanted, self.spare)
        self.sandbox.create()
        return {"sandbox": bool(self.sandbox.path)}

    def _make_init(self, message: Message, stdio: tuple[int, ...]) -> Message:
        self.directory = message["directory"]
        task = plan.read(self.directory)
        if task.get("checkpoint"):
            network = self.sandbox.path if self.sandbox else ""
            self.restore = checkpoints.Restore(message["id"], self.directory, task, network, _three(stdio))
            return {}
        spec = self._with_sandbox(task["spec"])
        if task["runtime"]:
            self.external = External(task["runtime"], message["id"], self.directory)
            self.console = self.external.create(spec, task["rootfs"], task["overlay_base"], stdio)
            return {}
        here, there = console.pair() if spec["process"].get("terminal") else (-1, -1)
        self.init = container.create(
            message["id"], spec, bundle=task["bundle"], stdio=_three(stdio), console_socket=there, rootfs=task["rootfs"],
            overlay_base=task["overlay_base"], seccomp_cache=task["seccomp_cache"], for_parent=True,
        )  # fmt: skip
        if here >= 0:
            os.close(there)
            self.console = console.take(here)
        return {}

    def _with_sandbox(self, spec: Message) -> Message:
        """The spec with the sandbox's namespace in place of a new one."""
        assert self.sandbox
        for namespace in spec["linux"]["namespaces"]:
            if namespace["type"] == "network" and self.sandbox.path:
                namespace["path"] = self.sandbox.path
            if namespace["type"] == "user" and self.sandbox.user >= 0:
                namespace["path"] = f"/proc/{os.getpid()}/fd/{self.sandbox.user}"
        return spec

    def _go(self) -> Message:
        """Let init go. If it cannot, its cgroup goes too."""
        if self.failure:
            return self.failure
        if self.external:
            return self._go_external(self.external)
        if self.restore:
            return self._go_restored(self.restore)
        init, sandbox = self.init, self.sandbox
        if init is None or sandbox is None:
            raise RuntimeFailure("the task is not in a state to be started")
        before = oom.kills(init.group)
        try:
            container.start(init)
        except RuntimeFailure:
            init.group.kill()
            init.group.remove()
            raise
        made = [self.group] if self.group else []
        rest = [step for step in init.steps if not isinstance(step, CgroupCreate)]  # it found them there
        return _started(init.pid, init.spec, (*sandbox.steps, *made, *rest), before)

    def _go_external(self, external: External) -> Message:
        """The same by a runtime that is not ours."""
        assert self.sandbox and self.group
        spec = plan.read(self.directory)["spec"]
        group = Cgroup(spec["linux"]["cgroupsPath"])
        before = oom.kills(group)
        external.start()
        return _started(external.pid, spec, (*self.sandbox.steps, self.group), before)

    def _go_restored(self, step: checkpoints.Restore) -> Message:
        """The same from a checkpoint. What criu makes is our child, and the shim's when we end."""
        assert self.sandbox and self.group
        before = oom.kills(self.group.group)
        perform([step])
        assert step.made
        self.console = step.made.master
        return _started(step.made.pid, step.made.spec, (*self.sandbox.steps, self.group, step), before)

    def _checkpoint(self, message: Message) -> Message:
        """Write the running container down."""
        spec = plan.read(message["directory"])["spec"]
        checkpoints.write(_Target(message["id"], message["pid"], spec), message["checkpoint"], message["stays"])
        return {}

    def _command(self, message: Message) -> Message:
        """A command of a runtime that is not ours."""
        wanted = plan.read(message["directory"])["runtime"]
        External(wanted, message["id"], message["directory"]).call(*message["arguments"])
        return {}

    def _exec(self, message: Message, stdio: tuple[int, ...]) -> Message:
        task = plan.read(message["directory"])
        spec, process = task["spec"], message["process"]
        if task["runtime"]:
            external = External(task["runtime"], message["id"], message["directory"])
            pid, self.console = external.execute(process, stdio, str(os.getpid()))
            return {"pid": pid}
        target = _Target(message["id"], message["pid"], spec)
        here, there = console.pair() if process.get("terminal") else (-1, -1)
        pid = execute.execute(
            target, process, stdio=_three(stdio), console_socket=there, seccomp_cache=task["seccomp_cache"],
            for_parent=True,
        )  # fmt: skip
        if here >= 0:
            os.close(there)
            self.console = console.take(here)
        return {"pid": pid}


class _Target:
    """A running container, as an exec needs to know it."""

    def __init__(self, ident: str, pid: int, spec: Message) -> None:
        self.id, self.pid, self.spec = ident, pid, spec
        self.group = Cgroup(spec["linux"].get("cgroupsPath") or f"/{ident}")


def _started(pid: int, spec: Message, steps: Iterable[Step], before: int) -> Message:
    """The answer to `go`: init, what was done for it, the OOM kills before it, and whether its processes are in a namespace."""
    trace = marshal.dumps([step.record() for step in steps])  # the shim only passes it on
    own = any(n["type"] == "pid" for n in spec["linux"]["namespaces"])
    return {"pid": pid, "trace": trace, "oom": before, "pids": own}


def _three(fds: tuple[int, ...]) -> tuple[int, int, int]:
    """The process's streams; with a terminal they are made inside, and ours go nowhere."""
    return (fds[0], fds[1], fds[2]) if len(fds) == 3 else (0, 1, 2)
