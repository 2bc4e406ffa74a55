"""What a sandbox's endpoints are and how its namespace looks: names, order, default routes. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from dockwright.base.errors import Internal
from dockwright.base.ids import SHORT
from dockwright.networks import options
from dockwright.networks.drivers.plain import SYSCTLS
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.request import SandboxRequest
from dockwright.types.network import EndpointSettings

Joined = tuple[Network, Endpoint]
Wanted = list[tuple[str, EndpointSettings]]  # networks by name, with what is wanted of each


def order(networks: Mapping[str, EndpointSettings], main: str) -> Wanted:
    """The networks to join, with what is wanted of each: the main one first (it gets eth0), the others by name."""
    return sorted(networks.items(), key=lambda item: (item[0] != main, item[0]))


def dns_names(network: Network, request: SandboxRequest, aliases: Iterable[str]) -> list[str]:
    """The names a container is found by on a network: none on the predefined ones."""
    if network.predefined:
        return []
    found = [request.name, *aliases, request.container[:SHORT], request.hostname]
    return list(dict.fromkeys(name for name in found if name))


def interface_name(network: Network, sandbox: Sandbox, given: dict[str, str]) -> str:
    """The name of a new interface inside: the one asked for, or the network's prefix and the lowest free number.

    Raises:
        Internal: somebody has it (the kernel's words). InvalidParameter: no such name can be.
    """
    taken = {endpoint.interface for endpoint in sandbox}
    chosen = options.interface_name(given)
    if chosen in taken:
        raise Internal(f"error renaming interface to {chosen}: file exists")
    number = 0
    while f"{network.settings.prefix}{number}" in taken:
        number += 1
    return chosen or f"{network.settings.prefix}{number}"


def ordered(joined: Iterable[Joined]) -> list[Joined]:
    """Endpoints as candidates for the default route: by priority, ways out first, those of two families, by name."""

    def rank(pair: Joined) -> tuple[int, bool, int, str]:
        network, endpoint = pair
        ways = [version for version in (4, 6) if way(pair, version)]
        return -endpoint.priority, network.internal, -len(ways), network.name

    return sorted(joined, key=rank)


def way(pair: Joined, version: int) -> dict[str, Any] | None:
    """The default route of a family by way of an endpoint: by a gateway, or by the interface itself; None without one."""
    network, endpoint = pair
    address = endpoint.address if version == 4 else endpoint.address6
    if address is None or network.internal:
        return None
    if network.routed:
        return {"to": "default", "dev": endpoint.interface, "six": version == 6}
    gateway = network.gateway_of(address)
    return {"to": "default", "via": str(gateway)} if gateway is not None else None


def gateway(joined: Iterable[Joined], version: int) -> Joined | None:
    """The endpoint with the default route of a family."""
    return next((pair for pair in ordered(joined) if way(pair, version)), None)


def routes(joined: Iterable[Joined]) -> list[dict[str, Any]]:
    """The default routes, one of each family at most."""
    pairs = ordered(joined)
    found = [next((route for pair in pairs if (route := way(pair, version))), None) for version in (4, 6)]
    return [route for route in found if route]


def sandbox(kind: str, interfaces: list[dict[str, Any]], joined: Iterable[Joined]) -> dict[str, Any]:
    """The plan of a sandbox (docs/architecture.md)."""
    if kind == "host":
        return {"kind": kind}
    if not interfaces:
        return {"kind": "none", "sysctls": dict(SYSCTLS)}
    return {"kind": kind, "interfaces": interfaces, "routes": routes(joined), "sysctls": dict(SYSCTLS)}
