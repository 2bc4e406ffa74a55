"""Resource limits of a HostConfig: what cannot be is refused, what this host cannot do is dropped with a warning.

Texts and order are Docker's. A warning also takes the limit away, so that inspect does not show what is not there.
"""

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.host.limits import Limits
from dockwright.types.container import HostConfig

SMALLEST_MEMORY = 6 << 20
_NO = "Your kernel does not support "
_NOT_MOUNTED = " or the cgroup is not mounted."


def check(host: HostConfig, can: Limits, update: bool = False) -> list[str]:
    """Check and complete all limits; returns warnings.

    Args:
        update: they change those of a container that is there: what is zero stays.

    Raises:
        InvalidParameter, Internal: in Docker's words.
    """
    warnings: list[str] = []
    _memory(host, can, warnings, update)
    _memory_habits(host, can, warnings)
    _processes(host, can, warnings, update)
    _processors(host, can, warnings)
    _processor_sets(host, can, warnings)
    _block(host, can, warnings)
    return warnings


def _drop(host: HostConfig, field: str, value: object, warnings: list[str], text: str) -> None:
    setattr(host, field, value)
    warnings.append(text)


def _memory(host: HostConfig, can: Limits, warnings: list[str], update: bool) -> None:
    memory = host.Memory or 0
    if memory and memory < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if memory and not host.MemorySwap and not update:
        host.MemorySwap = 2 * memory
    if memory and not can.memory:
        text = f"{_NO}memory limit capabilities{_NOT_MOUNTED} Limitation discarded."
        _drop(host, "Memory", 0, warnings, text)
        host.MemorySwap, memory = -1, 0
    swap = host.MemorySwap or 0
    if memory and swap != -1 and not can.swap:
        text = f"{_NO}swap limit capabilities{_NOT_MOUNTED} Memory limited without swap."
        _drop(host, "MemorySwap", -1, warnings, text)
        swap = -1
    if memory and 0 < swap < memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not memory and swap > 0 and not update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")


def _memory_habits(host: HostConfig, can: Limits, warnings: list[str]) -> None:
    if host.MemorySwappiness == -1:
        host.MemorySwappiness = None  # how clients say "as the kernel likes"
    if host.MemorySwappiness is not None and not can.swappiness:
        text = f"{_NO}memory swappiness capabilities{_NOT_MOUNTED} Memory swappiness discarded."
        _drop(host, "MemorySwappiness", None, warnings, text)
    if host.MemorySwappiness is not None and not 0 <= host.MemorySwappiness <= 100:
        raise InvalidParameter(f"Invalid value: {host.MemorySwappiness}, valid memory swappiness range is 0-100")
    if host.MemoryReservation and not can.reservation:
        text = f"{_NO}memory soft limit capabilities{_NOT_MOUNTED} Limitation discarded."
        _drop(host, "MemoryReservation", 0, warnings, text)
    if host.MemoryReservation and host.MemoryReservation < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if host.Memory and host.MemoryReservation and host.Memory < host.MemoryReservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    if host.OomKillDisable and not can.oom_kill_disable:
        warnings.append(f"{_NO}OomKillDisable. OomKillDisable discarded.")
    host.OomKillDisable = bool(host.OomKillDisable) if can.oom_kill_disable else None
    if host.OomKillDisable and not host.Memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running "
            "out of resources."
        )


def _processes(host: HostConfig, can: Limits, warnings: list[str], update: bool) -> None:
    if (host.PidsLimit or 0) <= 0:
        host.PidsLimit = 0 if update and host.PidsLimit is not None else None
    if host.PidsLimit and not can.pids:
        text = f"{_NO}PIDs limit capabilities{_NOT_MOUNTED} PIDs limit discarded."
        _drop(host, "PidsLimit", None, warnings, text)


