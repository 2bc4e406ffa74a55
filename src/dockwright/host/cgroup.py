"""Which cgroups this host has and what they can limit.

Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from dataclasses import dataclass

from dockwright.host.files import HostFiles

ROOT = "/sys/fs/cgroup"


@dataclass(frozen=True)
class CgroupFacts:
    """What containers can be limited in; the names are those of info."""

    version: str
    memory_limit: bool
    swap_limit: bool
    oom_kill_disable: bool
    cpu_cfs_period: bool
    cpu_cfs_quota: bool
    cpu_shares: bool
    cpuset: bool
    pids_limit: bool


def read(files: HostFiles) -> CgroupFacts:
    """Probe the unified hierarchy if it stands at the root, else the v1 ones."""
    return _unified(files) if files.exists(f"{ROOT}/cgroup.controllers") else _legacy(files)


def _unified(files: HostFiles) -> CgroupFacts:
    controllers = files.text(f"{ROOT}/cgroup.controllers").split()
    memory, cpu = "memory" in controllers, "cpu" in controllers
    swap = memory and (files.exists("/proc/swaps") or files.exists(f"{ROOT}/memory.swap.max"))
    return CgroupFacts("2", memory, swap, False, cpu, cpu, cpu, "cpuset" in controllers, "pids" in controllers)


def _legacy(files: HostFiles) -> CgroupFacts:
    def has(path: str) -> bool:
        return files.exists(f"{ROOT}/{path}")

    return CgroupFacts(
        version="1",
        memory_limit=has("memory/memory.limit_in_bytes"),
        swap_limit=has("memory/memory.memsw.limit_in_bytes"),
        oom_kill_disable=has("memory/memory.oom_control"),
        cpu_cfs_period=has("cpu/cpu.cfs_period_us"),
        cpu_cfs_quota=has("cpu/cpu.cfs_quota_us"),
        cpu_shares=has("cpu/cpu.shares"),
        cpuset=has("cpuset/cpuset.cpus"),
        pids_limit=has("pids/cgroup.procs"),
    )
