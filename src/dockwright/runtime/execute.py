"""Another process in a running container (DECISIONS 24).

A helper joins the cgroups and, by one setns(2) on init's pidfd, all of its namespaces; then it clones the process with
CLONE_PARENT, so that the process is in the pid namespace and yet our own child. No set-up happens after entering.
"""

from __future__ import annotations

import gc
import os

from dockwright.kernel import process as k
from dockwright.runtime import channel
from dockwright.runtime.container import Init
from dockwright.runtime.failure import RuntimeFailure, explain
from dockwright.runtime.namespaces import FLAGS
from dockwright.runtime.process import Program, adopt_stdio
from dockwright.runtime.seccomp import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def execute(
    init: Init, process: dict[str, Any], *, stdio: tuple[int, int, int] = (0, 1, 2), console: int = -1,
    seccomp_cache: str = "",
) -> int:  # fmt: skip
    """Run `process` (an OCI process object) in the container of `init`; returns its pid, a child of ours.

    Raises:
        RuntimeFailure: in runc's words.
    """
    linux = init.spec.get("linux") or {}
    filter_ = filter_of(linux["seccomp"], seccomp_cache) if linux.get("seccomp") else None
    entry = _Entry(init, Program(process, filter_), stdio, console)
    try:
        return entry.make()
    except OSError as error:
        raise RuntimeFailure(f"unable to start container process: {explain(error)}") from None
    finally:
        entry.close()


class _Entry:
    """The way in: our side and both children."""

    def __init__(self, init: Init, program: Program, stdio: tuple[int, int, int], console: int) -> None:
        self.program, self.stdio, self.console = program, stdio, console
        self.kinds = [n["type"] for n in (init.spec.get("linux") or {}).get("namespaces") or ()]
        self.held: list[int] = []
        self.pidfd = self._hold(k.pidfd_open(init.pid))
        self.tasks = [self._hold(fd) for fd in init.group.join_descriptors()]
        self.unified = self._hold(init.group.unified_descriptor())
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
        helper = k.clone3(0, cgroup=self.unified)
        if helper == 0:
            self._child(self._enter)
        for fd in (self.child_report, self.child_gate):
            self.held.remove(fd)
            os.close(fd)
        report = channel.receive(self.report)
        os.waitpid(helper, 0)
        if report is None or "error" in report:
            raise RuntimeFailure(report["error"] if report else "the helper ended before it had entered the container")
        pid = int(report["pid"])
        self.program.limit(pid)
        channel.go(self.gate)
        report = channel.receive(self.report)
        if report is not None:
            raise RuntimeFailure(str(report.get("error")))
        return pid

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

    def _enter(self) -> None:
        """The helper: cgroups, namespaces, and the real child."""
        gc.disable()
        k.prctl(k.PR_SET_DUMPABLE, 0)
        os.close(self.report)
        os.close(self.gate)
        for fd in self.tasks:
            os.write(fd, b"0")
        flags = 0
        for kind in self.kinds:
            flags |= FLAGS[kind]
        k.setns(self.pidfd, flags)
        pid = k.clone3(k.CLONE_PARENT)
        if pid == 0:
            self._child(self._become)
        channel.send(self.child_report, {"pid": pid})
        os._exit(0)

    def _become(self) -> None:
        """The process itself."""
        channel.await_go(self.child_gate)
        os.setsid()
        adopt_stdio(self.stdio, self.console)
        self.program.enter_directory()
        self.program.home()
        path = self.program.locate()
        k.close_range(3, flags=k.CLOSE_RANGE_CLOEXEC)
        self.program.become(path)
