"""Limits that cannot be: checked when a container is made, in Docker's words."""

import os

from dockwright.base.errors import InvalidParameter
from dockwright.runtime.cgroups.layout import layout
from dockwright.types.container import HostConfig

SMALLEST_MEMORY = 6 << 20
NANO = 1_000_000_000
ROOT = "/sys/fs/cgroup"


def check(host: HostConfig) -> None:
    """Check all limits, and set the swap limit that Docker derives from the memory limit.

    Raises:
        InvalidParameter: a limit that cannot be.
    """
    _check_memory(host)
    _check_reservation(host)
    _check_cpu(host)
    _check_set("cpus", "CPUs", host.CpusetCpus or "")
    _check_set("mems", "memory nodes", host.CpusetMems or "")
    if (host.OomScoreAdj or 0) not in range(-1000, 1001):
        raise InvalidParameter(f"Invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]")


def _check_memory(host: HostConfig) -> None:
    memory, swap = host.Memory or 0, host.MemorySwap or 0
    if memory and memory < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if swap > 0 and not memory:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if swap > 0 and swap < memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if memory and not swap:
        host.MemorySwap = 2 * memory
    if host.MemorySwappiness is not None and host.MemorySwappiness not in range(101):
        raise InvalidParameter(f"Invalid value: {host.MemorySwappiness}, valid memory swappiness range is 0-100")


def _check_reservation(host: HostConfig) -> None:
    memory, reservation = host.Memory or 0, host.MemoryReservation or 0
    if 0 < reservation < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if memory and reservation > memory:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")


def _check_cpu(host: HostConfig) -> None:
    period, quota, count = host.CpuPeriod or 0, host.CpuQuota or 0, os.cpu_count() or 1
    if host.NanoCpus and (period or quota):
        name = "CPU Period" if period else "CPU Quota"
        raise InvalidParameter(f"Conflicting options: Nano CPUs and {name} cannot both be set")
    if (host.NanoCpus or 0) not in range(count * NANO + 1):
        text = f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        raise InvalidParameter(text)
    if period and period not in range(1000, 1_000_001):
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")


def _check_set(name: str, noun: str, given: str) -> None:
    """A cpuset must be a list of ranges, all of them available."""
    if not given:
        return
    try:
        wanted = members(given)
    except ValueError as error:
        raise InvalidParameter(f"Invalid value {given} for cpuset {name}: {error}") from None
    available = _available(name)
    if not wanted <= members(available):
        raise InvalidParameter(f"Requested {noun} are not available - requested {given}, available: {available}")


def _available(name: str) -> str:
    """What the host's root cgroup may use; cpuset.cpus of cgroup v1, cpuset.cpus.effective of v2."""
    path = f"{ROOT}/cpuset.{name}.effective" if layout().is_v2 else f"{ROOT}/cpuset/cpuset.{name}"
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def members(text: str) -> set[int]:
    """The numbers of a list such as `0-2,5` (cpuset(7), List format).

    Raises:
        ValueError: `invalid format: ...`.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ValueError(f"invalid format: {text}")
        found.update(range(int(first), int(last or first) + 1))
    return found
