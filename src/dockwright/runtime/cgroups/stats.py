"""A cgroup's figures, in the shape of runc's `events --stats`.

Sources: kernel Documentation/admin-guide/cgroup-v1/{cpuacct,memory,pids}.rst, cgroup-v2.rst.
"""

from __future__ import annotations

from dockwright.runtime.cgroups.group import Cgroup, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX = (1 << 64) - 1  # how "max" is shown


def read_all(group: Cgroup) -> dict[str, Any]:
    """CPU times in nanoseconds, memory in bytes, numbers of processes. What the host lacks is 0."""
    if group.layout.is_v2:
        return {"cpu": _cpu_v2(group), "memory": _memory_v2(group), "pids": _pids(group)}
    return {"cpu": _cpu_v1(group), "memory": _memory_v1(group), "pids": _pids(group)}


def _text(group: Cgroup, controller: str, name: str) -> str:
    path = group.file(controller, name)
    try:
        return read(path) if path else ""
    except FileNotFoundError:
        return ""


def _number(group: Cgroup, controller: str, name: str) -> int:
    text = _text(group, controller, name)
    return MAX if text == "max" else int(text or 0)


def _table(group: Cgroup, controller: str, name: str) -> dict[str, int]:
    """A file of `key value` lines."""
    pairs = (line.split() for line in _text(group, controller, name).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _pids(group: Cgroup) -> dict[str, int]:
    return {"current": _number(group, "pids", "pids.current"), "limit": _number(group, "pids", "pids.max")}


def _throttling(table: dict[str, int], time: int) -> dict[str, int]:
    return {"periods": table.get("nr_periods", 0), "throttledPeriods": table.get("nr_throttled", 0), "throttledTime": time}


def _cpu_v1(group: Cgroup) -> dict[str, Any]:
    table = _table(group, "cpu", "cpu.stat")
    usage: dict[str, Any] = {
        "total": _number(group, "cpuacct", "cpuacct.usage"),
        "percpu": [int(word) for word in _text(group, "cpuacct", "cpuacct.usage_percpu").split()],
        "kernel": _number(group, "cpuacct", "cpuacct.usage_sys"), "user": _number(group, "cpuacct", "cpuacct.usage_user"),
    }  # fmt: skip
    return {"usage": usage, "throttling": _throttling(table, table.get("throttled_time", 0))}


def _cpu_v2(group: Cgroup) -> dict[str, Any]:
    table = _table(group, "cpu", "cpu.stat")
    names = (("total", "usage_usec"), ("kernel", "system_usec"), ("user", "user_usec"))
    usage = {name: table.get(key, 0) * 1000 for name, key in names}
    return {"usage": usage, "throttling": _throttling(table, table.get("throttled_usec", 0) * 1000)}


def _memory_v1(group: Cgroup) -> dict[str, Any]:
    def entry(prefix: str) -> dict[str, int]:
        names = (("usage", "usage_in_bytes"), ("max", "max_usage_in_bytes"), ("failcnt", "failcnt"), ("limit", "limit_in_bytes"))
        return {name: _number(group, "memory", f"{prefix}.{file}") for name, file in names}

    raw = _table(group, "memory", "memory.stat")
    return {"usage": entry("memory"), "swap": entry("memory.memsw"), "cache": raw.get("cache", 0), "raw": raw}


def _memory_v2(group: Cgroup) -> dict[str, Any]:
    def entry(prefix: str) -> dict[str, int]:
        return {
            "usage": _number(group, "memory", f"{prefix}.current"), "limit": _number(group, "memory", f"{prefix}.max"),
            "max": _number(group, "memory", f"{prefix}.peak"), "failcnt": events.get("max", 0),
        }  # fmt: skip

    events, raw = _table(group, "memory", "memory.events"), _table(group, "memory", "memory.stat")
    return {"usage": entry("memory"), "swap": entry("memory.swap"), "cache": raw.get("file", 0), "raw": raw}
