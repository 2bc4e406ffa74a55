"""The task's plan on disk: what the daemon wants made, for the makers to read. The shim itself never holds it."""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "plan"


def read(directory: str) -> dict[str, Any]:
    """The plan in a task's folder: {"spec", "bundle", "rootfs", "overlay_base", "seccomp_cache", "runtime"}.

    Raises:
        OSError: it is not there.
    """
    with open(os.path.join(directory, NAME), "rb") as file:
        plan: dict[str, Any] = marshal.loads(file.read())  # load() would read value by value
    return plan
