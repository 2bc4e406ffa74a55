"""Limits as writes: the OCI spec's linux.resources turned into (controller, file, value), for v1 and for v2.

Pure functions. Sources: OCI runtime spec config-linux.md; kernel Documentation/admin-guide/cgroup-v1/*, cgroup-v2.rst.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Write = tuple[str, str, str]
    Resources = dict[str, Any]


WEIGHT = "io.bfq.weight"  # of the scheduler BFQ; io.weight, of the cost model, has the same meaning on another scale


def v1_writes(resources: Resources) -> list[Write]:
    """The writes for cgroup v1, in an order the kernel accepts."""
    writes = _v1_memory(resources.get("memory") or {})
    writes += _v1_cpu(resources.get("cpu") or {})
    pids = (resources.get("pids") or {}).get("limit")
    if pids:
        writes.append(("pids", "pids.max", "max" if pids < 0 else str(pids)))
    writes += _v1_blkio(resources.get("blockIO") or {})
    for limit in resources.get("hugepageLimits") or ():
        writes.append(("hugetlb", f"hugetlb.{limit['pageSize']}.limit_in_bytes", str(limit["limit"])))
    network = resources.get("network") or {}
    if network.get("classID"):
        writes.append(("net_cls", "net_cls.classid", str(network["classID"])))
    for priority in network.get("priorities") or ():
        writes.append(("net_prio", "net_prio.ifpriomap", f"{priority['name']} {priority['priority']}"))
    return writes


def _v1_memory(memory: Resources) -> list[Write]:
    limit, swap = memory.get("limit"), memory.get("swap")
    writes: list[Write] = []
    if limit:
        writes.append(("memory", "memory.limit_in_bytes", str(limit)))
    if swap:
        writes.append(("memory", "memory.memsw.limit_in_bytes", str(swap)))
    if memory.get("reservation"):
        writes.append(("memory", "memory.soft_limit_in_bytes", str(memory["reservation"])))
    if memory.get("swappiness") is not None:
        writes.append(("memory", "memory.swappiness", str(memory["swappiness"])))
    if memory.get("disableOOMKiller"):
        writes.append(("memory", "memory.oom_control", "1"))
    return writes


def _v1_cpu(cpu: Resources) -> list[Write]:
    files = (
        ("cpu", "cpu.rt_period_us", "realtimePeriod"),
        ("cpu", "cpu.rt_runtime_us", "realtimeRuntime"),
        ("cpu", "cpu.shares", "shares"),
        ("cpu", "cpu.cfs_period_us", "period"),
        ("cpu", "cpu.cfs_quota_us", "quota"),
        ("cpuset", "cpuset.cpus", "cpus"),
        ("cpuset", "cpuset.mems", "mems"),
    )
    writes = [(controller, file, str(cpu[key])) for controller, file, key in files if cpu.get(key)]
    if cpu.get("idle") is not None:
        writes.append(("cpu", "cpu.idle", str(cpu["idle"])))
    return writes


_THROTTLES = (
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
)


def _v1_blkio(block: Resources) -> list[Write]:
    writes: list[Write] = []
    if block.get("weight"):
        writes.append(("blkio", "blkio.bfq.weight", str(block["weight"])))
    for device in block.get("weightDevice") or ():
        value = f"{device['major']}:{device['minor']} {device['weight']}"
        writes.append(("blkio", "blkio.bfq.weight_device", value))
    for key, file, _ in _THROTTLES:
        for device in block.get(key) or ():
            writes.append(("blkio", file, f"{device['major']}:{device['minor']} {device['rate']}"))
    return writes


def v2_writes(resources: Resources) -> list[Write]:
    """The writes for cgroup v2."""
    writes = _v2_memory(resources.get("memory") or {})
    writes += _v2_cpu(resources.get("cpu") or {})
    pids = (resources.get("pids") or {}).get("limit")
    if pids:
        writes.append(("pids", "pids.max", "max" if pids < 0 else str(pids)))
    block = resources.get("blockIO") or {}
    if block.get("weight"):
        writes.append(("io", WEIGHT, f"default {block['weight']}"))
    for device in block.get("weightDevice") or ():
        writes.append(("io", WEIGHT, f"{device['major']}:{device['minor']} {device['weight']}"))
    for key, _, word in _THROTTLES:
        for device in block.get(key) or ():
            writes.append(("io", "io.max", f"{device['major']}:{device['minor']} {word}={device['rate'] or 'max'}"))
    for limit in resources.get("hugepageLimits") or ():
        writes.append(("hugetlb", f"hugetlb.{limit['pageSize']}.max", str(limit["limit"])))
    for file, value in (resources.get("unified") or {}).items():
        writes.append((file.partition(".")[0], file, str(value)))
    return writes


def _v2_memory(memory: Resources) -> list[Write]:
    limit, swap = memory.get("limit"), memory.get("swap")
    writes: list[Write] = []
    if swap:
        writes.append(("memory", "memory.swap.max", swap_alone(swap, limit or 0)))
    if limit:
        writes.append(("memory", "memory.max", "max" if limit < 0 else str(limit)))
    if memory.get("reservation"):
        writes.append(("memory", "memory.low", str(memory["reservation"])))
    return writes


def _v2_cpu(cpu: Resources) -> list[Write]:
    writes: list[Write] = []
    if cpu.get("shares"):
        writes.append(("cpu", "cpu.weight", str(cpu_weight(cpu["shares"]))))
    if cpu.get("quota") or cpu.get("period"):
        quota = cpu.get("quota") or -1
        writes.append(("cpu", "cpu.max", f"{'max' if quota < 0 else quota} {cpu.get('period') or 100000}"))
    if cpu.get("burst") is not None:
        writes.append(("cpu", "cpu.max.burst", str(cpu["burst"])))
    if cpu.get("idle") is not None:
        writes.append(("cpu", "cpu.idle", str(cpu["idle"])))
    for key in ("cpus", "mems"):
        if cpu.get(key):
            writes.append(("cpuset", f"cpuset.{key}", cpu[key]))
    return writes


def swap_alone(swap: int, limit: int) -> str:
    """v2 counts swap alone, the spec (as v1) memory and swap together."""
    if swap < 0:
        return "max"
    if limit <= 0 or swap < limit:
        raise ValueError(
            "unable to set swap limit without memory limit"
            if limit <= 0
            else "memory+swap limit should be >= memory limit"
        )
    return str(swap - limit)


def cpu_weight(shares: int) -> int:
    """v1 shares (2..262144) as a v2 weight (1..10000), linearly: 1024 is 39.

    The linear map keeps the ratios between containers, which is what users of shares reckon with.
    """
    shares = min(max(shares, 2), 262144)
    return 1 + (shares - 2) * 9999 // 262142


def io_weight(weight: int) -> int:
    """A blkio weight (10..1000) as a v2 io.weight (1..10000), linearly."""
    return 1 + (weight - 10) * 9999 // 990


def io_weight_line(line: str) -> str:
    """A line of io.bfq.weight on io.weight's scale."""
    target, weight = line.split()
    return f"{target} {io_weight(int(weight))}"


def merge(kept: Resources, change: Resources) -> None:
    """Note in `kept` what `change` names: parts are merged, lists and values replaced."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(kept.get(key), dict):
            merge(kept[key], value)
        elif value is not None:
            kept[key] = value
