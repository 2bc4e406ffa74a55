"""Which cgroup hierarchies this host has: v1 controllers, v2, or both beside each other (hybrid).

Read from /proc/self/mountinfo (proc(5)), once per process: mounting a hierarchy later is not something hosts do.
"""

from __future__ import annotations

import os

V1_CONTROLLERS = (
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio",
    "perf_event", "hugetlb", "rdma", "misc",
)  # fmt: skip


class Layout:
    """The hierarchies of a host.

    Args:
        v1: mount point of each v1 controller, and of named hierarchies as "name=systemd".
        unified: mount point of cgroup v2, "" if there is none.
    """

    def __init__(self, v1: dict[str, str], unified: str) -> None:
        self.v1 = v1
        self.unified = unified

    @property
    def is_v2(self) -> bool:
        """Whether v2 is the only hierarchy: then its controllers are used."""
        return not self.v1 and bool(self.unified)

    @property
    def mode(self) -> str:
        """ "v1", "v2" or "hybrid"."""
        if self.is_v2:
            return "v2"
        return "hybrid" if self.unified else "v1"

    def directories(self, path: str) -> list[str]:
        """The folder of cgroup `path` in each hierarchy, each once (cpu and cpuacct may share one mount)."""
        mounts = list(dict.fromkeys(self.v1.values())) + ([self.unified] if self.unified else [])
        return [mount + "/" + path.strip("/") for mount in mounts]

    def controller(self, name: str, path: str) -> str:
        """The folder where `name`'s files of cgroup `path` are; "" if the host lacks the controller."""
        if self.is_v2:
            return self.unified + "/" + path.strip("/")
        mount = self.v1.get(name, "")
        return mount and mount + "/" + path.strip("/")


_found: list[Layout] = []


def layout() -> Layout:
    """This host's layout."""
    if not _found:
        _found.append(read_layout("/proc/self/mountinfo"))
    return _found[0]


def read_layout(mountinfo: str) -> Layout:
    """The layout that the file `mountinfo` describes. Of several mounts of one hierarchy the first counts."""
    v1: dict[str, str] = {}
    unified = ""
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            fstype, _, options = after.split()[:3]
            point = before.split()[4]
            if fstype == "cgroup2" and not unified:
                unified = point
            elif fstype == "cgroup":
                for option in options.split(","):
                    if option in V1_CONTROLLERS or option.startswith("name="):
                        v1.setdefault(option, point)
    return Layout(v1, unified)


def paths_of(pid: str) -> dict[str, str]:
    """The cgroup of a process in each hierarchy by controller name; "" is v2 (/proc/PID/cgroup, cgroups(7))."""
    paths: dict[str, str] = {}
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for name in controllers.split(","):
                paths[name] = path
    return paths


def unified_path(pid: int) -> str:
    """The v2 cgroup of a process, "" if it has none (/proc/PID/cgroup)."""
    return paths_of(str(pid)).get("", "")


def available_v2(unified: str) -> list[str]:
    """The controllers of a v2 root."""
    with open(os.path.join(unified, "cgroup.controllers"), encoding="ascii") as file:
        return file.read().split()
