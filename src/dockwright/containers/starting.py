"""What a start needs: the engine's files, the spec, early attachments, and errors in Docker's words."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from dockwright.base.errors import EngineError, Internal, InvalidParameter, NotSupported
from dockwright.base.paths import Paths
from dockwright.containers import (
    confinement,
    devices,
    idmapping,
    imagemounts,
    initprogram,
    limits,
    logopts,
    modes,
    networking,
    remap,
)
from dockwright.containers.container import Container
from dockwright.containers.defaults import Defaults
from dockwright.containers.mountpoint import MountPoint
from dockwright.containers.runtimes import is_own
from dockwright.containers.store import Store
from dockwright.images.layers import Layers
from dockwright.kernel.process import capget
from dockwright.networks import Attachment
from dockwright.runtime.cgroups.layout import layout
from dockwright.spec import cdi, security
from dockwright.spec.build import Inputs, build
from dockwright.spec.users import Identity, identify
from dockwright.supervisor.logs.writer import LOG_FAILED
from dockwright.supervisor.task import Position, Streams, Task, TaskSpec
from dockwright.types.container import HostConfig

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
NOFILE_SOFT, NOFILE_HARD = 1024, 524288
_CREATE = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
_REFUSED = f"{_CREATE}runc create failed: "
_OWN = f"{_REFUSED}unable to start container process: "
_OF_THE_SPEC = ('sysctl "', "wrong rlimit value")  # what runc finds before there is a process

_FILE_OR_DIRECTORY = (
    "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the "
    "expected type"
)


def task_spec(
    container: Container, paths: Paths, layers: Layers, attachment: Attachment, store: Store, defaults: Defaults,
    linked: Sequence[str],
) -> TaskSpec:  # fmt: skip
    """Write the engine's files and plan the container.

    Args:
        linked: variables that tell of links.

    Raises:
        Internal: an unknown user or group, a device that is not there, in Docker's words.
    """
    mapped = remap.of(container.host, defaults.remap)
    if mapped:
        imagemounts.refuse(container, "together with userns-remap: use --userns=host")
    own = [_mount(point, container, layers, paths, mapped) for point in container.mounts]
    taken = {mount["destination"] for mount in own}
    files = _engine_files(container, paths, attachment)
    binds = own + [_of_the_engine(file) if mapped else file for file in files if file["destination"] not in taken]
    bundle = paths.task(container.id)
    os.makedirs(f"{bundle}/rootfs", mode=0o700, exist_ok=True)
    return TaskSpec(
        spec=oci(container, layers, binds, store, defaults, linked), bundle=bundle,
        rootfs={**layers.mount(container.id), **({"idmap": True} if mapped else {})},
        overlay_base=layers.base, seccomp_cache=paths.seccomp_cache, runtime=_runtime(container, paths, defaults),
    )  # fmt: skip


def _runtime(container: Container, paths: Paths, defaults: Defaults) -> dict[str, Any] | None:
    """A runtime that is not ours, as its drivers need to know it.

    Raises:
        EngineError: it is not configured any more, or not installed.
    """
    name = container.host.Runtime or ""
    runtime = defaults.runtimes.of(name)
    if runtime is None:
        return None
    if remap.of(container.host, defaults.remap):
        raise NotSupported(f"runtime {name} does not take part in userns-remap: use --userns=host, or the runtime runc")
    imagemounts.refuse(container, f"by runtime {name}: use the runtime runc")
    try:
        return runtime.plan(f"{paths.exec_root}/runtimes/{name.replace('/', '_')}")
    except Internal as error:
        log = f"open {paths.task(container.id)}/log.json: no such file or directory"
        raise Internal(f"{_CREATE}unable to retrieve OCI runtime error ({log}): {error.message}: unknown") from None


def _mount(
    point: MountPoint, container: Container, layers: Layers, paths: Paths, mapped: remap.Remap | None
) -> dict[str, Any]:
    """A mount in the runtime's terms, with the maps of owners it gets."""
    entry = imagemounts.entry(point, layers, paths)
    if point.idmap:
        return idmapping.mapped(point, entry, _identity(container, layers), mapped)
    return _of_the_engine(entry) if mapped and point.type == "volume" else entry


def _of_the_engine(entry: dict[str, Any]) -> dict[str, Any]:
    """A bind of files that the engine keeps: on the disk they have the owners that are seen in the container."""
    return {**entry, "options": [*entry["options"], "idmap"]}


def streams(container: Container, paths: Paths) -> Streams:
    """How the container's streams are."""
    config = container.config
    return Streams(config["Tty"], config["OpenStdin"], config["StdinOnce"], logopts.plan(container, paths))


def _engine_files(container: Container, paths: Paths, attachment: Attachment) -> list[dict[str, object]]:
    """hostname, hosts and resolv.conf, and their mounts."""
    donor = paths.container((container.host.NetworkMode or "").removeprefix(networking.JOIN))
    sources = networking.files(paths.container(container.id), donor, container.config["Hostname"], attachment)
    options = ["rbind", "rprivate", "ro" if container.host.ReadonlyRootfs else "rw"]
    return [
        {"destination": f"/etc/{name}", "type": "bind", "source": source, "options": options}
        for name, source in sources.items()
    ]


