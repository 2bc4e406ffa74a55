"""--cpu-rt-period and --cpu-rt-runtime: what the parents of containers' cgroups may spend on real-time processes.

It bounds what containers can be given by the options of the same names: without it that is nothing. Cgroup v1 only, on kernels
with CONFIG_RT_GROUP_SCHED. Source: kernel documentation, scheduler/sched-rt-group; the texts observed with dockerd 26.1.5.
"""

import os

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.host.limits import read as read_limits
from dockwright.runtime.cgroups.group import make_directories, write
from dockwright.runtime.cgroups.layout import Layout, layout


def check(period: int, runtime: int) -> None:
    """Raises InvalidParameter where the kernel cannot do it."""
    if (period or runtime) and not read_limits().cpu_realtime:
        raise InvalidParameter("Your kernel does not support CPU real-time scheduler")


def allow(cgroup: str, period: int, runtime: int, where: Layout | None = None) -> None:
    """Write what is not 0 to each parent of `cgroup`, the topmost first; microseconds.

    Raises:
        Internal: the kernel refuses it, in Docker's words.
    """
    there = where or layout()
    parents, parent = [], os.path.dirname(cgroup)
    while parent.strip("/"):
        parents.append(parent)
        parent = os.path.dirname(parent)
    for path in reversed(parents):
        directory = there.controller("cpu", path)
        for name, value in (("cpu.rt_period_us", period), ("cpu.rt_runtime_us", runtime)):
            if value:
                _write(directory, name, value)


def _write(directory: str, name: str, value: int) -> None:
    try:
        make_directories(directory)
        write(f"{directory}/{name}", str(value))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise Internal(f"unable to init CPU RT controller: write {directory}/{name}: {reason}") from None
