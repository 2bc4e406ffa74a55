"""Devices their vendors describe in files: the Container Device Interface.

A file names a kind (`vendor.com/class`) and its devices; of each it says what a container that gets the device needs beyond a
device node: variables, mounts, hooks, groups. Source: CDI specification 1.0 (SPEC.md of the CNCF's container-device-interface).
"""

import os
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from dockwright.base.errors import Internal

DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
_SUFFIXES = (".json", ".yaml", ".yml")
_VERSIONS = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_KIND = re.compile(rf"(?=.{{1,253}}/){_LABEL}(?:\.{_LABEL})*/[a-zA-Z](?:[a-zA-Z0-9_.-]{{0,61}}[a-zA-Z0-9])?")
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.:-]*[a-zA-Z0-9])?")


class DeviceNode(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A device node; what is not said is as on the host."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: str = ""
    uid: int | None = None
    gid: int | None = None


class Mount(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A mount of something of the host's."""

    host_path: str
    container_path: str
    options: list[str] = []
    type: str = ""


class Hook(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A hook of the OCI specification; `timeout` in seconds."""

    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class Edits(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is changed in a container's OCI spec."""

    env: list[str] = []
    device_nodes: list[DeviceNode] = []
    mounts: list[Mount] = []
    hooks: list[Hook] = []
    additional_gids: list[int] = msgspec.field(default_factory=list, name="additionalGids")


class Device(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One device of a file."""

    name: str
    container_edits: Edits
    annotations: dict[str, str] = {}


class Specification(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One file. `container_edits` go with every device of it."""

    cdi_version: str
    kind: str
    devices: list[Device]
    container_edits: Edits = msgspec.field(default_factory=Edits)
    annotations: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Found:
    """A device, and the file it stands in."""

    device: Device
    file: Specification
    path: str
    rank: int


def edits(names: list[str], directories: tuple[str, ...]) -> list[Edits]:
    """What the devices called `names` (`vendor.com/class=name`) ask for, in order; what a whole file asks for comes once.

    Args:
        directories: of files; of two that describe one device the file in the later directory counts.

    Raises:
        Internal: in Docker's words: a device is not described, or by two files of one directory.
    """
    known, wrong = _read_all(directories)
    missing = [name for name in names if name not in known]
    if missing:
        reasons = "".join(f"\n{path}: {reason}" for path, reason in wrong.items())
        raise Internal(f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}{reasons}")
    found: list[Edits] = []
    seen: set[str] = set()
    for name in names:
        entry = known[name]
        if entry.path not in seen:
            seen.add(entry.path)
            found.append(entry.file.container_edits)
        found.append(entry.device.container_edits)
    return found


def _read_all(directories: tuple[str, ...]) -> tuple[dict[str, _Found], dict[str, str]]:
    """Every device by its full name, and what is wrong with which file."""
    known: dict[str, _Found] = {}
    wrong: dict[str, str] = {}
    for rank, directory in enumerate(directories):
        for path in _files(directory):
            try:
                _add(known, read(path), path, rank)
            except ValueError as error:
                wrong[path] = str(error)
    return known, wrong


def _files(directory: str) -> list[str]:
    try:
        return [f"{directory}/{name}" for name in sorted(os.listdir(directory)) if name.endswith(_SUFFIXES)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _add(known: dict[str, _Found], file: Specification, path: str, rank: int) -> None:
    """Add a file's devices.

    Raises:
        ValueError: a device stands in two files of one directory; neither counts.
    """
    conflicts = []
    for device in file.devices:
        name = f"{file.kind}={device.name}"
        before = known.get(name)
        if before and before.rank == rank:
            conflicts.append(f'conflicting device "{name}" (specs "{before.path}", "{path}")')
            del known[name]
        else:
            known[name] = _Found(device, file, path, rank)
    if conflicts:
        raise ValueError("; ".join(conflicts))


def read(path: str) -> Specification:
    """One file, JSON or YAML.

    Raises:
        ValueError: it cannot be read, or is not what the specification says.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        specification = msgspec.convert(_parsed(text, path), Specification)
    except (OSError, msgspec.MsgspecError) as error:
        raise ValueError(f"failed to read CDI Spec: {error}") from None
    _check(specification)
    return specification


def _parsed(text: bytes, path: str) -> Any:
    """The document as plain objects.

    Raises:
        ValueError: it is neither JSON nor YAML.
    """
    if path.endswith(".json"):
        return msgspec.json.decode(text)
    import yaml  # type: ignore[import-untyped]  # takes 10 ms and 2 MB, and few hosts have such files

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"failed to parse CDI Spec: {error}") from None


def _check(file: Specification) -> None:
    """
    Raises:
        ValueError: a version or name that is not allowed.
    """
    if file.cdi_version not in _VERSIONS:
        raise ValueError(f'invalid CDI Spec: unsupported version "{file.cdi_version}"')
    if not _KIND.fullmatch(file.kind):
        raise ValueError(f'invalid CDI Spec: invalid kind "{file.kind}"')
    if not file.devices:
        raise ValueError("invalid CDI Spec: no devices")
    names = [device.name for device in file.devices]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f'invalid CDI Spec: invalid device name "{name}"')
        if names.count(name) > 1:
            raise ValueError(f'invalid CDI Spec: duplicate device "{name}"')
