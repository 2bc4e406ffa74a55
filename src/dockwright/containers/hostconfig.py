"""Which HostConfig fields are implemented. A field outside this table is refused as soon as it is not its zero value.

Nothing is accepted and ignored: a test walks all fields of the struct (docs/architecture.md).
"""

from dockwright.base.errors import InvalidParameter, NotSupported
from dockwright.containers import logopts, restarts
from dockwright.spec.capabilities import normalise
from dockwright.types.container import HostConfig, LogConfig, RestartPolicy

IMPLEMENTED = frozenset({
    "AutoRemove", "CapAdd", "CapDrop", "CgroupnsMode", "CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems",
    "ContainerIDFile", "ConsoleSize", "GroupAdd", "LogConfig", "MaskedPaths", "Memory", "MemoryReservation", "MemorySwap",
    "MemorySwappiness", "NanoCpus", "NetworkMode", "OomScoreAdj", "PidMode", "PidsLimit", "Privileged", "ReadonlyPaths",
    "ReadonlyRootfs", "RestartPolicy", "PortBindings", "PublishAllPorts", "ExtraHosts", "Dns", "DnsOptions", "DnsSearch",
    "Binds", "Mounts", "VolumesFrom", "VolumeDriver", "ShmSize", "Sysctls", "Tmpfs", "UTSMode", "Ulimits", "IpcMode", "Runtime",
    "Init",
})  # fmt: skip
SHM_SIZE = 64 << 20
SMALLEST_MEMORY = 6 << 20
NETWORKS = ("none", "host", "bridge")


def completed(given: HostConfig | None, cgroup_v2: bool) -> HostConfig:
    """The HostConfig with Docker's defaults filled in, after checking it.

    Raises:
        InvalidParameter: a value that cannot be, in Docker's words. NotSupported: a field that is not implemented yet.
    """
    host = given or HostConfig()
    _refuse_unknown(host)
    for name, default in (
        ("NetworkMode", "bridge"), ("IpcMode", "private"), ("ShmSize", SHM_SIZE), ("Runtime", "runc"),
        ("CgroupnsMode", "private" if cgroup_v2 else "host"),
    ):  # fmt: skip
        if not getattr(host, name):
            setattr(host, name, default)
    if host.NetworkMode == "default":
        host.NetworkMode = "bridge"
    if host.MemorySwappiness == -1:
        host.MemorySwappiness = None  # how clients say "as the kernel likes"
    if (host.PidsLimit or 0) <= 0:
        host.PidsLimit = None
    host.LogConfig = host.LogConfig if host.LogConfig and host.LogConfig.Type else LogConfig("json-file", {})
    host.RestartPolicy = (
        host.RestartPolicy if host.RestartPolicy and host.RestartPolicy.Name else RestartPolicy("no", 0)
    )
    _check(host)
    return host


def _refuse_unknown(host: HostConfig) -> None:
    for name in HostConfig.__struct_fields__:
        if getattr(host, name) and name not in IMPLEMENTED:
            raise NotSupported(f"HostConfig.{name} is not implemented yet")


def _check(host: HostConfig) -> None:
    normalise(host.CapAdd, "CapAdd")
    normalise(host.CapDrop, "CapDrop")
    if host.NetworkMode not in NETWORKS and not (host.NetworkMode or "").startswith("container:"):
        raise NotSupported(f"network {host.NetworkMode}: user-defined networks are not implemented yet")
    assert host.RestartPolicy and host.LogConfig
    restarts.check(host)
    if host.Runtime != "runc":
        raise InvalidParameter(f"unknown or invalid runtime name: {host.Runtime}")
    if host.PidMode not in ("", "host") or host.IpcMode not in ("private", "shareable", "host", "none"):
        raise NotSupported("joining another container's namespaces is not implemented yet")
    logopts.check(host.LogConfig)
    _check_memory(host)


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
    if host.NanoCpus and (host.CpuPeriod or host.CpuQuota):
        name = "CPU Period" if host.CpuPeriod else "CPU Quota"
        raise InvalidParameter(f"Conflicting options: Nano CPUs and {name} cannot both be set")
    if (host.OomScoreAdj or 0) not in range(-1000, 1001):
        raise InvalidParameter(f"Invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]")
