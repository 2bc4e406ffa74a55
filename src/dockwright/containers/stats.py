"""GET /containers/{id}/stats: one sample of a container's cgroup and network in Docker's layout, for cgroup v1 and v2.

Sources: Engine API, ContainerStats; kernel Documentation/admin-guide/cgroup-v1/*, cgroup-v2.rst; proc(5) for net/dev and stat.
"""

import os
from typing import Any

from dockwright.base.times import ZERO, now
from dockwright.containers.container import Container
from dockwright.runtime.cgroups.group import Cgroup

Document = dict[str, Any]
TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # ns
NO_LIMIT = 18446744073709551615
_BLOCK_LISTS = (
    "io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive",
    "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive",
)  # fmt: skip
# what every namespace has on kernels with tunnels built in, beside what a container was given (sysctl/net.rst,
# fb_tunnels_only_for_init_net)
_KERNELS_OWN = frozenset(("lo", "tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"))
_NETWORK = ("bytes", "packets", "errors", "dropped")


def empty(container: Container) -> Document:
    """The sample of a container that does not run."""
    return {
        "name": f"/{container.name}", "id": container.id, "read": ZERO, "preread": ZERO, "num_procs": 0,
        "pids_stats": {}, "blkio_stats": dict.fromkeys(_BLOCK_LISTS), "storage_stats": {}, "cpu_stats": empty_cpu(),
        "precpu_stats": empty_cpu(), "memory_stats": {},
    }  # fmt: skip


def empty_cpu() -> Document:
    """cpu_stats before there is anything to say."""
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def sample(container: Container, before: Document | None) -> Document:
    """What the kernel says now.

    Args:
        before: the previous sample, whose processor times go along so that clients can compute a share.
    """
    group = Cgroup(container.cgroup)
    document = empty(container)
    document.update({
        "read": now(), "cpu_stats": _cpu_v2(group) if group.layout.is_v2 else _cpu_v1(group),
        "memory_stats": _memory_v2(group) if group.layout.is_v2 else _memory_v1(group), "pids_stats": _pids(group),
        "blkio_stats": _block_v2(group) if group.layout.is_v2 else _block_v1(group),
    })  # fmt: skip
    if before:
        document["preread"], document["precpu_stats"] = before["read"], before["cpu_stats"]
    networks = {} if container.host.NetworkMode == "host" else _networks(container.state.pid)
    if networks:
        document["networks"] = networks
    return document


def _text(group: Cgroup, controller: str, name: str) -> str:
    """A control file, "" where there is none (any more)."""
    path = group.file(controller, name)
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except (FileNotFoundError, OSError):
        return ""


def _number(group: Cgroup, controller: str, name: str) -> int:
    text = _text(group, controller, name)
    return int(text) if text.isdigit() else 0


def _table(text: str) -> dict[str, int]:
    """`name value` lines."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _cpu_v1(group: Cgroup) -> Document:
    modes = _table(_text(group, "cpuacct", "cpuacct.stat"))
    throttling = _table(_text(group, "cpu", "cpu.stat"))
    usage = {
        "total_usage": _number(group, "cpuacct", "cpuacct.usage"),
        "percpu_usage": [int(part) for part in _text(group, "cpuacct", "cpuacct.usage_percpu").split()],
        "usage_in_kernelmode": modes.get("system", 0) * TICK, "usage_in_usermode": modes.get("user", 0) * TICK,
    }  # fmt: skip
    return _cpu(usage, throttling, throttling.get("throttled_time", 0))


def _cpu_v2(group: Cgroup) -> Document:
    table = _table(_text(group, "cpu", "cpu.stat"))
    usage = {
        "total_usage": table.get("usage_usec", 0) * 1000, "usage_in_kernelmode": table.get("system_usec", 0) * 1000,
        "usage_in_usermode": table.get("user_usec", 0) * 1000,
    }  # fmt: skip
    return _cpu(usage, table, table.get("throttled_usec", 0) * 1000)


def _cpu(usage: Document, throttling: dict[str, int], throttled: int) -> Document:
    with open("/proc/stat", encoding="ascii") as file:
        system = sum(int(part) for part in file.readline().split()[1:8]) * TICK
    return {
        "cpu_usage": usage, "system_cpu_usage": system, "online_cpus": os.cpu_count() or 1,
        "throttling_data": {
            "periods": throttling.get("nr_periods", 0), "throttled_periods": throttling.get("nr_throttled", 0),
            "throttled_time": throttled,
        },
    }  # fmt: skip


def _memory_total() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024


def _memory_v1(group: Cgroup) -> Document:
    limit = _number(group, "memory", "memory.limit_in_bytes")
    document = {
        "usage": _number(group, "memory", "memory.usage_in_bytes"),
        "max_usage": _number(group, "memory", "memory.max_usage_in_bytes"),
        "stats": _table(_text(group, "memory", "memory.stat")), "limit": min(limit or NO_LIMIT, _memory_total()),
    }  # fmt: skip
    return _with_failures(document, _number(group, "memory", "memory.failcnt"))


def _memory_v2(group: Cgroup) -> Document:
    document = {
        "usage": _number(group, "memory", "memory.current"), "stats": _table(_text(group, "memory", "memory.stat")),
        "limit": min(_number(group, "memory", "memory.max") or NO_LIMIT, _memory_total()),
    }  # fmt: skip
    return _with_failures(document, _table(_text(group, "memory", "memory.events")).get("oom", 0))


def _with_failures(document: Document, failures: int) -> Document:
    return {**document, "failcnt": failures} if failures else document


def _pids(group: Cgroup) -> Document:
    limit = _text(group, "pids", "pids.max")
    document = {"current": _number(group, "pids", "pids.current")}
    if limit.isdigit():
        document["limit"] = int(limit)
    elif group.layout.is_v2:
        document["limit"] = NO_LIMIT
    return document


def _block_v1(group: Cgroup) -> Document:
    lists: Document = {name: [] for name in _BLOCK_LISTS}
    for name, file in (("io_service_bytes_recursive", "bytes"), ("io_serviced_recursive", "serviced")):
        text = _text(group, "blkio", f"blkio.throttle.io_{'service_' if file == 'bytes' else ''}{file}_recursive")
        lists[name] = [_block(*line.split()) for line in text.splitlines() if len(line.split()) == 3]
    return lists


def _block_v2(group: Cgroup) -> Document:
    lists: Document = dict.fromkeys(_BLOCK_LISTS)
    found = []
    for line in _text(group, "io", "io.stat").splitlines():
        device, *pairs = line.split()
        values = dict(pair.split("=") for pair in pairs if "=" in pair)
        found += [_block(device, op, values.get(key, "0")) for op, key in (("read", "rbytes"), ("write", "wbytes"))]
    lists["io_service_bytes_recursive"] = found
    return lists


def _block(device: str, op: str, value: str) -> Document:
    major, minor = device.split(":")
    return {"major": int(major), "minor": int(minor), "op": op, "value": int(value)}


def _networks(pid: int) -> Document:
    """Each interface but the kernel's own, as the container's own process sees it (proc(5), /proc/pid/net/dev)."""
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as file:
            lines = file.read().splitlines()[2:]
    except OSError:
        return {}  # it has ended meanwhile
    networks = {}
    for line in lines:
        name, _, rest = line.partition(":")
        fields = [int(part) for part in rest.split()]
        if name.strip() not in _KERNELS_OWN:
            received = dict(zip((f"rx_{word}" for word in _NETWORK), fields[:4], strict=True))
            networks[name.strip()] = {**received, **dict(zip((f"tx_{word}" for word in _NETWORK), fields[8:12], strict=True))}
    return networks
