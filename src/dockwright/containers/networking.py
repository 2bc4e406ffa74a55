"""A container's wishes of the network: checked at create, handed to the network manager at start."""

import contextlib
import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dockwright.base.errors import Conflict, InvalidParameter, NotFound, NotSupported
from dockwright.base.files import write_atomic
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.grammar.ports import PortError, from_bindings, parse_key
from dockwright.networks import Attachment, EndpointRequest
from dockwright.networks.files import extra_hosts
from dockwright.types.container import CreateRequest, HostConfig

JOIN = "container:"
DISCARDED = "Published ports are discarded when using host network mode"
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_CONFLICT = "conflicting options: "


def check(request: CreateRequest, host: HostConfig, store: Store) -> list[str]:
    """Check what a create request says about networks; answers warnings. A mode container:NAME gets the full id.

    Raises:
        InvalidParameter, NotFound, NotSupported: in Docker's words.
    """
    mode = host.NetworkMode or "bridge"
    if mode.startswith(JOIN):
        _check_join(request, host)
        with contextlib.suppress(NotFound):  # the start tells: a client would take a 404 here for a missing image
            host.NetworkMode = JOIN + store.find(mode.removeprefix(JOIN)).id
    elif mode == "host" and request.MacAddress:
        raise InvalidParameter(f"{_CONFLICT}mac-address and the network mode")
    if request.MacAddress and not _MAC.fullmatch(request.MacAddress):
        raise InvalidParameter(f"invalid MAC address: address {request.MacAddress}: invalid MAC address")
    _check_ports(request, host)
    extra_hosts(host.ExtraHosts or (), "0.0.0.0")
    _check_endpoints(request.NetworkingConfig.EndpointsConfig if request.NetworkingConfig else None, mode)
    return [DISCARDED] if mode == "host" and (host.PortBindings or host.PublishAllPorts) else []


def _check_join(request: CreateRequest, host: HostConfig) -> None:
    assert host.NetworkMode
    if not host.NetworkMode.removeprefix(JOIN):
        raise InvalidParameter("invalid network mode: invalid container format container:<name|id>")
    for given, what in (
        (request.Hostname, "hostname and the network mode"),
        (host.Dns, "dns and the network mode"),
        (host.ExtraHosts, "custom host-to-IP mapping and the network mode"),
        (request.MacAddress, "mac-address and the network mode"),
        (host.PortBindings or host.PublishAllPorts, "port publishing and the container type network mode"),
        (request.ExposedPorts, "port exposing and the container type network mode"),
    ):
        if given:
            raise InvalidParameter(_CONFLICT + what)


def _check_ports(request: CreateRequest, host: HostConfig) -> None:
    try:
        from_bindings(bindings(host))
        for key in request.ExposedPorts or ():
            parse_key(key)
    except PortError as error:
        raise InvalidParameter(str(error)) from None


def bindings(host: HostConfig) -> dict[str, Any]:
    """PortBindings as plain data."""
    plain: dict[str, Any] = msgspec.to_builtins(host.PortBindings or {})
    return plain


def _check_endpoints(endpoints: Mapping[str, Any] | None, mode: str) -> None:
    """On the default bridge an endpoint has no wishes of its own but a MAC address."""
    for given_name, given in (endpoints or {}).items():
        name = "bridge" if given_name == "default" else given_name
        if given is None:
            raise InvalidParameter(f"invalid config for network {name}: EndpointsConfig is nil")
        if any(value for key, value in (given.get("IPAMConfig") or {}).items()):
            raise InvalidParameter(
                f"invalid config for network {name}: invalid endpoint settings:\n"
                "user-specified IP address is supported on user-defined networks only"
            )
        if given.get("Aliases"):
            raise InvalidParameter(
                f"invalid config for network {name}: invalid endpoint settings:\n"
                "network-scoped aliases are only supported for user-defined networks"
            )
        for key in ("Links", "DriverOpts"):
            if given.get(key):
                raise NotSupported(f"{key} of an endpoint are not implemented yet")
        if name not in (mode, "default", "bridge"):
            raise NotSupported("user-defined networks are not implemented yet")


def endpoint_mac(request: CreateRequest) -> str:
    """The MAC address asked for, the container's own or that of its only endpoint."""
    endpoints = (request.NetworkingConfig.EndpointsConfig if request.NetworkingConfig else None) or {}
    return request.MacAddress or next((str(e["MacAddress"]) for e in endpoints.values() if e and e.get("MacAddress")), "")


def wishes(container: Container, store: Store) -> EndpointRequest:
    """What the network manager must know to connect `container`.

    Raises:
        Conflict: the container whose network it joins does not run.
    """
    config, host = container.config, container.host
    return EndpointRequest(
        mode=host.NetworkMode or "bridge", port_bindings=bindings(host), exposed=list(config.get("ExposedPorts") or ()),
        publish_all=bool(host.PublishAllPorts), mac=config.get("MacAddress") or "", extra_hosts=host.ExtraHosts or (),
        dns=host.Dns or (), dns_search=host.DnsSearch or (), dns_options=host.DnsOptions or (),
        domainname=config["Domainname"], join=_joined(container, store),
    )  # fmt: skip


def _joined(container: Container, store: Store) -> str:
    """The network namespace to join, "" for one of its own. Its names are the donor's too."""
    mode = container.host.NetworkMode or ""
    if not mode.startswith(JOIN):
        return ""
    donor = store.find(mode.removeprefix(JOIN))
    if donor is container:
        raise InvalidParameter("cannot join own network namespace")
    if not donor.state.running:
        raise Conflict(
            f"cannot join network namespace of a non running container: container {donor.name} is {donor.state.status}"
        )
    container.config.update(Hostname=donor.config["Hostname"], Domainname=donor.config["Domainname"])
    return f"/proc/{donor.state.pid}/ns/net"


def files(folder: str, donor: str, hostname: str, attachment: Attachment) -> dict[str, str]:
    """Write hosts, hostname and resolv.conf; answers which file each comes from.

    Args:
        folder: of the container. donor: of the container whose network is joined, whose files are shared then.
    """
    names = ("resolv.conf", "hostname", "hosts")
    if attachment.sandbox["kind"] == "join":
        return {name: f"{donor}/{name}" for name in names}
    for name, text in (("hostname", f"{hostname}\n"), ("hosts", attachment.hosts)):
        write_atomic(f"{folder}/{name}", text.encode(), mode=0o644)
    write_resolv_conf(folder, attachment.resolv_conf.encode())
    return {name: f"{folder}/{name}" for name in names}


def write_resolv_conf(folder: str, content: bytes) -> None:
    """Write resolv.conf anew at each start, unless somebody has edited it since (the hash beside it tells)."""
    import hashlib

    path, mark = f"{folder}/resolv.conf", f"{folder}/resolv.conf.hash"
    if os.path.exists(path) and os.path.exists(mark):
        with open(path, "rb") as file, open(mark, encoding="ascii") as kept:
            if hashlib.sha256(file.read()).hexdigest() != kept.read():
                return
    write_atomic(path, content, mode=0o644)
    write_atomic(mark, hashlib.sha256(content).hexdigest().encode(), mode=0o644)
