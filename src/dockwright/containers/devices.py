"""Devices of the host in a container: --device, --device-cgroup-rule, --privileged, --gpus, block devices of I/O limits."""

import os
import re
import stat
from typing import Any

from dockwright.base.errors import Internal
from dockwright.host import cdi
from dockwright.types.container import HostConfig

_RULE = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_SKIPPED = ("pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev")
ALL = "rwm"


def planned(host: HostConfig) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The devices to make and the rules for the device cgroup (OCI runtime spec, config-linux.md).

    Raises:
        Internal: in Docker's words: a device is not there, or is none; a rule cannot be read.
    """
    if host.Privileged:
        return _every(), []
    devices: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    for device in host.Devices or ():
        inside = device.PathInContainer or device.PathOnHost
        for found in _gathered(device.PathOnHost, inside):
            devices.append(found)
            rules.append(_rule(found, device.CgroupPermissions or ALL))
    return devices, rules + [_given(rule) for rule in host.DeviceCgroupRules or ()]


def described(host: HostConfig, directories: tuple[str, ...]) -> list[cdi.Edits]:
    """What the devices ask for that vendors describe in the files of `directories`.

    Raises:
        Internal: in Docker's words: a device is not described; a request is for a driver that is not there.
    """
    names: list[str] = []
    for request in host.DeviceRequests or ():
        if request.Driver != "cdi" or not directories:
            words = " ".join(f"[{' '.join(group)}]" for group in request.Capabilities or ())
            raise Internal(f'could not select device driver "{request.Driver or ""}" with capabilities: [{words}]')
        names += request.DeviceIDs or []
    return cdi.edits(names, directories) if names else []


def _rule(device: dict[str, Any], access: str) -> dict[str, Any]:
    numbers = {"major": device["major"], "minor": device["minor"]}
    return {"allow": True, "type": device["type"], **numbers, "access": access}


def _given(rule: str) -> dict[str, Any]:
    """A rule of the user's; `*` is any number."""
    match = _RULE.fullmatch(rule)
    if not match:
        raise Internal(f"invalid device cgroup rule format: '{rule}'")
    numbers = {name: int(text) for name, text in (("major", match[2]), ("minor", match[3])) if text != "*"}
    return {"allow": True, "type": match[1], **numbers, "access": match[4]}


def _gathered(path: str, inside: str) -> list[dict[str, Any]]:
    """The device at `path`, or those in the directory there."""
    failed = f'error gathering device information while adding custom device "{path}": '
    try:
        real = os.path.realpath(path, strict=True)
        info = os.stat(real)
    except OSError as error:
        raise Internal(failed + os.strerror(error.errno or 0).lower()) from None
    if stat.S_ISDIR(info.st_mode):
        found = [node(file, inside + file[len(real) :]) for file in _walk(real)]
    else:
        found = [node(real, inside)]
    known = [device for device in found if device]
    if not known:
        raise Internal(failed + "not a device node")
    return known


def node(path: str, inside: str) -> dict[str, Any] | None:
    """A device node of the host as the runtime makes it; None if it is none."""
    try:
        info = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None  # udev has taken it away meanwhile
    kind = "c" if stat.S_ISCHR(info.st_mode) else "b" if stat.S_ISBLK(info.st_mode) else ""
    if not kind:
        return None
    return {
        "path": inside, "type": kind, "major": os.major(info.st_rdev), "minor": os.minor(info.st_rdev),
        "fileMode": stat.S_IMODE(info.st_mode), "uid": info.st_uid, "gid": info.st_gid,
    }  # fmt: skip


def _every() -> list[dict[str, Any]]:
    """All of the host's, for a privileged container."""
    found = [node(path, path) for path in _walk("/dev") if path != "/dev/console"]
    return [device for device in found if device]


def _walk(top: str) -> list[str]:
    files = []
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        files += [f"{folder}/{name}" for name in sorted(names)]
    return files


BLOCK_FIELDS = (
    "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps",
)  # fmt: skip


def block(host: HostConfig) -> dict[str, list[dict[str, Any]]]:
    """The lists of I/O limits, by field, with the numbers of their block devices as Major and Minor.

    Raises:
        Internal: in Docker's words: there is no such file.
    """
    return {field: _with_numbers(entries) for field in BLOCK_FIELDS if (entries := getattr(host, field))}


def _with_numbers(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for entry in entries:
        try:
            number = os.stat(entry["Path"]).st_rdev
        except OSError as error:
            raise Internal(f"stat {entry['Path']}: {os.strerror(error.errno or 0).lower()}") from None
        found.append({**entry, "Major": os.major(number), "Minor": os.minor(number)})
    return found
