"""A checkpoint: what runs in a container is written to an image's folder.

The request is what runc sends: binds as external mounts, the network namespace as one that somebody else makes, orphaned
terminals and cgroups with it. What the first three descriptors are goes beside it, so that a restore can connect them again.
"""

from __future__ import annotations

import os

from dockwright.base.files import write_atomic
from dockwright.kernel import process as k
from dockwright.runtime import document
from dockwright.runtime.context import Context
from dockwright.runtime.criu import external, rpc, service
from dockwright.runtime.criu.settings import DESCRIPTORS, NETWORK, Settings, folder
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from dockwright.runtime.cgroups.group import Cgroup

    class Target(Protocol):
        """A running container."""

        id: str
        pid: int
        spec: dict[str, Any]
        group: Cgroup


LOG = "dump.log"


def dump(
    target: Target, settings: Settings, *, given_network: bool, leave_running: bool = False, parent: str = "",
    memory_only: bool = False,
) -> None:  # fmt: skip
    """Write a checkpoint; without `leave_running` the container's processes are killed by criu at its end.

    Args:
        given_network: whether its network namespace is somebody else's to make again.
        parent: an earlier image, relative to this one: only memory that has changed since is written.
        memory_only: write nothing but memory, for such an image.

    Raises:
        RuntimeFailure: in runc's words; the container runs on then.
    """
    program = service.find(settings.program)
    service.check(program)
    refuse(target.spec)
    if memory_only:
        service.check_tracking(program)
    log = f"{settings.work}/{LOG}"
    _make(settings.images)
    _make(settings.work)
    _check_parent(settings.images, parent)
    images, work = folder(settings.images), folder(settings.work)
    try:
        fields = settings.fields(LOG, images, work) + _target(target, given_network)
        fields += [(rpc.LEAVE_RUNNING, leave_running), (rpc.TRACK_MEMORY, memory_only), (rpc.PARENT, parent)]
        fields = [field for field in fields if field[1] not in (False, "")]
        if not memory_only:
            _keep_descriptors(target.pid, settings.images)
        kind = rpc.PRE_DUMP if memory_only else rpc.DUMP
        service.Service(program, log).ask([(1, kind), (2, rpc.encode(fields))], (images, work))
    finally:
        os.close(images)
        os.close(work)


def refuse(spec: dict[str, Any]) -> None:
    """Refuse containers of which a restore would make something else.

    Raises:
        RuntimeFailure: in words.
    """
    for namespace in (spec.get("linux") or {}).get("namespaces") or ():
        kind, path = namespace["type"], namespace.get("path")
        if kind == "user":
            raise RuntimeFailure("checkpoints of containers in a user namespace are not supported")
        if path and kind != "network":
            raise RuntimeFailure(f"checkpoints of containers in another's {kind} namespace are not supported")


def _target(target: Target, given_network: bool) -> rpc.Fields:
    root = os.path.join("/proc", str(target.pid), "root")
    fields: rpc.Fields = [(rpc.PID, target.pid), (rpc.ROOT, root)]
    if target.group.frozen():  # criu thaws it and freezes it again
        fields.append((rpc.FREEZER, target.group.file("freezer", "").rstrip("/")))
    context = Context(target.id, "/", {})
    fields += [(rpc.EXT_MOUNT, rpc.pair(*mount)) for mount in external.of_process(target.pid, target.spec, context)]
    if given_network:
        inode = os.stat(f"/proc/{target.pid}/ns/net").st_ino
        fields.append((rpc.EXTERNAL, f"net[{inode}]:{NETWORK}"))
    elif own_network(target.spec):
        fields.append((rpc.EMPTY_NAMESPACES, k.CLONE_NEWNET))
    return fields


def own_network(spec: dict[str, Any]) -> bool:
    """Whether it has a network namespace."""
    return any(entry["type"] == "network" for entry in (spec.get("linux") or {}).get("namespaces") or ())


def _keep_descriptors(pid: int, images: str) -> None:
    texts = []
    for number in range(3):
        try:
            texts.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except OSError:
            texts.append("")  # it has closed it
    write_atomic(f"{images}/{DESCRIPTORS}", document.dumps(texts).encode(), 0o600)


def _make(path: str) -> None:
    try:
        os.makedirs(path, 0o700, exist_ok=True)
    except OSError as error:
        raise RuntimeFailure(f"mkdir {path}: {words(error)}") from None


def _check_parent(images: str, parent: str) -> None:
    if not parent:
        return
    if parent.startswith("/"):
        raise RuntimeFailure("--parent-path must be relative")
    whole = os.path.normpath(os.path.join(images, parent))
    if not os.path.isdir(whole):
        raise RuntimeFailure(f"invalid --parent-path: stat {whole}: no such file or directory")
