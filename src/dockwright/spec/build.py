"""The OCI runtime spec of a container: a pure function of its configuration, its image's and a few facts of the host."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.spec import capabilities, mounts, resources
from dockwright.spec.seccomp import default_profile
from dockwright.spec.security import Security, profile
from dockwright.spec.users import Identity
from dockwright.types.container import HostConfig

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MASKED = [
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
]  # fmt: skip
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
PRIVATE_NETWORK_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


@dataclass
class Inputs:
    """All that `build` looks at.

    Attributes:
        config: the container's Config as shown by inspect (image merged in). host: its HostConfig, completed.
        network: "private", "host" or "join" (then `network_path`). namespaces: paths to join by type (pid, ipc, uts).
        identity: who the process is. binds: OCI mounts of binds, volumes and the engine's files, by depth.
        held: mask of capabilities the engine holds. rlimits: the engine's defaults.
        security: its security options, parsed.
        block: HostConfig's lists of I/O limits with Major and Minor. shared_memory: the mount namespace whose /dev/shm goes
            with a joined IPC namespace. linked: variables that tell of links.
        seccomp: the filter of containers that name none: "builtin", "unconfined" or a profile's text.
        remap: {"uids", "gids"[, "path"]} of the user namespace it gets, or joins.
        init_path: host path of the init binary when HostConfig.Init is set. cgroup_v2: the host's only hierarchy is v2.
    """

    container_id: str
    hostname: str
    config: dict[str, Any]
    host: HostConfig
    network: str
    identity: Identity
    held: int
    cgroup_v2: bool
    cgroup: str = ""
    network_path: str = ""
    namespaces: dict[str, str] = field(default_factory=dict)
    binds: list[dict[str, Any]] = field(default_factory=list)
    rlimits: list[dict[str, Any]] = field(default_factory=list)
    init_path: str = ""
    apparmor: str = ""
    devices: list[dict[str, Any]] = field(default_factory=list)
    device_rules: list[dict[str, Any]] = field(default_factory=list)
    security: Security = field(default_factory=Security)
    block: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    shared_memory: str = ""
    seccomp: str = "builtin"
    linked: Sequence[str] = ()
    remap: dict[str, Any] | None = None


def build(inputs: Inputs) -> dict[str, Any]:
    """The spec as a plain dict (OCI runtime spec 1.2, config.md and config-linux.md)."""
    host, privileged = inputs.host, bool(inputs.host.Privileged)
    caps = capabilities.effective(host.CapAdd, host.CapDrop, privileged, inputs.held)
    return {
        "ociVersion": "1.2.0",
        "process": _process(inputs, caps),
        "root": {"path": "rootfs", "readonly": bool(host.ReadonlyRootfs)},
        "hostname": inputs.hostname if host.UTSMode != "host" else "",
        "domainname": inputs.config.get("Domainname") or "",
        "mounts": mounts.build(inputs),
        "annotations": dict(host.Annotations or {}),
        "linux": _linux(inputs, caps, privileged),
    }


def _process(inputs: Inputs, caps: list[str]) -> dict[str, Any]:
    config, identity = inputs.config, inputs.identity
    arguments = command(config)
    if inputs.init_path:
        arguments = ["/sbin/docker-init", "--", *arguments]
    effective = caps if identity.uid == 0 else []
    height, width = inputs.host.ConsoleSize or (0, 0)
    return {
        "terminal": bool(config["Tty"]),
        "consoleSize": {"height": height, "width": width},
        "user": {"uid": identity.uid, "gid": identity.gid, "additionalGids": list(identity.groups)},
        "args": arguments,
        "env": environment(config, inputs.hostname, identity.home, inputs.linked),
        "cwd": config.get("WorkingDir") or "/",
        "capabilities": {"bounding": caps, "effective": effective, "permitted": effective},
        "rlimits": inputs.rlimits,
        "noNewPrivileges": inputs.security.no_new_privileges,
        "oomScoreAdj": inputs.host.OomScoreAdj or 0,
        "apparmorProfile": inputs.apparmor,
    }


def command(config: dict[str, Any]) -> list[str]:
    """Entrypoint and Cmd, one after the other."""
    return [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]


def environment(config: dict[str, Any], hostname: str, home: str, linked: Sequence[str] = ()) -> list[str]:
    """PATH, HOSTNAME, TERM, what tells of links, then Config.Env (replacing in place), HOME last."""
    variables = [PATH, f"HOSTNAME={hostname}", *(["TERM=xterm"] if config["Tty"] else []), *linked]
    variables = replace(variables, config.get("Env") or [])
    if not any(variable.startswith("HOME=") for variable in variables):
        variables.append(f"HOME={home}")
    return variables


def replace(defaults: list[str], overrides: list[str]) -> list[str]:
    """`defaults` with `overrides` put in place or at the end; a bare NAME takes a default away."""
    result = list(defaults)
    for variable in overrides:
        name, equals, _ = variable.partition("=")
        index = next((i for i, v in enumerate(result) if v.partition("=")[0] == name), -1)
        if not equals:
            if index >= 0:
                del result[index]
        elif index >= 0:
            result[index] = variable
        else:
            result.append(variable)
    return result


def _linux(inputs: Inputs, caps: list[str], privileged: bool) -> dict[str, Any]:
    host = inputs.host
    masked = MASKED if host.MaskedPaths is None else host.MaskedPaths
    read_only = READ_ONLY if host.ReadonlyPaths is None else host.ReadonlyPaths
    linux: dict[str, Any] = {
        "namespaces": _namespaces(inputs),
        "cgroupsPath": inputs.cgroup or f"/docker/{inputs.container_id}",
        "resources": resources.build(inputs),
        "devices": inputs.devices,
        "sysctl": _sysctls(inputs),
        "maskedPaths": [] if privileged else masked,
        "readonlyPaths": [] if privileged else read_only,
    }
    if inputs.remap:
        linux["uidMappings"], linux["gidMappings"] = inputs.remap["uids"], inputs.remap["gids"]
    filter_ = _seccomp(inputs, caps, privileged)
    if filter_:
        linux["seccomp"] = filter_
    return linux


def _seccomp(inputs: Inputs, caps: list[str], privileged: bool) -> dict[str, Any] | None:
    """The filter of the container's profile; a privileged one has none but a profile of its own."""
    own = inputs.security.seccomp
    if privileged and own in ("", "builtin"):
        return None
    wanted = own or inputs.seccomp
    if wanted == "unconfined":
        return None
    return default_profile(caps) if wanted == "builtin" else profile(wanted, caps)


def _namespaces(inputs: Inputs) -> list[dict[str, str]]:
    host = inputs.host
    wanted = [{"type": "mount"}]
    if inputs.remap:
        path = inputs.remap.get("path", "")
        wanted.append({"type": "user", "path": path} if path else {"type": "user"})
    if inputs.network == "join":
        wanted.append({"type": "network", "path": inputs.network_path})
    elif inputs.network != "host":
        wanted.append({"type": "network"})
    for kind, mode in (("uts", host.UTSMode), ("pid", host.PidMode), ("ipc", host.IpcMode)):
        if kind in inputs.namespaces:
            wanted.append({"type": kind, "path": inputs.namespaces[kind]})
        elif mode != "host":
            wanted.append({"type": kind})
    if host.CgroupnsMode == "private":
        wanted.append({"type": "cgroup"})
    return wanted


def _sysctls(inputs: Inputs) -> dict[str, str]:
    default = PRIVATE_NETWORK_SYSCTLS if inputs.network == "private" else {}
    if inputs.remap:  # its ids mean others inside; the sandbox has set it already
        default = {name: value for name, value in default.items() if name != "net.ipv4.ping_group_range"}
    return {**default, **(inputs.host.Sysctls or {})}
