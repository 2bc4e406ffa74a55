"""userns-remap: containers in user namespaces of their own, whose root is nobody of the host's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.runtime.idmap import outside
from dockwright.types.container import HostConfig

Maps = list[dict[str, Any]]
Owner = Callable[[int, int], tuple[int, int]]
OVERFLOW = 65534  # who no map knows: /proc/sys/kernel/overflowuid


@dataclass(frozen=True)
class Remap:
    """The maps of the daemon's --userns-remap, as in the OCI spec."""

    uids: Maps
    gids: Maps

    @property
    def root(self) -> tuple[int, int]:
        """What root of a container is on the host."""
        return outside(self.uids, 0), outside(self.gids, 0)

    @property
    def folder(self) -> str:
        """The data root's part for containers mapped like this, named as Docker names it."""
        return "{}.{}".format(*self.root)

    def plan(self) -> dict[str, Any]:
        """For a sandbox: the user namespace that is to own it."""
        return {"uids": self.uids, "gids": self.gids}

    def out(self, owner: Owner) -> Owner:
        """`owner`, and what that is on the host."""
        return lambda uid, gid: _both(owner(uid, gid), lambda maps, ident: outside(maps, ident), self)

    def back(self, owner: Owner) -> Owner:
        """`owner` of what an owner on the host is inside."""
        return lambda uid, gid: owner(*_both((uid, gid), _inside, self))


def _both(ids: tuple[int, int], turn: Callable[[Maps, int], int], remap: Remap) -> tuple[int, int]:
    return turn(remap.uids, ids[0]), turn(remap.gids, ids[1])


def _inside(maps: Maps, ident: int) -> int:
    for entry in maps:
        if entry["hostID"] <= ident < entry["hostID"] + entry["size"]:
            return int(entry["containerID"]) + ident - int(entry["hostID"])
    return OVERFLOW


def of(host: HostConfig, remap: Remap | None) -> Remap | None:
    """The maps a container gets; None: it is in the host's user namespace."""
    return None if host.UsernsMode == "host" else remap


def owned(sandbox: dict[str, Any], host: HostConfig, remap: Remap | None) -> dict[str, Any]:
    """The plan of a container's network namespace, which belongs to its user namespace if it gets one of each."""
    mapped = of(host, remap)
    return {**sandbox, "user": mapped.plan()} if mapped and sandbox["kind"] in ("private", "none") else sandbox


def check(host: HostConfig, remap: Remap | None) -> None:
    """What a container in a user namespace cannot share with the host.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if of(host, remap) is None:
        return
    if host.Privileged:
        text = "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace"
        raise InvalidParameter(f"{text} when running privileged mode")
    if host.NetworkMode == "host":
        raise InvalidParameter("cannot share the host's network namespace when user namespaces are enabled")
    if host.PidMode == "host":
        raise InvalidParameter("cannot share the host PID namespace when user namespaces are enabled")
