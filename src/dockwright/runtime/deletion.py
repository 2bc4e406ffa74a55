"""The end of a container: signals, and taking away what it had."""

from __future__ import annotations

import os
import time

from dockwright.kernel import process as k
from dockwright.runtime import hooks, state
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.runtime.container import Init

KILL = 9
PATIENCE = 10.0  # seconds a killed init gets to end: it may have to write back dirty pages first
_TICK = 0.001


def signal_init(made: state.State, number: int) -> None:
    """Signal init, by a pidfd whose process is sure to be it.

    Raises:
        RuntimeFailure: it has ended.
    """
    try:
        pidfd = k.pidfd_open(made.pid)
        try:
            if not made.alive():  # asked after opening: from here on the pidfd can mean no other process
                raise RuntimeFailure("container not running")
            k.pidfd_send_signal(pidfd, number)
        finally:
            os.close(pidfd)
    except ProcessLookupError:
        raise RuntimeFailure("container not running") from None
    except OSError as error:
        raise RuntimeFailure(words(error)) from None
    if number == KILL and not owns_pids(made):
        made.group.kill()


def signal_all(made: state.State, number: int) -> None:
    """Signal everything in the cgroup; after init has ended too, for those that outlive it."""
    if number == KILL:
        return made.group.kill()
    for pid in made.group.pids():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return None


def owns_pids(made: state.State) -> bool:
    """Whether the kernel itself ends all its processes when init ends (pid_namespaces(7))."""
    entries = (made.spec.get("linux") or {}).get("namespaces") or ()
    return any(entry["type"] == "pid" and not entry.get("path") for entry in entries)


def destroy(made: state.State) -> None:
    """Kill what is left, run the poststop hooks, remove cgroup and state.

    Raises:
        RuntimeFailure: a process does not die, or the cgroup stays busy; the state stays then.
    """
    if made.alive():
        _end(made)
    made.group.kill()
    try:
        made.group.remove()
    except OSError as error:
        raise RuntimeFailure(f"unable to remove container's cgroup: {made.group.path}: {words(error)}") from None
    hooks.run_all(made.spec, "poststop", made.context())
    state.remove(made.directory)


def _end(made: state.State) -> None:
    if made.group.frozen():
        made.group.freeze(False)  # a frozen process takes no signal on v1
    try:
        signal_init(made, KILL)
    except RuntimeFailure:
        pass  # it ended by itself meanwhile
    deadline = time.monotonic() + PATIENCE
    while made.alive():
        if time.monotonic() > deadline:
            raise RuntimeFailure("container init still running")
        time.sleep(_TICK)


def undo(init: Init) -> None:
    """Take back a container whose making failed after init was there."""
    init.close()
    try:
        os.kill(init.pid, KILL)
        os.waitpid(init.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        init.pid = 0
    init.group.kill()
    init.group.remove()


def forget(root: str, container_id: str) -> None:
    """Remove a state folder without a state file: what a create that was killed left."""
    state.check_id(container_id)
    state.remove(f"{root}/{container_id}")
