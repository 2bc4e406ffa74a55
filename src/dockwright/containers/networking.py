"""A container's wishes of the network: checked at create, handed to the network manager at start."""

import contextlib
import re
from typing import Any

import msgspec

from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound
from dockwright.base.files import write_atomic
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.grammar.ports import PortError, from_bindings, parse_key
from dockwright.networks import Attachment, NetworkManager, SandboxRequest
from dockwright.networks.files import extra_hosts
from dockwright.networks.network import PREDEFINED
from dockwright.types.container import CreateRequest, HostConfig
from dockwright.types.network import EndpointSettings

JOIN = "container:"
SEVERAL = (1, 44)  # the API from which a container can be created on several networks
TO_NONE = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
TO_HOST = "cannot connect container to host network - container must be created in host network mode"
DISCARDED = "Published ports are discarded when using host network mode"
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_CONFLICT = "conflicting options: "


def check(request: CreateRequest, host: HostConfig, store: Store) -> list[str]:
    """Check what a create request says about networks; answers warnings. A mode container:NAME gets the full id.

    Raises:
        EngineError: in Docker's words.
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
    return [DISCARDED] if mode == "host" and (host.PortBindings or host.PublishAllPorts) else []


def joined(
    request: CreateRequest, host: HostConfig, networks: NetworkManager, version: tuple[int, int]
) -> dict[str, EndpointSettings]:
    """The networks a new container is to join, by name, with what it wants of each: that of its mode is among them.

    A network that does not exist (yet) is one that the start misses.

    Raises:
        InvalidParameter: in Docker's words.
    """
    mode = host.NetworkMode or "bridge"
    given = (request.NetworkingConfig.EndpointsConfig if request.NetworkingConfig else None) or {}
    if len(given) > 1 and version < SEVERAL:
        raise InvalidParameter(f"Container cannot be created with multiple network endpoints: {', '.join(sorted(given))}")
    if mode.startswith(JOIN):
        return {}
    found: dict[str, EndpointSettings] = {}
    for ref, wanted in given.items():
        name = name_of(ref, networks)
        _check_endpoint(name, wanted, networks)
        found[name] = wanted or EndpointSettings()
    main = name_of(mode, networks)
    _check_together(main, [*found])
    found.setdefault(main, EndpointSettings())
    _place_mac(request, found[main])
    host.NetworkMode = main if mode in PREDEFINED else mode
    return found


def name_of(ref: str, networks: NetworkManager) -> str:
    """The name of a network that may not be there."""
    if ref == "default":
        return "bridge"
    with contextlib.suppress(EngineError):
        return networks.resolve(ref).name
    return ref


def _check_endpoint(name: str, wanted: EndpointSettings | None, networks: NetworkManager) -> None:
    if wanted is None:
        raise InvalidParameter(f"invalid config for network {name}: EndpointsConfig is nil")
    try:
        networks.check(name, wanted)
    except InvalidParameter as error:
        raise error.prefixed(f"invalid config for network {name}: ") from None


def _check_together(main: str, names: list[str]) -> None:
    """The mode's network is among those that are named; the host's and none stand alone."""
    if names and main not in names and len(names) == 1 and main != "bridge":
        raise InvalidParameter("HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks")
    alone = [name for name in (main, *names) if name in ("host", "none")]
    if alone and any(name != alone[0] for name in (main, *names)):
        private = alone[0] == "none"
        raise InvalidParameter(TO_NONE if private else TO_HOST)


def _place_mac(request: CreateRequest, main: EndpointSettings) -> None:
    """A container's own MAC address is that of its main network. Raises InvalidParameter if the two differ."""
    if request.MacAddress and main.MacAddress and request.MacAddress.lower() != main.MacAddress.lower():
        raise InvalidParameter(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty"
        )
    main.MacAddress = main.MacAddress or request.MacAddress or ""


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


def wishes(container: Container) -> SandboxRequest:
    """What the network manager must know of `container`."""
    config, host = container.config, container.host
    return SandboxRequest(
        container.id, container.name, config["Hostname"], mode=host.NetworkMode or "bridge", networks=container.networks,
        port_bindings=bindings(host), exposed=list(config.get("ExposedPorts") or ()),
        publish_all=bool(host.PublishAllPorts), extra_hosts=host.ExtraHosts or (),
        dns=host.Dns or (), dns_search=host.DnsSearch or (), dns_options=host.DnsOptions or (),
        domainname=config["Domainname"],
    )  # fmt: skip


def for_start(container: Container, store: Store) -> SandboxRequest:
    """The wishes of a container that is about to start: also the network that it joins.

    Raises:
        Conflict: the container whose network it joins does not run.
    """
    join = _joined(container, store)  # its names are the donor's too, from now on
    request = wishes(container)
    request.join = join
    return request


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
    if not _edited(folder):
        _announce(folder, content)
        write_atomic(f"{folder}/resolv.conf", content, mode=0o644)


def rewrite_resolv_conf(folder: str, content: bytes) -> None:
    """Change resolv.conf while the container runs, in place: it has the file itself. An edited one stays as it is."""
    if not content or _edited(folder):
        return
    _announce(folder, content)
    with open(f"{folder}/resolv.conf", "r+b") as file:
        file.write(content)
        file.truncate()


def _announce(folder: str, content: bytes) -> None:
    """Keep the hash of what resolv.conf will be beside that of what it is: who is killed in between leaves neither as edited."""
    import hashlib

    hashes = [hashlib.sha256(content).hexdigest()]
    if present := _digest(folder):
        hashes.append(present)
    write_atomic(f"{folder}/resolv.conf.hash", "\n".join(hashes).encode(), mode=0o644)


def _edited(folder: str) -> bool:
    """Whether somebody has changed resolv.conf since it was written."""
    try:
        with open(f"{folder}/resolv.conf.hash", encoding="ascii") as kept:
            return _digest(folder) not in ("", *kept.read().split())
    except FileNotFoundError:
        return False


def _digest(folder: str) -> str:
    """The hash of resolv.conf as it is, "" without one."""
    import hashlib

    try:
        with open(f"{folder}/resolv.conf", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return ""


def add_lines(path: str, lines: str) -> None:
    """Add lines to a hosts file, in place: the container has the file itself, and perhaps lines of its own in it."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(lines)


def remove_lines(path: str, lines: str) -> None:
    """Take lines out of a hosts file, in place; other lines stay."""
    gone = lines.splitlines(keepends=True)
    with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        kept = [line for line in file.readlines() if line not in gone]
        file.seek(0)
        file.truncate()
        file.writelines(kept)


def replace_line(path: str, names: str, line: str) -> None:
    """Put `line` in place of that of the same names in a hosts file, or at its end."""
    with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        kept = [each for each in file.readlines() if each.partition("\t")[2].rstrip("\n") != names]
        file.seek(0)
        file.truncate()
        file.writelines([*kept, line])
