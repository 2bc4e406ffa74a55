"""What resources this host can limit, in more detail than info shows: what a container's HostConfig is held against."""

import os
from dataclasses import dataclass, fields

from dockwright.host.cgroup import ROOT
from dockwright.host.files import HostFiles


@dataclass(frozen=True)
class Limits:
    """Each: whether it can be limited. cpus, memory_nodes: which there are, as cpuset(7) lists. processors: how many."""

    v2: bool = False
    memory: bool = True
    swap: bool = True
    reservation: bool = True
    swappiness: bool = True
    oom_kill_disable: bool = True
    pids: bool = True
    cpu_shares: bool = True
    cpu_quota: bool = True
    cpu_realtime: bool = True
    cpuset: bool = True
    block_weight: bool = True
    block_weight_device: bool = True
    block_read_bps: bool = True
    block_write_bps: bool = True
    block_read_iops: bool = True
    block_write_iops: bool = True
    cpus: str = "0"
    memory_nodes: str = "0"
    processors: int = 1


# v1: the file whose presence tells (kernel Documentation/admin-guide/cgroup-v1)
_FILES = {
    "memory": "memory/memory.limit_in_bytes", "swap": "memory/memory.memsw.limit_in_bytes",
    "reservation": "memory/memory.soft_limit_in_bytes", "swappiness": "memory/memory.swappiness",
    "oom_kill_disable": "memory/memory.oom_control", "pids": "pids/cgroup.procs", "cpu_shares": "cpu/cpu.shares",
    "cpu_quota": "cpu/cpu.cfs_quota_us", "cpu_realtime": "cpu/cpu.rt_runtime_us", "cpuset": "cpuset/cpuset.cpus",
    "block_weight": "blkio/blkio.weight", "block_weight_device": "blkio/blkio.weight_device",
    "block_read_bps": "blkio/blkio.throttle.read_bps_device", "block_write_bps": "blkio/blkio.throttle.write_bps_device",
    "block_read_iops": "blkio/blkio.throttle.read_iops_device",
    "block_write_iops": "blkio/blkio.throttle.write_iops_device",
}  # fmt: skip
# v2: the controller it belongs to (cgroup-v2.rst); "" where v2 has no such thing
_CONTROLLERS = {
    "memory": "memory", "swap": "memory", "reservation": "memory", "swappiness": "", "oom_kill_disable": "",
    "pids": "pids", "cpu_shares": "cpu", "cpu_quota": "cpu", "cpu_realtime": "", "cpuset": "cpuset",
}  # fmt: skip


def read(files: HostFiles | None = None) -> Limits:
    """Probe the host's cgroups; some twenty look-ups."""
    files = files or HostFiles()
    processors = len(os.sched_getaffinity(0))
    if files.exists(f"{ROOT}/cgroup.controllers"):
        have = files.text(f"{ROOT}/cgroup.controllers").split()
        found = {field.name: _CONTROLLERS.get(field.name, "io") in have for field in fields(Limits) if field.type is bool}
        cpus, nodes = files.text(f"{ROOT}/cpuset.cpus.effective"), files.text(f"{ROOT}/cpuset.mems.effective")
        return Limits(**{**found, "v2": True}, cpus=cpus, memory_nodes=nodes, processors=processors)
    found = {name: files.exists(f"{ROOT}/{file}") for name, file in _FILES.items()}
    cpus, nodes = files.text(f"{ROOT}/cpuset/cpuset.cpus"), files.text(f"{ROOT}/cpuset/cpuset.mems")
    return Limits(**found, cpus=cpus, memory_nodes=nodes, processors=processors)
