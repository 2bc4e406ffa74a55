"""linux.resources from the HostConfig's limits."""

from typing import TYPE_CHECKING, Any

from dockwright.types.container import HostConfig

if TYPE_CHECKING:
    from dockwright.spec.build import Inputs

PERIOD = 100_000  # microseconds, the period behind --cpus
DEFAULT_DEVICES = [{"allow": False, "access": "rwm"}]
EVERY_DEVICE = [{"allow": True, "access": "rwm"}]
_CONTAINER_DEVICES = (
    ("c", 1, 5), ("c", 1, 3), ("c", 1, 9), ("c", 1, 8), ("c", 5, 0), ("c", 5, 1),
)  # fmt: skip


def build(inputs: "Inputs") -> dict[str, Any]:
    """Memory, cpu, pids, block I/O and devices."""
    privileged = bool(inputs.host.Privileged)
    rules = EVERY_DEVICE if privileged else [*DEFAULT_DEVICES, *_own_devices(), *inputs.device_rules]
    return {"devices": rules, **limits(inputs.host, inputs.block)}


def limits(host: HostConfig, block: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Memory, cpu, pids and block I/O: what can also be changed while a container runs.

    Args:
        block: HostConfig's lists of I/O limits with Major and Minor.
    """
    found = {"memory": _memory(host), "cpu": _cpu(host), "pids": _present(limit=host.PidsLimit), "blockIO": _block(host, block)}
    return {key: value for key, value in found.items() if value}


def _own_devices() -> list[dict[str, Any]]:
    return [
        {"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"}
        for kind, major, minor in _CONTAINER_DEVICES
    ]


def _memory(host: HostConfig) -> dict[str, Any]:
    memory = _present(
        limit=host.Memory, reservation=host.MemoryReservation, swap=max(host.MemorySwap or 0, -1),
        disableOOMKiller=host.OomKillDisable or None,
    )  # fmt: skip
    return memory if host.MemorySwappiness is None else {**memory, "swappiness": host.MemorySwappiness}


def _cpu(host: HostConfig) -> dict[str, Any]:
    quota, period = host.CpuQuota, host.CpuPeriod
    if host.NanoCpus:
        quota, period = host.NanoCpus * PERIOD // 1_000_000_000, PERIOD
    return _present(
        shares=host.CpuShares, quota=quota, period=period, cpus=host.CpusetCpus, mems=host.CpusetMems,
        realtimePeriod=host.CpuRealtimePeriod, realtimeRuntime=host.CpuRealtimeRuntime,
    )  # fmt: skip


def _block(host: HostConfig, lists: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return _present(
        weight=host.BlkioWeight,
        weightDevice=_devices(lists.get("BlkioWeightDevice"), "Weight", "weight"),
        throttleReadBpsDevice=_devices(lists.get("BlkioDeviceReadBps"), "Rate", "rate"),
        throttleWriteBpsDevice=_devices(lists.get("BlkioDeviceWriteBps"), "Rate", "rate"),
        throttleReadIOPSDevice=_devices(lists.get("BlkioDeviceReadIOps"), "Rate", "rate"),
        throttleWriteIOPSDevice=_devices(lists.get("BlkioDeviceWriteIOps"), "Rate", "rate"),
    )


def _devices(entries: list[dict[str, Any]] | None, key: str, name: str) -> list[dict[str, Any]]:
    """Docker's {Path, Rate} entries, by the numbers of their devices."""
    return [{"major": e["Major"], "minor": e["Minor"], name: e[key]} for e in entries or ()]


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
