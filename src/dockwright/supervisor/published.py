"""What `dockwright-runc --root EXEC/runc` is to know of the engine's containers: who runs, and where the plan is.

Written by the maker after the start has been answered, so it delays nobody; removed when the task is cleaned up. Init is
looked at once more after writing: one that has ended meanwhile may have been cleaned up already.
"""

from __future__ import annotations

import os

from dockwright.runtime import state
from dockwright.supervisor import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.runtime.container import Init
    from dockwright.runtime.criu.restore import Restored


def root(directory: str) -> str:
    """The runtime's state root that goes with a task's folder EXEC/tasks/ID."""
    return os.path.join(os.path.dirname(os.path.dirname(directory)), "runc")


def publish(directory: str, init: Init | Restored) -> None:
    """Make a container that has been started known."""
    where = root(directory)
    made = state.of_init(where, init.id, init.spec, init.context.bundle, init.pid, init.group.path)
    made.values["config"] = os.path.join(directory, plan.NAME)
    os.makedirs(made.directory, 0o711, exist_ok=True)
    try:
        made.save()
    except FileNotFoundError:  # removed, with its folder, while this was written
        return
    if not made.alive():
        withdraw(directory)


def withdraw(directory: str) -> None:
    """Forget a container; one that never was published is fine."""
    state.remove(os.path.join(root(directory), os.path.basename(directory)))
