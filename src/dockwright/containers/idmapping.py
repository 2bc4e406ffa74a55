"""The maps of a bind that is mounted with `idmap`."""

import os
from typing import Any

from dockwright.base.errors import Internal
from dockwright.containers.mountpoint import MountPoint
from dockwright.containers.remap import Maps, Remap
from dockwright.grammar import idmaps
from dockwright.runtime.idmap import outside
from dockwright.spec.users import Identity


def mapped(point: MountPoint, entry: dict[str, Any], user: Identity, remap: Remap | None) -> dict[str, Any]:
    """The OCI mount of `point` with the maps it asks for.

    Args:
        entry: without them. user: the container's. remap: of the container's user namespace.

    Raises:
        Internal: the source cannot be looked at.
    """
    if not point.idmap:
        return entry
    uids, gids = idmaps.parse(point.idmap)
    if not uids:
        info = _source(point.source)
        uids, gids = [(True, info.st_uid, user.uid, 1)], [(True, info.st_gid, user.gid, 1)]
    own = remap or Remap([], [])
    return {**entry, "uidMappings": _maps(uids, own.uids), "gidMappings": _maps(gids, own.gids)}


def _source(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise Internal(f"error while mapping the owner of {path}: {os.strerror(error.errno or 0).lower()}") from None


def _maps(ranges: list[idmaps.Range], own: Maps) -> Maps:
    return [
        {"containerID": disk, "hostID": outside(own, seen) if inside else seen, "size": size}
        for inside, disk, seen, size in ranges
    ]
