"""Which namespaces a container has to itself and which it shares: IpcMode, PidMode, UTSMode, CgroupnsMode, UsernsMode."""

from dockwright.base.errors import Conflict, Internal, InvalidParameter, NotFound
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.types.container import CreateRequest, HostConfig

JOIN = "container:"
_VALUES = {
    "IpcMode": ("IPC", ("none", "private", "shareable", "host")), "PidMode": ("PID", ("", "host")),
    "UTSMode": ("UTS", ("", "host")), "CgroupnsMode": ("cgroup namespace", ("private", "host")),
    "UsernsMode": ("userns", ("", "host")),
}  # fmt: skip


def check(request: CreateRequest, host: HostConfig, store: Store) -> None:
    """Check the modes; `container:NAME` gets the full id.

    Raises:
        InvalidParameter: in Docker's words.
    """
    for field, (name, values) in _VALUES.items():
        mode = getattr(host, field) or ""
        if field in ("IpcMode", "PidMode") and mode.startswith(JOIN):
            setattr(host, field, JOIN + _donor(mode, store).id)
        elif mode not in values:
            raise InvalidParameter(f"invalid {name} mode: {mode}")
    if host.UTSMode == "host" and request.Hostname:
        raise InvalidParameter("conflicting options: hostname and the UTS mode")


def _donor(mode: str, store: Store) -> Container:
    name = mode.removeprefix(JOIN)
    try:
        return store.find(name)
    except NotFound as error:
        raise InvalidParameter(error.message) from None


def joined(container: Container, store: Store) -> dict[str, str]:
    """Paths of the namespaces of other containers to join at a start, by kind.

    Raises:
        EngineError: in Docker's words: the donor is gone, does not run, or keeps its namespace to itself.
    """
    paths = {}
    if (container.host.IpcMode or "").startswith(JOIN):
        donor = _running(container, container.host.IpcMode or "", "IPC", store)
        if donor.host.IpcMode != "shareable":
            hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
            raise Internal(f"failed to join IPC namespace: container {donor.id}: {hint}")
        paths["ipc"] = f"/proc/{donor.state.pid}/ns/ipc"
    if (container.host.PidMode or "").startswith(JOIN):
        donor = _running(container, container.host.PidMode or "", "PID", store)
        paths["pid"] = f"/proc/{donor.state.pid}/ns/pid"
    return paths


def donor(container: Container, store: Store) -> Container | None:
    """The container whose network, IPC or processes this one joins, the first of them."""
    host = container.host
    joins = (mode for mode in (host.NetworkMode, host.IpcMode, host.PidMode) if (mode or "").startswith(JOIN))
    mode = next(joins, None)
    return store.find(mode.removeprefix(JOIN)) if mode else None


def _running(container: Container, mode: str, kind: str, store: Store) -> Container:
    donor = store.find(mode.removeprefix(JOIN))
    if donor is container:
        raise InvalidParameter(f"failed to join {kind} namespace: cannot join own {kind} namespace")
    if donor.state.running:
        return donor
    text = f"failed to join {kind} namespace: container {donor.id} is not running"
    raise Conflict(text) if kind == "IPC" else Internal(text)


def shared_memory(container: Container, store: Store) -> str:
    """The mount namespace whose /dev/shm goes with the IPC namespace that is joined; "" without one."""
    mode = container.host.IpcMode or ""
    return f"/proc/{store.find(mode.removeprefix(JOIN)).state.pid}/ns/mnt" if mode.startswith(JOIN) else ""
