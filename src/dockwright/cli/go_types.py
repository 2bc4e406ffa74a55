"""What JSON does not say of a document and a template shows: which objects are structs in Docker's client, and which nulls
are nil lists or maps.  `{{.Mounts}}` prints `[{volume data /x /y local z true }]`, `{{.Config.Cmd}}` of none prints `[]`.
"""

from __future__ import annotations

from dockwright.grammar.template.values import Nil, NilList, NilMap, Partial, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _struct(fields: str, base: type[Partial] = Struct) -> type[Partial]:
    """A struct of `Name` (a string), `Name:bool` and `Name:int` fields."""
    zero: dict[str, Any] = {"": "", "bool": False, "int": 0, "list": NilList(), "map": NilMap(), "nil": Nil()}
    pairs = [word.partition(":") for word in fields.split()]
    return type("Named", (base,), {"fields": {name: zero[kind] for name, _, kind in pairs}})


STRUCTS = {
    "Mounts": _struct("Type Name Source Destination Driver Mode RW:bool Propagation"),
    "PortBindings": _struct("HostIp HostPort"),
    "Ports": _struct("HostIp HostPort"),
    "RestartPolicy": _struct("Name MaximumRetryCount:int"),
    "LogConfig": _struct("Type Config:map"),
    "State": _struct(
        "Status Running:bool Paused:bool Restarting:bool OOMKilled:bool Dead:bool Pid:int ExitCode:int Error StartedAt "
        "FinishedAt Health:nil"
    ),
    "GraphDriver": _struct("Data:map Name"),
    "RootFS": _struct("Type Layers:list"),
    "IPAM": _struct("Driver Options:map Config:list"),
    "Containers": _struct("Name EndpointID MacAddress IPv4Address IPv6Address"),
    "Ulimits": _struct("Name Hard:int Soft:int"),
    "Devices": _struct("PathOnHost PathInContainer CgroupPermissions"),
}
PARTIALS = {
    "Config": _struct(
        "ExposedPorts:map Healthcheck:nil ArgsEscaped:bool NetworkDisabled:bool MacAddress StopSignal StopTimeout:nil Shell:list",
        Partial,
    ),
    "HostConfig": _struct("Annotations:map StorageOpt:map Tmpfs:map Sysctls:map Mounts:list Init:nil", Partial),
}
MAPS_OF_STRUCTS = ("PortBindings", "Ports", "Containers")
IPAM_CONFIG = _struct("Subnet IPRange Gateway AuxiliaryAddresses:map")
LISTS = frozenset(
    "Args Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeightDevice CapAdd "
    "CapDrop Cmd DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts "
    "GroupAdd Layers Links MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecondaryIPAddresses "
    "SecondaryIPv6Addresses SecurityOpt Shell Ulimits VolumesFrom".split()
)
MAPS = frozenset(
    "Annotations Config DriverOpts ExposedPorts Labels Options PortBindings Ports StorageOpt Sysctls Tmpfs Volumes".split()
)


def typed(document: Any, key: str = "", parent: str = "") -> Any:
    """The document with what we know of its types."""
    if isinstance(document, dict):
        members = sorted(document.items()) if key in MAPS and key not in PARTIALS else document.items()  # as Go writes maps
        made = {name: _member(value, name, key, parent) for name, value in members}
        if key in STRUCTS and (key not in MAPS_OF_STRUCTS or parent in MAPS_OF_STRUCTS):
            return STRUCTS[key](made)
        if (key, parent) == ("Config", "IPAM"):
            return IPAM_CONFIG(made)
        return PARTIALS[key](made) if key in PARTIALS and not parent else made
    if isinstance(document, list):
        return [typed(item, key, parent) for item in document]
    return _nil(key) if document is None else document


def _member(value: Any, name: str, key: str, parent: str) -> Any:
    """A member of an object; those of a map of structs are such structs, whatever their own names are."""
    if key in MAPS_OF_STRUCTS and parent not in MAPS_OF_STRUCTS:
        return [] if value is None else typed(value, key, key)
    return typed(value, name, key)


def _nil(key: str) -> Any:
    return NilList() if key in LISTS else NilMap() if key in MAPS else None
