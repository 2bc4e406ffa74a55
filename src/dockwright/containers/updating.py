"""POST /containers/{id}/update: other limits, another restart policy, other ports: at once for a container that runs."""

import asyncio
import copy
from typing import Any

from dockwright.base.errors import Conflict, EngineError, Internal, InvalidParameter
from dockwright.containers import devices, limits, restarts
from dockwright.containers.container import Container
from dockwright.containers.republishing import Republishing
from dockwright.containers.store import Store
from dockwright.host.limits import read as read_limits
from dockwright.networks import NetworkManager
from dockwright.runtime.cgroups.change import change
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.spec import resources
from dockwright.types.container import HostConfig

BLOCK = ("BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps")
PARTS = {
    "memory": ("Memory", "MemorySwap", "MemoryReservation", "MemorySwappiness", "OomKillDisable"),
    "cpu": (
        "NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems", "CpuRealtimePeriod", "CpuRealtimeRuntime",
    ),
    "pids": ("PidsLimit",),
    "blockIO": ("BlkioWeight", *BLOCK),
}  # fmt: skip
FIXED = ("CgroupParent", "Devices", "DeviceCgroupRules", "DeviceRequests", "Ulimits")
_CPU_TIME = (("CpuPeriod", "CPU Period"), ("CpuQuota", "CPU Quota"))


class Updating:
    """update."""

    def __init__(self, store: Store, networks: NetworkManager) -> None:
        self._store, self._limits, self._ports = store, read_limits(), Republishing(networks)

    async def update(self, ref: str, wanted: HostConfig) -> dict[str, Any]:
        """Change what `wanted` names; returns the API's answer.

        Args:
            wanted: limits and restart policy; what is zero stays as it is. PortBindings, if there, are all that is published
                from now on (not in Docker's API: docs/deviations.md).

        Raises:
            EngineError: in Docker's words; everything is as before.
        """
        container = self._store.find(ref)
        warnings = self._checked(wanted)
        async with container.lock:
            if container.state.removing:
                raise Internal(f'Cannot update container {container.id}: container is marked for removal and cannot be "update"')
            await self._change(container, wanted)
        self._store.event(container, "update")
        return {"Warnings": warnings or None}

    async def _change(self, container: Container, wanted: HostConfig) -> None:
        """Ports first, then limits, then the row; what fails takes back what came before."""
        before = container.host, container.config
        if wanted.PortBindings is not None:
            await self._ports.apply(container, wanted.PortBindings)
        try:
            host, named = _merged(container, wanted)
            await self._apply(container, host, named)
            container.host = host
            await self._store.update(container)
        except BaseException:
            container.host, container.config = before
            if wanted.PortBindings is not None:
                await self._ports.publish(container)
            raise

    def _checked(self, wanted: HostConfig) -> list[str]:
        for field in FIXED:
            if getattr(wanted, field):
                raise InvalidParameter(f"{field} of a container cannot be updated")
        if wanted.RestartPolicy and wanted.RestartPolicy.Name:
            restarts.check(HostConfig(RestartPolicy=wanted.RestartPolicy))
        return limits.check(wanted, self._limits, update=True)

    async def _apply(self, container: Container, host: HostConfig, named: set[str]) -> None:
        """Tell the kernel, if the container runs; what it refuses is taken back as a whole."""
        if not container.state.running or container.state.restarting or not named:
            return
        group, v2 = Cgroup(container.cgroup), self._limits.v2
        try:
            limits.check_shares(host, v2)
            await asyncio.to_thread(change, group, _resources(host, named, v2))
        except (EngineError, OSError) as error:
            await asyncio.to_thread(_restore, group, _resources(container.host, named, v2))
            text = error.message if isinstance(error, EngineError) else str(error.strerror).lower()
            raise Internal(f"Cannot update container {container.id}: {text}") from None


def _restore(group: Cgroup, before: dict[str, Any]) -> None:
    try:
        change(group, before)
    except (EngineError, OSError):
        return  # the container is ending; what it had is in its row


def _merged(container: Container, wanted: HostConfig) -> tuple[HostConfig, set[str]]:
    """The container's HostConfig with the changes, and the names of the limits that change.

    Raises:
        Conflict: in Docker's words.
    """
    old = container.host
    _refuse_conflicts(container, wanted)
    host = copy.copy(old)
    named = {name for names in PARTS.values() for name in names if _given(wanted, name)}
    for name in named:
        setattr(host, name, getattr(wanted, name))
    if wanted.RestartPolicy and wanted.RestartPolicy.Name:
        host.RestartPolicy = wanted.RestartPolicy
    return host, named


def _given(wanted: HostConfig, name: str) -> bool:
    value = getattr(wanted, name)
    return value is not None if name in ("PidsLimit", "MemorySwappiness") else bool(value)


def _refuse_conflicts(container: Container, wanted: HostConfig) -> None:
    old, prefix = container.host, f"Cannot update container {container.id}: "
    for name, words in _CPU_TIME:
        if (wanted.NanoCpus or 0) > 0 and (getattr(old, name) or 0) > 0:
            raise Conflict(f"{prefix}Conflicting options: Nano CPUs cannot be updated as {words} has already been set")
        if (getattr(wanted, name) or 0) > 0 and (old.NanoCpus or 0) > 0:
            raise Conflict(f"{prefix}Conflicting options: {words} cannot be updated as NanoCPUs has already been set")
    if wanted.Memory and wanted.Memory > (old.MemorySwap or 0) and not wanted.MemorySwap:
        raise Conflict(
            f"{prefix}Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    policy = wanted.RestartPolicy
    if policy and policy.Name not in ("", "no", None) and old.AutoRemove:
        raise Conflict(f"{prefix}Restart policy cannot be updated because AutoRemove is enabled for the container")


def _resources(host: HostConfig, named: set[str], v2: bool) -> dict[str, Any]:
    """linux.resources of the parts that change. In them all of the part is said again, as one file may hold several limits."""
    parts = {part for part, names in PARTS.items() if named & set(names)}
    found = resources.limits(host, devices.block(host) if "blockIO" in parts else {})
    found = {part: value for part, value in found.items() if part in parts}
    if "PidsLimit" in named:
        found["pids"] = {"limit": host.PidsLimit if (host.PidsLimit or 0) > 0 else -1}
    if "cpu" in parts and not v2 and "quota" not in found.get("cpu", {}) and {"CpuQuota", "NanoCpus"} & named:
        found.setdefault("cpu", {})["quota"] = -1  # taken back
    return found
