"""Another process in a running container (DECISIONS 24).

A helper joins the cgroups and, by one setns(2) on init's pidfd, all of its namespaces; then it clones the process with
CLONE_PARENT, so that the process is in the pid namespace and yet our own child. No set-up happens after entering.
A maker (docs/rooms/supervisor.md) is such a helper itself: it goes in and clones a child of its shim.
"""

from __future__ import annotations

import errno
import gc
import os

from dockwright.kernel import process as k
from dockwright.kernel.mount import O_PATH
from dockwright.runtime import channel, console
from dockwright.runtime.cgroups.layout import unified_path
from dockwright.runtime.container import write_score
from dockwright.runtime.failure import RuntimeFailure, explain
from dockwright.runtime.init import default_signals
from dockwright.runtime.namespaces import FLAGS
from dockwright.runtime.process import Program, adopt_stdio
from dockwright.runtime.seccomp import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from dockwright.runtime.cgroups.group import Cgroup

    class Target(Protocol):
        """A container that runs."""

        @property
        def pid(self) -> int: ...
        @property
        def spec(self) -> dict[str, Any]: ...
        @property
        def group(self) -> Cgroup: ...


def execute(
    container: Target, process: dict[str, Any], *, stdio: tuple[int, int, int] = (0, 1, 2), console: int = -1,
    console_socket: int = -1, seccomp_cache: str = "", preserve: int = 0, for_parent: bool = False,
) -> int:  # fmt: skip
    """Run `process` (an OCI process object) in a container; returns its pid, a child of ours (or of our parent).

    Args:
        container: has id, pid, spec and group: an Init, or a State read from disk.
        stdio, console, console_socket, preserve, for_parent: as for container.create.

    Raises:
        RuntimeFailure: in runc's words.
    """
    linux = container.spec.get("linux") or {}
    filter_ = filter_of(linux["seccomp"], seccomp_cache) if linux.get("seccomp") else None
    program = Program(process, filter_, linux.get("personality"))
    try:
        entry = _Entry(container, program, stdio, console, console_socket, preserve, for_parent)
    except OSError as error:
        raise RuntimeFailure(explain(error)) from None
    try:
        return entry.make()
    except OSError as error:
        raise RuntimeFailure(explain(error)) from None
    finally:
        entry.close()


