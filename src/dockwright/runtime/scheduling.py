"""When a process runs and when its input and output are served: process.scheduler and process.ioPriority.

Sources: sched_setattr(2), sched(7), ioprio_set(2); OCI runtime spec, config.md, Linux process.
"""

from __future__ import annotations

from _struct import Struct

from dockwright.kernel.libc import syscall
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IO_CLASSES = ("", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE")  # by number
IOPRIO_WHO_PROCESS = 1
POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}  # fmt: skip
FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4, "SCHED_FLAG_KEEP_POLICY": 8,
    "SCHED_FLAG_KEEP_PARAMS": 16, "SCHED_FLAG_UTIL_CLAMP_MIN": 32, "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
}  # fmt: skip
_ATTRIBUTES = Struct("=IIQiIQQQ")  # struct sched_attr, SCHED_ATTR_SIZE_VER0


def check(entry: dict[str, Any]) -> None:
    """Refuse what sched_setattr(2) has no number for, and parameters that belong to another policy.

    Raises:
        RuntimeFailure: in words.
    """
    policy = entry.get("policy")
    if policy not in POLICIES:
        raise RuntimeFailure(f"invalid scheduler policy: {policy}")
    for flag in entry.get("flags") or ():
        if flag not in FLAGS:
            raise RuntimeFailure(f"invalid scheduler flag: {flag}")
    if not -20 <= entry.get("nice", 0) <= 19:
        raise RuntimeFailure(f"invalid scheduler.nice: {entry['nice']}, must be from -20 to 19")
    if entry.get("priority") and policy not in ("SCHED_FIFO", "SCHED_RR"):
        raise RuntimeFailure("scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy")
    if policy != "SCHED_DEADLINE" and any(entry.get(key) for key in ("runtime", "deadline", "period")):
        raise RuntimeFailure("scheduler runtime/deadline/period can only be specified for SCHED_DEADLINE policy")


def set_policy(entry: dict[str, Any]) -> None:
    """Schedule the calling thread by process.scheduler.

    Raises:
        RuntimeFailure: the kernel refused, for want of rights or because the values make no sense.
    """
    flags = sum(FLAGS[flag] for flag in entry.get("flags") or ())
    numbers = [int(entry.get(key) or 0) for key in ("nice", "priority", "runtime", "deadline", "period")]
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, POLICIES[entry["policy"]], flags, *numbers)
    try:
        syscall("sched_setattr", 0, attributes, 0)
    except OSError as error:
        raise RuntimeFailure(f"error setting scheduler: {words(error)}") from None


def set_io_priority(entry: dict[str, Any]) -> None:
    """Give the calling thread process.ioPriority.

    Raises:
        RuntimeFailure: the kernel refused.
    """
    try:
        syscall("ioprio_set", IOPRIO_WHO_PROCESS, 0, IO_CLASSES.index(entry["class"]) << 13 | int(entry.get("priority", 0)))
    except OSError as error:
        raise RuntimeFailure(f"error setting ioPriority: {words(error)}") from None
