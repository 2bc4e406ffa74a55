"""Id-mapped mounts: files keep their owners on the disk and are seen through a user namespace's maps.

mount_setattr(2) MOUNT_ATTR_IDMAP, user_namespaces(7), Documentation/filesystems/idmappings.rst.
"""

from __future__ import annotations

import os

from dockwright.kernel import mount as m
from dockwright.kernel import process as k
from dockwright.kernel.mount import mount_setattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Maps = list[dict[str, Any]]  # of the OCI spec: containerID, hostID, size


class Owner:
    """A user namespace whose maps mounts are given.

    Attributes:
        fd: of the namespace. uid, gid: what its root is outside.
    """

    def __init__(self, fd: int, uids: Maps, gids: Maps) -> None:
        self.fd, self.uid, self.gid = fd, outside(uids, 0), outside(gids, 0)

    def give(self, tree: int) -> None:
        """Map the detached mount `tree`.

        Raises:
            OSError: EINVAL, its file system cannot be mapped.
        """
        mount_setattr(tree, m.MOUNT_ATTR_IDMAP, user_namespace=self.fd)

    def close(self) -> None:
        """Let go of the namespace."""
        os.close(self.fd)


def owner(uids: Maps, gids: Maps, path: str = "") -> Owner:
    """The namespace at `path`, or a new one with these maps that nobody is in.

    Raises:
        OSError: it cannot be.
    """
    return Owner(os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path else user_namespace(uids, gids), uids, gids)


def user_namespace(uids: Maps, gids: Maps) -> int:
    """A descriptor of a new user namespace. Only for processes with a single thread."""
    here, there = os.pipe()
    pid = k.clone3(k.CLONE_NEWUSER)
    if pid == 0:
        os.close(there)
        os.read(here, 1)
        os._exit(0)
    try:
        write_maps(pid, uids, gids)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(here)
        os.close(there)
        os.waitpid(pid, 0)


def write_maps(pid: int, uids: Maps, gids: Maps) -> None:
    """user_namespaces(7): one write(2) per map."""
    for maps, name in ((uids, "uid_map"), (gids, "gid_map")):
        lines = [f"{entry['containerID']} {entry['hostID']} {entry['size']}\n" for entry in maps]
        with open(f"/proc/{pid}/{name}", "w") as file:
            file.write("".join(lines))


def outside(maps: Maps, inside: int) -> int:
    """What an id of a user namespace is outside; itself where no map says so."""
    for entry in maps:
        if entry["containerID"] <= inside < entry["containerID"] + entry["size"]:
            return int(entry["hostID"]) + inside - int(entry["containerID"])
    return inside