def _processors(host: HostConfig, can: Limits, warnings: list[str]) -> None:
    for given, name in ((host.CpuPeriod, "CPU Period"), (host.CpuQuota, "CPU Quota")):
        if (host.NanoCpus or 0) > 0 and (given or 0) > 0:
            raise InvalidParameter(f"Conflicting options: Nano CPUs and {name} cannot both be set")
    if (host.NanoCpus or 0) > 0 and not can.cpu_quota:
        text = "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler"
        raise InvalidParameter(text + " or the cgroup is not mounted")
    if not 0 <= (host.NanoCpus or 0) <= can.processors * 1_000_000_000:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {can.processors}.00, as there are only {can.processors} CPUs available"
        )
    if (host.CpuShares or 0) < 0:
        raise InvalidParameter(f"invalid CPU shares ({host.CpuShares}): value must be a positive integer")
    if host.CpuShares and not can.cpu_shares:
        _drop(host, "CpuShares", 0, warnings, f"{_NO}CPU shares{_NOT_MOUNTED} Shares discarded.")
    if (host.CpuPeriod or host.CpuQuota) and not can.cpu_quota:
        _drop(host, "CpuPeriod", 0, warnings, f"{_NO}CPU CFS scheduler. CPU period/quota discarded.")
        host.CpuQuota = 0
    if host.CpuPeriod and not 1000 <= host.CpuPeriod <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < (host.CpuQuota or 0) < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host.CpuPercent:
        _drop(host, "CpuPercent", 0, warnings, "linux does not support CPU percent. Percent discarded.")
    if (host.CpuRealtimePeriod or host.CpuRealtimeRuntime) and not can.cpu_realtime:
        raise InvalidParameter("Your kernel does not support CPU real-time scheduler")


def _processor_sets(host: HostConfig, can: Limits, warnings: list[str]) -> None:
    if (host.CpusetCpus or host.CpusetMems) and not can.cpuset:
        _drop(host, "CpusetCpus", "", warnings, f"{_NO}cpuset{_NOT_MOUNTED} Cpuset discarded.")
        host.CpusetMems = ""
    for given, there, name, plural in (
        (host.CpusetCpus, can.cpus, "cpus", "CPUs"), (host.CpusetMems, can.memory_nodes, "mems", "memory nodes"),
    ):  # fmt: skip
        if given and not cpu_list(given, name) <= cpu_list(there, name):
            raise InvalidParameter(f"Requested {plural} are not available - requested {given}, available: {there}")


def cpu_list(text: str, what: str) -> set[int]:
    """The numbers of a list such as `0-3,7` (cpuset(7), List format).

    Raises:
        InvalidParameter: in Docker's words.
    """
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or int(last or first) < int(first):
            raise InvalidParameter(f"Invalid value {text} for cpuset {what}: invalid format: {text}")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


_THROTTLES = (
    ("BlkioDeviceReadBps", "block_read_bps", "BPS Block I/O read limit", "Block I/O BPS read limit"),
    ("BlkioDeviceWriteBps", "block_write_bps", "BPS Block I/O write limit", "Block I/O BPS write limit"),
    ("BlkioDeviceReadIOps", "block_read_iops", "IOPS Block read limit", "Block I/O IOPS read limit"),
    ("BlkioDeviceWriteIOps", "block_write_iops", "IOPS Block write limit", "Block I/O IOPS write limit"),
)


def _block(host: HostConfig, can: Limits, warnings: list[str]) -> None:
    if (host.BlkioWeight or 0) < 0:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if host.BlkioWeight and not can.block_weight:
        _drop(host, "BlkioWeight", 0, warnings, f"{_NO}Block I/O weight{_NOT_MOUNTED} Weight discarded.")
    if host.BlkioWeight and not 10 <= host.BlkioWeight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    for value, what in ((host.IOMaximumBandwidth, "bandwidth"), (host.IOMaximumIOps, "IOPs")):
        if value:
            raise Internal(f"Invalid QoS settings: linux does not support configuration of maximum {what}")
    if host.BlkioWeightDevice and not can.block_weight_device:
        text = f"{_NO}Block I/O weight_device{_NOT_MOUNTED} Weight-device discarded."
        _drop(host, "BlkioWeightDevice", [], warnings, text)
    for field, ability, what, dropped in _THROTTLES:
        if getattr(host, field) and not getattr(can, ability):
            _drop(host, field, [], warnings, f"{_NO}{what}{_NOT_MOUNTED} {dropped} discarded.")


def check_shares(host: HostConfig, v2: bool) -> None:
    """At start: v1's kernel would silently take the nearest it can.

    Raises:
        Internal: in runc's words.
    """
    shares = host.CpuShares or 0
    if shares and not v2 and not 2 <= shares <= 262144:
        bound = "minimum allowed cpu-shares is 2" if shares < 2 else "maximum allowed cpu-shares is 262144"
        raise Internal(f"the {bound}")