def oci(
    container: Container, layers: Layers, binds: list[dict[str, object]], store: Store, defaults: Defaults,
    linked: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """The container's OCI spec; what described devices ask for comes last.

    Raises:
        Internal: as `task_spec`.
    """
    spec = build(_inputs(container, layers, binds, store, defaults, linked))
    if described := devices.described(container.host, defaults.cdi_directories):
        cdi.inject(spec, described)
    return spec


def _identity(container: Container, layers: Layers) -> Identity:
    """The container's user. Raises Internal: there is none such in its passwd and group files."""
    passwd, group = layers.accounts(container.id)
    return identify(container.config["User"], container.host.GroupAdd or [], passwd, group)


def _inputs(
    container: Container, layers: Layers, binds: list[dict[str, object]], store: Store, defaults: Defaults,
    linked: Sequence[str],
) -> Inputs:  # fmt: skip
    host, held = container.host, capget()[1]
    identity = _identity(container, layers)
    chosen, privileged = security.parse(host.SecurityOpt or [], defaults.no_new_privileges), bool(host.Privileged)
    nodes, rules = devices.planned(host)
    try:
        limits.check_shares(host, layout().is_v2)
    except Internal as error:
        text = f"error during container init: error setting cgroup config for procHooks process: {error.message}"
        raise Internal(f"{_OWN}{text}: unknown") from None
    return Inputs(
        container.id, container.config["Hostname"], container.config, host,
        "host" if host.NetworkMode == "host" else "private", identity, held, layout().is_v2,
        cgroup=container.cgroup, namespaces=modes.joined(container, store),
        remap=_remap(container, store, defaults),
        shared_memory=modes.shared_memory(container, store), binds=list(binds), rlimits=rlimits(container),
        init_path=_init_path(host, defaults), apparmor=confinement.apparmor(chosen, privileged),
        devices=nodes, device_rules=rules, block=devices.block(host), security=chosen,
        seccomp=defaults.seccomp, linked=linked,
    )  # fmt: skip


def _init_path(host: HostConfig, defaults: Defaults) -> str:
    """The init program that comes first, "" for none."""
    wanted = defaults.init if host.Init is None else host.Init
    return (defaults.init_path or initprogram.find()) if wanted else ""


def _remap(container: Container, store: Store, defaults: Defaults) -> dict[str, Any] | None:
    """The user namespace the container gets; who joins another's network, processes or IPC is in that one's user namespace."""
    mapped = remap.of(container.host, defaults.remap)
    if mapped is None:
        return None
    donor = modes.donor(container, store)
    return {**mapped.plan(), **({"path": f"/proc/{donor.state.pid}/ns/user"} if donor else {})}


def rlimits(container: Container) -> list[dict[str, object]]:
    """The user's limits, and the engine's default for open files clamped to what the engine itself may have."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    ceiling = NOFILE_HARD if hard == resource.RLIM_INFINITY else min(NOFILE_HARD, hard)
    limits: dict[str, dict[str, object]] = {
        "RLIMIT_NOFILE": {"type": "RLIMIT_NOFILE", "soft": NOFILE_SOFT, "hard": ceiling}
    }
    for limit in container.host.Ulimits or ():
        name = f"RLIMIT_{limit.Name.upper()}"
        limits[name] = {"type": name, "soft": limit.Soft, "hard": limit.Hard}
    return list(limits.values())


async def attached(container: Container, streams: tuple[str, ...], position: Position) -> "asyncio.Future[Connection]":
    """A connection to the container's streams: at once if it runs, else when it starts.

    A client waits for the answer to its attach before it asks for the start, so this must not wait.

    Args:
        position: is filled in with where the log is at the moment the connection begins.
    """
    if container.state.running and container.task:
        return asyncio.ensure_future(container.task.attach(streams, position=position))
    future: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    container.attached.append((streams, position, future))
    return future


async def attach_waiting(container: Container, task: Task) -> None:
    """Connect those who attached before the start, so that they miss nothing."""
    waiting, container.attached = container.attached, []
    for streams, position, future in waiting:
        if not future.done():
            future.set_result(await task.attach(streams, position=position))


def end_waiting(container: Container) -> None:
    """The start failed before they could be connected."""
    for *_, future in container.attached:
        if not future.done():
            future.set_exception(Internal("the container could not be started"))
    container.attached = []


def explained(error: EngineError, runtime: str) -> tuple[int, EngineError]:
    """Exit code and text of a failed start, by runc's text (docs/rooms/containers.md, exit codes).

    Args:
        runtime: its name: another than ours says itself what it is.
    """
    prefix, text = _OWN if is_own(runtime) else _CREATE, error.message
    if text.startswith(LOG_FAILED):
        return 127 if "no such file or directory" in text else 128, error
    if "not a directory" in text:
        return 127, InvalidParameter(f"{prefix}{text}: unknown: {_FILE_OR_DIRECTORY}")
    if "executable file not found" in text or "no such file or directory" in text.lower():
        return 127, InvalidParameter(f"{prefix}{text}: unknown")
    if "permission denied" in text:
        return 126, InvalidParameter(f"{prefix}{text}: unknown")
    if "is a directory" in text:  # clients look for the other words
        return 126, InvalidParameter(f"{prefix}{text}: unknown: permission denied")
    known = text.startswith(("unable to find", "Unable to find", "uids and gids", "invalid tmpfs", "the shim of"))
    prefix = _REFUSED if prefix == _OWN and text.startswith(_OF_THE_SPEC) else prefix
    return 128, type(error)(text) if known else Internal(f"{prefix}{text}: unknown")
