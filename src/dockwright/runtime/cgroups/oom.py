"""How many processes of a cgroup the kernel has killed for want of memory (memory.rst, cgroup-v2.rst)."""

from __future__ import annotations

from dockwright.runtime.cgroups.group import Cgroup, gone, read


def kills(group: Cgroup) -> int:
    """The cgroup's oom_kill counter; 0 where there is none (no memory controller, or the group is gone)."""
    path = group.file("memory", "memory.events" if group.layout.is_v2 else "memory.oom_control")
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
