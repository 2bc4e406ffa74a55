"""How many processes of a cgroup the kernel has killed for want of memory (memory.rst, cgroup-v2.rst)."""

from __future__ import annotations

import os

from dockwright.kernel import inotify
from dockwright.runtime.cgroups.group import Cgroup, gone, read, write


def kills(group: Cgroup) -> int:
    """The cgroup's oom_kill counter; 0 where there is none (no memory controller, or the group is gone)."""
    path = _counters(group)
    if not path:
        return 0
    try:
        for line in read(path).splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except OSError as error:
        if not gone(error):
            raise
    return 0


def _counters(group: Cgroup) -> str:
    """The file with the counter, "" where there is none."""
    return group.file("memory", "memory.events" if group.layout.is_v2 else "memory.oom_control")


def counted(group: Cgroup) -> bool:
    """Whether there is a counter (still)."""
    return os.path.exists(_counters(group))


def notices(group: Cgroup) -> int:
    """A descriptor that becomes readable when the cgroup runs out of memory; -1 where the kernel does not tell.

    On v2 the counters have changed, perhaps others than oom_kill (inotify(7) on memory.events). On v1 the kernel is about to kill
    (eventfd(2) given to cgroup.event_control); it tells, too, when the cgroup goes: close the descriptor before.
    """
    path = _counters(group)
    if not path:
        return -1
    try:
        return _watched(path) if group.layout.is_v2 else _registered(path)
    except OSError:
        return -1  # the group is gone; v1 without notices (PREEMPT_RT); too many inotify descriptors


def _watched(path: str) -> int:
    fd = inotify.init()
    try:
        inotify.add(fd, path, inotify.IN_MODIFY)
    except OSError:
        os.close(fd)
        raise
    return fd


def _registered(path: str) -> int:
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        control = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            write(f"{os.path.dirname(path)}/cgroup.event_control", f"{fd} {control}")
        finally:
            os.close(control)
    except OSError:
        os.close(fd)
        raise
    return fd
