"""Which mounts a configuration asks for: --volumes-from, then Binds, then Mounts, then the VOLUMEs of the image.

Later ones replace earlier ones; only Binds and Mounts among themselves must not meet.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter, NotFound, NotSupported
from dockwright.containers.mountpoint import MountPoint
from dockwright.grammar import mounts as grammar
from dockwright.grammar.mounts import MountSpec
from dockwright.types.container import HostConfig, Mount
from dockwright.volumes.store import Request, fresh

SELINUX = "/sys/fs/selinux/enforce"
Donor = Callable[[str], list[MountPoint]]


@dataclass
class Planned:
    """A mount and, for one that needs a volume made or found, what that volume is."""

    point: MountPoint
    volume: Request | None = None


def planned(
    host: HostConfig, config: dict[str, Any], data_root: str, donor: Donor, ro_recursive: bool = True
) -> list[Planned]:  # fmt: skip
    """All mounts of a container.

    Args:
        ro_recursive: whether read-only entries of Mounts are so all the way down, as in newer versions of the API.
        data_root: the engine's; binds that show it hear of its mounts (rslave) but do not hold them.
        donor: the mounts of another container. Raises NotFound.

    Raises:
        EngineError: in Docker's words.
    """
    found: dict[str, Planned] = {}
    for raw in host.VolumesFrom or ():
        for point in _inherited(raw, donor):
            found[point.destination] = Planned(point)
    given: set[str] = set()
    for spec in _specs(host, ro_recursive):
        destination = spec.destination
        if destination in given or (spec.from_bind and destination in (host.Tmpfs or ())):
            raise InvalidParameter(f"Duplicate mount point: {destination}")
        given.add(destination)
        found[destination] = _planned(spec, data_root)
    for path in config.get("Volumes") or ():
        destination = grammar.clean(path)
        if destination not in found and destination not in (host.Tmpfs or ()):
            point = MountPoint("volume", destination, anonymous=True, copy=True)
            found[destination] = Planned(point, fresh(None, driver=host.VolumeDriver or ""))
    return list(found.values())


def check(host: HostConfig) -> None:
    """Check the entries of Mounts, before anything is made.

    Raises:
        InvalidParameter: in Docker's words.
    """
    for mount in host.Mounts or ():
        spec = _from_mount(mount)
        grammar.check(spec)
        if spec.type == "bind":
            _check_source(spec)
        elif spec.type == "tmpfs":
            _tmpfs(spec)


def _inherited(raw: str, donor: Donor) -> list[MountPoint]:
    name, mode = grammar.parse_volumes_from(raw)
    try:
        points = donor(name)
    except NotFound as error:
        raise InvalidParameter(error.message) from None
    writable = "ro" not in mode.split(",")
    return [replace(point, writable=point.writable and writable, copy=False) for point in points]


def _specs(host: HostConfig, ro_recursive: bool) -> list[MountSpec]:
    specs = [grammar.parse_bind(raw, host.VolumeDriver or "") for raw in host.Binds or ()]
    for mount in host.Mounts or ():
        spec = _from_mount(mount)
        grammar.check(spec)
        spec.ro_non_recursive |= not ro_recursive
        specs.append(spec)
    return specs


def _from_mount(mount: Mount) -> MountSpec:
    """An entry of HostConfig.Mounts in the grammar's terms."""
    bind, volume, tmpfs = mount.BindOptions, mount.VolumeOptions, mount.TmpfsOptions
    spec = MountSpec(mount.Type or "", mount.Source or "", mount.Target or "", bool(mount.ReadOnly))
    spec.blocks = {
        name for name in ("BindOptions", "VolumeOptions", "TmpfsOptions") if getattr(mount, name) is not None
    }
    if bind:
        spec.propagation, spec.non_recursive = bind.Propagation or "", bool(bind.NonRecursive)
        spec.create_source, spec.idmap = bool(bind.CreateMountpoint), bind.IDMap or ""
        spec.ro_non_recursive = bool(bind.ReadOnlyNonRecursive)
        spec.ro_force_recursive = bool(bind.ReadOnlyForceRecursive)
    if volume:
        spec.no_copy, spec.labels, spec.subpath = bool(volume.NoCopy), volume.Labels, volume.Subpath or ""
        if volume.DriverConfig:
            spec.driver = volume.DriverConfig.Name or ""
            spec.driver_options = volume.DriverConfig.Options or {}
    if mount.ImageOptions:
        spec.subpath = mount.ImageOptions.Subpath or ""
    if tmpfs:
        spec.tmpfs = _tmpfs_words(tmpfs.SizeBytes or 0, tmpfs.Mode or 0, tmpfs.Options or [])
    return spec


def _tmpfs_words(size: int, mode: int, options: list[list[str]]) -> list[str]:
    words = [f"mode={mode:o}"] if mode else []
    words += [f"size={size}"] if size else []
    for option in options:
        if len(option) not in (1, 2):
            raise InvalidParameter("invalid option array length")
        words.append("=".join(option))
    return words


def _planned(spec: MountSpec, data_root: str) -> Planned:
    if spec.type == "tmpfs":
        return Planned(_tmpfs(spec))
    if spec.type == "bind":
        return Planned(_bind(spec, data_root))
    if spec.type == "image":
        return Planned(MountPoint("image", spec.destination, spec.source, writable=False, subpath=spec.subpath))
    point = MountPoint("volume", spec.destination, name=spec.source, mode=spec.mode or "z", subpath=spec.subpath)
    point.writable, point.anonymous = not spec.read_only, not spec.source
    point.copy = not spec.no_copy and not spec.subpath
    options = spec.driver_options or None
    if spec.source:
        return Planned(point, Request(spec.source, options, spec.labels, spec.driver))
    return Planned(point, fresh(spec.labels, options, spec.driver))


def _tmpfs(spec: MountSpec) -> MountPoint:
    point = MountPoint("tmpfs", spec.destination, writable=not spec.read_only, tmpfs=spec.tmpfs)
    try:
        point.oci()
    except Internal as error:
        raise grammar.fault_of(spec, error.message) from None
    return point


def _check_source(spec: MountSpec) -> None:
    if not spec.create_source and not os.path.exists(spec.source):
        raise missing_source(spec.source)


def _bind(spec: MountSpec, data_root: str) -> MountPoint:
    if {"z", "Z"} & set(spec.mode.split(",")) and os.path.exists(SELINUX):
        raise NotSupported("relabelling files for SELinux (z, Z) is not implemented yet")
    _check_source(spec)
    source = grammar.clean(spec.source)
    point = MountPoint("bind", spec.destination, source, mode=spec.mode, writable=not spec.read_only)
    point.implied = not spec.propagation
    point.propagation = spec.propagation or ("rslave" if shows(source, data_root) else "rprivate")
    if shows(source, data_root) and point.propagation not in ("rslave", "rshared"):
        raise InvalidParameter(
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within '
            f'the daemon root, daemon root: "{data_root}", bind mount source: "{spec.source}", propagation: '
            f'"{spec.propagation}"'
        )
    point.create_source, point.recursive = spec.create_source, not spec.non_recursive
    point.ro_recursive, point.idmap = not spec.ro_non_recursive, spec.idmap
    return point


def missing_source(source: str) -> InvalidParameter:
    """What is said of a bind whose source is not there and shall not be made."""
    return InvalidParameter(f'invalid mount config for type "bind": bind source path does not exist: {source}')


def shows(source: str, data_root: str) -> bool:
    """Whether a bind's source is part of the engine's root, or the other way round."""
    return source.startswith(data_root) or data_root.startswith(source)
