"""linux.resources from the HostConfig's limits."""

from typing import TYPE_CHECKING, Any

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
    host = inputs.host
    privileged = bool(host.Privileged)
    found: dict[str, Any] = {
        "devices": EVERY_DEVICE if privileged else [*DEFAULT_DEVICES, *_own_devices(), *inputs.device_rules],
        "memory": _present(
            limit=host.Memory, reservation=host.MemoryReservation, swap=host.MemorySwap,
            swappiness=host.MemorySwappiness, disableOOMKiller=host.OomKillDisable or None,
        ),
        "cpu": _cpu(inputs),
        "pids": _present(limit=host.PidsLimit),
        "blockIO": _block(inputs),
    }  # fmt: skip
    return {key: value for key, value in found.items() if value}


def _own_devices() -> list[dict[str, Any]]:
    return [
        {"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"}
        for kind, major, minor in _CONTAINER_DEVICES
    ]


def _cpu(inputs: "Inputs") -> dict[str, Any]:
    host = inputs.host
    quota, period = host.CpuQuota, host.CpuPeriod
    if host.NanoCpus:
        quota, period = host.NanoCpus * PERIOD // 1_000_000_000, PERIOD
    return _present(
        shares=host.CpuShares, quota=quota, period=period, cpus=host.CpusetCpus, mems=host.CpusetMems,
        realtimePeriod=host.CpuRealtimePeriod, realtimeRuntime=host.CpuRealtimeRuntime,
    )  # fmt: skip


def _block(inputs: "Inputs") -> dict[str, Any]:
    host = inputs.host
    return _present(
        weight=host.BlkioWeight,
        weightDevice=_devices(host.BlkioWeightDevice, "Weight", "weight"),
        throttleReadBpsDevice=_devices(host.BlkioDeviceReadBps, "Rate", "rate"),
        throttleWriteBpsDevice=_devices(host.BlkioDeviceWriteBps, "Rate", "rate"),
        throttleReadIOPSDevice=_devices(host.BlkioDeviceReadIOps, "Rate", "rate"),
        throttleWriteIOPSDevice=_devices(host.BlkioDeviceWriteIOps, "Rate", "rate"),
    )


def _devices(entries: list[dict[str, Any]] | None, key: str, name: str) -> list[dict[str, Any]]:
    """Docker's {Path, Rate} entries with the device's numbers, which the caller has put in as Major and Minor."""
    return [{"major": e["Major"], "minor": e["Minor"], name: e[key]} for e in entries or ()]


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
