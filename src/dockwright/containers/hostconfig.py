"""Which HostConfig fields are implemented. A field outside this table is refused as soon as it is not its zero value.

Nothing is accepted and ignored: a test walks all fields of the struct (docs/architecture.md).
"""

from dockwright.base.errors import Internal, InvalidParameter, NotSupported
from dockwright.containers import logopts, resources, restarts
from dockwright.host.files import HostFiles
from dockwright.host.security import apparmor
from dockwright.spec import security
from dockwright.spec.build import MASKED, READ_ONLY
from dockwright.spec.capabilities import normalise
from dockwright.types.container import HostConfig, LogConfig, RestartPolicy

IMPLEMENTED = frozenset({
    "AutoRemove", "CapAdd", "CapDrop", "CgroupnsMode", "CpuPeriod", "CpuQuota", "CpuShares", "CpusetCpus", "CpusetMems",
    "ContainerIDFile", "ConsoleSize", "GroupAdd", "LogConfig", "MaskedPaths", "Memory", "MemoryReservation", "MemorySwap",
    "MemorySwappiness", "NanoCpus", "NetworkMode", "OomScoreAdj", "PidMode", "PidsLimit", "Privileged", "ReadonlyPaths",
    "ReadonlyRootfs", "RestartPolicy", "PortBindings", "PublishAllPorts", "ExtraHosts", "Dns", "DnsOptions", "DnsSearch",
    "Binds", "Mounts", "VolumesFrom", "VolumeDriver", "ShmSize", "Sysctls", "Tmpfs", "UTSMode", "Ulimits", "IpcMode", "Runtime",
    "Init", "SecurityOpt",
})  # fmt: skip
SHM_SIZE = 64 << 20
IPC_MODES = ("private", "shareable", "host", "none")
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
    _secure(host)
    return host


def _refuse_unknown(host: HostConfig) -> None:
    if host.Isolation not in ("", None, "default"):
        raise Internal(f"Invalid isolation: \"{host.Isolation}\" - linux only supports 'default'")
    for name in HostConfig.__struct_fields__:
        if getattr(host, name) and name not in (*IMPLEMENTED, "Isolation"):
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
    if host.IpcMode not in IPC_MODES and not (host.IpcMode or "").startswith("container:"):
        raise InvalidParameter(f"invalid IPC mode: {host.IpcMode}")
    if host.PidMode not in ("", "host") or host.IpcMode not in IPC_MODES:
        raise NotSupported("joining another container's namespaces is not implemented yet")
    logopts.check(host.LogConfig)
    resources.check(host)
    _check_paths(host)


def _check_paths(host: HostConfig) -> None:
    for path in host.Tmpfs or ():
        if not path.startswith("/"):
            raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")


def _secure(host: HostConfig) -> None:
    """Fill in what the security options leave open: the masked and read-only paths, and the label nobody asked for.

    Raises:
        InvalidParameter, NotSupported: an option that cannot be.
    """
    options = host.SecurityOpt or []
    security.check(options, apparmor(HostFiles()))
    opened = host.Privileged or host.PidMode == "host" or host.IpcMode == "host"
    if opened and not security.parse(options).labels:
        host.SecurityOpt = [*options, security.DISABLE]
    if not host.Privileged:
        host.MaskedPaths = list(MASKED) if host.MaskedPaths is None else host.MaskedPaths
        host.ReadonlyPaths = list(READ_ONLY) if host.ReadonlyPaths is None else host.ReadonlyPaths
