"""init before it is the user's program: what runs in the clone, up to execve(2)."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os
from time import monotonic_ns

from dockwright.base.steps import Step, perform
from dockwright.kernel import process as k
from dockwright.runtime import channel, hooks
from dockwright.runtime.failure import RuntimeFailure, explain
from dockwright.runtime.mounts import Mount, mount_failure
from dockwright.runtime.process import Program, adopt_stdio, own_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.runtime.container import Init


class Child:
    """init's side of the making of a container. `run` never returns.

    Args:
        inside: its steps. stdio: three descriptors for the program. tasks: the v1 files to join through.
        joined: (flag, descriptor) of namespaces to enter. report, gate: its ends of the channels.
        fifo: what it waits at instead of the gate, -1 for the gate.
    """

    def __init__(
        self, init: Init, inside: list[Step], program: Program, stdio: tuple[int, int, int], tasks: list[int],
        joined: list[tuple[int, int]], report: int, gate: int, fifo: int,
    ) -> None:  # fmt: skip
        self.init, self.inside, self.program, self.stdio = init, inside, program, stdio
        self.tasks, self.joined, self.report = tasks, joined, report
        self.gate, self.fifo = gate, fifo
        self.reader = True  # whether our maker still listens to reports

    def run(self) -> None:
        """Do init's steps, report, wait, execve. Leaves by os._exit on any failure."""
        try:
            self._prepare()
            self._run()
        except RuntimeFailure as failure:
            self._fail(failure.message)
        except OSError as error:
            self._fail(explain(error))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, our maker must hear of it
            self._fail(f"init: {type(error).__name__}: {error}")
        finally:
            os._exit(1)

    def _prepare(self) -> None:
        gc.disable()
        k.prctl(k.PR_SET_DUMPABLE, 0)
        os.close(self.init.report)
        os.close(self.init.gate)
        default_signals()
        os.setsid()
        for fd in self.tasks:
            os.write(fd, b"0")
        channel.await_go(self.gate)
        self._join()

    def _run(self) -> None:
        context = self.init.context
        self._perform()
        if context.root >= 0:
            os.close(context.root)  # no descriptor of a directory may be left for chdir(2) to find (CVE-2024-21626)
        adopt_stdio(self.stdio, context.console)
        own_null()
        self.program.own_stdio()
        if context.keyring:
            self._keyring()
        self.program.enter_directory()
        self.program.home()
        path = self.program.locate()
        self.program.check_capabilities()
        times = [(i, step.started, step.took) for i, step in enumerate(self.inside)]
        channel.send(self.report, {"times": times})
        self._wait()
        perform(hooks.steps(self.init.spec, "startContainer", "init", context))
        k.close_range(3 + context.preserve, flags=k.CLOSE_RANGE_CLOEXEC)
        self.program.become(path)

    def _perform(self) -> None:
        """The steps, one by one: their errors say during what they happened."""
        for step in self.inside:
            step.started = monotonic_ns()
            try:
                step.execute()
            except RuntimeFailure as failure:
                raise failure.prefixed("error during container init: ") from None
            except OSError as error:
                raise RuntimeFailure("error during container init: " + _located(step, error)) from None
            step.took = monotonic_ns() - step.started

    def _wait(self) -> None:
        """Until `start`: at the gate our maker holds, or at a fifo whose writer is another process of the runtime."""
        if self.fifo < 0:
            return channel.await_go(self.gate)
        channel.await_go(self.fifo)
        self.reader = False
        return None

    def _join(self) -> None:
        for flag, fd in self.joined:
            if flag not in (k.CLONE_NEWPID, k.CLONE_NEWUSER):  # those two had to be joined before init was born
                k.setns(fd, flag)
        if self.init.context.user_namespace:
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)

    def _keyring(self) -> None:
        try:
            k.join_session_keyring(f"_ses.{self.init.id[:60]}")
        except OSError:
            return  # kernels without keyrings, or a host that is out of keys: runc goes on as well

    def _fail(self, text: str) -> None:
        if self.reader:
            channel.send(self.report, {"error": text})
        else:
            os.write(2, text.encode() + b"\n")  # the container's own stderr is all that is left, as with runc


def _located(step: Step, error: OSError) -> str:
    """The text of an error in a step."""
    if isinstance(step, Mount):
        return mount_failure(step.entry, error)
    return f"{step.describe()}: {explain(error)}"


def default_signals() -> None:
    """Undo what the interpreter and our maker ignore or block: execve(2) would hand it on (signal(7))."""
    for number in _signal.valid_signals():
        if _signal.getsignal(number) not in (_signal.SIG_DFL, None):
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
