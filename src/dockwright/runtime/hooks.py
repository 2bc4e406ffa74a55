"""The spec's hooks: programs that get the container's state on standard input.

Source: OCI runtime spec, config.md, POSIX-platform Hooks.
"""

from __future__ import annotations

import os
import select
import time

from dockwright.base.steps import Step
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Hook(Step):
    """One hook of one kind.

    Args:
        context: its `state_text()` is the document the hook reads.
    """

    __slots__ = ("context", "entry", "name")

    def __init__(self, name: str, entry: dict[str, Any], actor: str, context: Any) -> None:
        self.name, self.entry, self.context = name, entry, context
        super().__init__(actor, "process", f"run {name} hook {entry['path']}")

    def execute(self) -> None:
        try:
            status, output = run(self.entry, self.context.state_text(self.name))
        except OSError as error:
            raise RuntimeFailure(
                f"error running {self.name} hook: fork/exec {self.entry['path']}: {words(error)}"
            ) from None
        if status:
            reason = f"exit status {status}" if status > 0 else f"signal: {-status}"
            text = output.decode("utf-8", "replace").strip()
            raise RuntimeFailure(
                f"error running {self.name} hook: error running hook #0: {reason}, stdout: , stderr: {text}"
            )


def steps(spec: dict[str, Any], name: str, actor: str, context: Any) -> list[Step]:
    """The hooks of kind `name` as steps."""
    return [Hook(name, entry, actor, context) for entry in (spec.get("hooks") or {}).get(name) or ()]


def run(entry: dict[str, Any], document: str) -> tuple[int, bytes]:
    """Run one hook to its end, at most `timeout` seconds.

    Returns:
        (exit status, negative for a signal; what it said on stderr).

    Raises:
        OSError: the program cannot be run.
    """
    arguments = entry.get("args") or [entry["path"]]
    environment = dict(variable.partition("=")[::2] for variable in entry.get("env") or ())
    into, feed = os.pipe()
    said, out = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, into, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
        pid = os.posix_spawn(entry["path"], arguments, environment, file_actions=actions)
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
    deadline = time.monotonic() + timeout if timeout else None
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
