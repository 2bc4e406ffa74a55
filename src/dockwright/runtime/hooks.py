"""The spec's hooks: programs that get the container's state on standard input.

Source: OCI runtime spec, config.md, POSIX-platform Hooks.
"""

from __future__ import annotations

import os
import select
import time

from dockwright.base.steps import Step, perform
from dockwright.kernel.process import settable_signals
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Hook(Step):
    """One hook of one kind.

    Args:
        number: its place among those of its kind. context: its `state_text()` is the document the hook reads.
    """

    __slots__ = ("context", "entry", "name", "number")

    def __init__(self, name: str, number: int, entry: dict[str, Any], actor: str, context: Any) -> None:
        self.name, self.number, self.entry, self.context = name, number, entry, context
        super().__init__(actor, "process", f"run {name} hook {entry['path']}")

    def execute(self) -> None:
        head = f"error running {self.name} hook #{self.number}: "
        try:
            status, output = run(self.entry, self.context.state_text(self.name))
        except OSError as error:
            raise RuntimeFailure(f"{head}fork/exec {self.entry['path']}: {words(error)}") from None
        if status:
            reason = f"exit status {status}" if status > 0 else f"signal: {signal_name(-status)}"
            raise RuntimeFailure(f"{head}{reason}, stdout: , stderr: {output.decode('utf-8', 'replace').strip()}")


def steps(spec: dict[str, Any], name: str, actor: str, context: Any) -> list[Step]:
    """The hooks of kind `name` as steps."""
    entries = (spec.get("hooks") or {}).get(name) or ()
    return [Hook(name, number, entry, actor, context) for number, entry in enumerate(entries)]


def run_all(spec: dict[str, Any], name: str, context: Any) -> list[Step]:
    """Run the hooks of a kind whose failures do not count (poststop): each is noted and the next one run.

    Returns:
        the steps; one that failed says so in its text.
    """
    ran = steps(spec, name, "shim", context)
    for step in ran:
        try:
            perform([step])
        except RuntimeFailure as failure:
            step.text += f" ({failure.message})"
            warn(failure.message)
    return ran


def warn(text: str) -> None:
    """Say it on standard error, as a line of the runtime's log."""
    os.write(2, f"level=warning msg={text!r}\n".encode())


def signal_name(number: int) -> str:
    """A signal as Go prints it in an exit status."""
    return {9: "killed", 15: "terminated", 6: "aborted", 11: "segmentation fault"}.get(number, str(number))


def run(entry: dict[str, Any], document: str) -> tuple[int, bytes]:
    """Run one hook to its end, at most `timeout` seconds.

    Returns:
        (exit status, negative for a signal; what it said on stderr).

    Raises:
        OSError: the program cannot be run.
    """
    arguments = entry.get("args") or [entry["path"]]
    given = entry.get("env")
    environment = os.environ if given is None else dict(variable.partition("=")[::2] for variable in given)
    into, feed = os.pipe()
    said, out = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, into, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
        default = settable_signals()
        pid = os.posix_spawn(entry["path"], arguments, environment, file_actions=actions, setsigmask=(), setsigdef=default)
    except OSError:
        os.close(feed)
        os.close(said)
        raise
    finally:
        os.close(into)
        os.close(out)
    _feed(feed, document)
    output = _until(said, pid, entry.get("timeout") or 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


def _feed(fd: int, document: str) -> None:
    try:
        os.write(fd, document.encode())
    except BrokenPipeError:
        return  # a hook need not read its state
    finally:
        os.close(fd)


def _until(fd: int, pid: int, timeout: int) -> bytes:
    """Read what the hook says until it closes its output; at the deadline it is killed."""
    deadline = time.monotonic() + timeout if timeout > 0 else None
    output = b""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([fd], [], [], left)[0]:
            os.kill(pid, 9)
            deadline = None
            continue
        piece = os.read(fd, 4096)
        if not piece:
            break
        output = (output + piece)[-4096:]
    os.close(fd)
    return output