class _Entry:
    """The way in: our side and both children."""

    def __init__(
        self, container: Target, program: Program, stdio: tuple[int, int, int], console: int, console_socket: int,
        preserve: int, for_parent: bool,
    ) -> None:  # fmt: skip
        self.container, self.program, self.stdio, self.console = container, program, stdio, console
        self.console_socket, self.preserve = console_socket, preserve
        self.parent = k.CLONE_PARENT if for_parent else 0
        self.kinds = [n["type"] for n in (container.spec.get("linux") or {}).get("namespaces") or ()]
        self.held: list[int] = []
        try:
            self._open()
        except OSError:
            self.close()
            raise

    def _open(self) -> None:
        group = self.container.group
        self.pidfd = self._hold(k.pidfd_open(self.container.pid))
        self.tasks = [self._hold(fd) for fd in group.join_descriptors()]
        self.unified = self._hold(group.unified_descriptor())
        self.report, self.child_report = (self._hold(fd) for fd in os.pipe())
        self.child_gate, self.gate = (self._hold(fd) for fd in os.pipe())

    def _hold(self, fd: int) -> int:
        if fd >= 0:
            self.held.append(fd)
        return fd

    def close(self) -> None:
        """Close what is still open on our side."""
        for fd in self.held:
            os.close(fd)

    def make(self) -> int:
        """Our side."""
        proc = self._hold(os.open("/proc", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        alone = self.parent and "user" not in self.kinds  # else from inside no cgroup could be written to
        pid = self._from_inside() if alone else self._by_helper()
        try:
            write_score(pid, self.container.spec, proc)
            self.program.limit(pid)
        except BaseException:
            os.kill(pid, 9)
            self._collect(pid)
            raise
        channel.go(self.gate)
        report = channel.receive(self.report)
        if report is not None:
            self._collect(pid)
            raise RuntimeFailure(str(report.get("error")))
        return pid

    def _by_helper(self) -> int:
        """A helper goes in and clones the process with CLONE_PARENT, so that it is our own child, or our parent's."""
        helper = self._clone()
        if helper == 0:
            self._child(self._enter_and_clone)
        self._let_go()
        report = channel.receive(self.report)
        self._collect(helper)
        if report is None or "error" in report:
            raise RuntimeFailure(report["error"] if report else "the helper ended before it had entered the container")
        return int(report["pid"])

    def _from_inside(self) -> int:
        """The process is to be our parent's child, and we are there for nothing else: we go in ourselves."""
        inner = self._open_inner() if self.unified >= 0 else -1  # now: inside, /proc and /sys are the container's
        self._enter(later=k.CLONE_NEWCGROUP)
        pid = self._clone(inner)
        if pid == 0:
            self._child(self._become_alone)
        self._let_go()
        return pid

    def _let_go(self) -> None:
        """Close the child's ends of the channels."""
        for fd in (self.child_report, self.child_gate):
            self.held.remove(fd)
            os.close(fd)

    def _become_alone(self) -> None:
        """The child of `_from_inside`: without our ends of the channels, and last into the cgroup namespace.

        Whoever is in there may clone into no cgroup from outside it (cgroups(7), nsdelegate): its maker is not.
        """
        os.close(self.report)
        os.close(self.gate)
        if "cgroup" in self.kinds:
            k.setns(self.pidfd, k.CLONE_NEWCGROUP)
        self._become()

    def _collect(self, pid: int) -> None:
        """Wait for a child of ours; one that is our parent's is the parent's to wait for."""
        if not self.parent:
            os.waitpid(pid, 0)

    def _clone(self, inner: int = -1) -> int:
        """A child born in the container's v2 cgroup: in init's own (`inner`) where that one has been handed children."""
        try:
            return k.clone3(self.parent, cgroup=self.unified)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EOPNOTSUPP):
                raise
        return k.clone3(self.parent, cgroup=inner if inner >= 0 else self._open_inner())

    def _open_inner(self) -> int:
        inner = unified_path(self.container.pid)
        return self._hold(os.open(self.container.group.layout.unified + inner, os.O_RDONLY | os.O_CLOEXEC))

    def _child(self, work: object) -> None:
        """Run `work` in a child; failures are reported, and the child never returns."""
        try:
            work()  # type: ignore[operator]
        except RuntimeFailure as failure:
            channel.send(self.child_report, {"error": failure.message})
        except OSError as error:
            channel.send(self.child_report, {"error": explain(error)})
        except BaseException as error:  # noqa: BLE001 -- whatever it is, our maker must hear of it
            channel.send(self.child_report, {"error": f"{type(error).__name__}: {error}"})
        finally:
            os._exit(1)

    def _enter_and_clone(self) -> None:
        """The helper: in, and the real child."""
        os.close(self.report)
        os.close(self.gate)
        self._enter()
        pid = k.clone3(k.CLONE_PARENT)
        if pid == 0:
            self._child(self._become)
        channel.send(self.child_report, {"pid": pid})
        os._exit(0)

    def _enter(self, later: int = 0) -> None:
        """Into the cgroups and namespaces but those `later`; of a pid namespace only our children will be members."""
        gc.disable()
        k.prctl(k.PR_SET_DUMPABLE, 0)
        default_signals()
        for fd in self.tasks:
            os.write(fd, b"0")
        flags = 0
        for kind in self.kinds:
            flags |= FLAGS[kind]
        flags &= ~later
        if flags:
            k.setns(self.pidfd, flags)
        if flags & k.CLONE_NEWUSER:
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)

    def _become(self) -> None:
        """The process itself."""
        channel.await_go(self.child_gate)
        os.setsid()
        if self.console_socket >= 0:
            self._open_console()
        adopt_stdio(self.stdio, self.console)
        self.program.own_stdio()
        self.program.enter_directory()
        self.program.home()
        path = self.program.locate()
        self.program.check_capabilities()
        k.close_range(3 + self.preserve, flags=k.CLOSE_RANGE_CLOEXEC)
        self.program.become(path)

    def _open_console(self) -> None:
        """A pty of the container's devpts, its master sent out."""
        root = os.open("/", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        master, self.console, name = console.open_pair(root)
        size = self.program.console_size
        if any(size):
            console.resize(self.console, *size)
        console.hand_out(self.console_socket, name, master)
        for fd in (root, master):
            os.close(fd)
