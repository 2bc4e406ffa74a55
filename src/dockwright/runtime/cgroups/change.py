"""Changing the limits of a cgroup that is in use."""

from __future__ import annotations

import errno

from dockwright.runtime.cgroups import devices, limits
from dockwright.runtime.cgroups.group import Cgroup, write_limit
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def change(group: Cgroup, resources: dict[str, Any]) -> None:
    """Make the limits in `resources` (linux.resources) true; what it does not name stays.

    Raises:
        RuntimeFailure: the kernel refused a value; limits written before it stay changed, as with runc.
    """
    try:
        writes = limits.v2_writes(resources) if group.layout.is_v2 else limits.v1_writes(resources)
    except ValueError as error:
        raise RuntimeFailure(str(error)) from None
    if resources.get("devices"):
        rules = devices.with_defaults(resources["devices"])
        if group.layout.is_v2:
            devices.replace(group.file("", "").rstrip("/"), rules)
        else:
            writes += devices.v1_writes(rules)
    for index, (controller, file, value) in enumerate(writes):
        try:
            write_limit(group, controller, file, value)
        except OSError as error:
            if _swap_first(error, file):
                _raise_both(group, writes[index:])
                continue
            raise RuntimeFailure(f"failed to write {value} to {file}: {words(error)}") from None


def _swap_first(error: OSError, file: str) -> bool:
    """v1 keeps memory <= memory+swap at every moment: raising both means raising the second first."""
    return error.errno == errno.EINVAL and file == "memory.limit_in_bytes"


def _raise_both(group: Cgroup, writes: list[tuple[str, str, str]]) -> None:
    (_, limit, value), rest = writes[0], writes[1:]
    for controller, file, swap in rest:
        if file == "memory.memsw.limit_in_bytes":
            try:
                write_limit(group, controller, file, swap)
                return write_limit(group, controller, limit, value)
            except OSError as error:
                raise RuntimeFailure(f"failed to write {swap} to {file}: {words(error)}") from None
    raise RuntimeFailure(
        "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
    )
