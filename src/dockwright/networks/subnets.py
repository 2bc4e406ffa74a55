"""Which subnet a network gets where the user names none: one that nobody on this host uses. Pure but for `occupied`."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Network, ip_address, ip_interface, ip_network

from dockwright.base.errors import InvalidParameter
from dockwright.kernel import netlink
from dockwright.networks.files import host_resolv_conf
from dockwright.networks.ipam import Subnet

WIDEST = {4: 8, 6: 16}  # routes wider than this stand for "everything" (a VPN's two halves of the default route)
SHOWN = 8  # holders that an error names

Pools = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has a subnet. `weak`: only a route leads there; it is avoided as long as something else is free."""

    subnet: Subnet
    who: str
    weak: bool = False


def candidates(pools: Pools) -> Iterator[Subnet]:
    """The subnets the pools offer, lowest first within each. Raises InvalidParameter for a malformed pool."""
    for base, length in pools:
        try:
            yield from ip_network(base).subnets(new_prefix=length)
        except ValueError as error:
            raise InvalidParameter(f"invalid address pool {base}: {error}") from None


def choose(pools: Pools, holders: Iterable[Holder], version: int = 4) -> Subnet:
    """The first subnet of the pools that nobody has; if there is none, one that is only routed elsewhere.

    Raises:
        InvalidParameter: there is none; the text says who holds what.
    """
    of_family = [(base, length) for base, length in pools if ip_network(base).version == version]
    known = [holder for holder in holders if holder.subnet.version == version]
    for against in (known, [holder for holder in known if not holder.weak]):
        if (found := _first(candidates(of_family), against)) is not None:
            return found
    raise InvalidParameter("all predefined address pools have been fully subnetted" + _told(of_family, known))


def _first(offered: Iterable[Subnet], holders: list[Holder]) -> Subnet | None:
    """The first that overlaps nobody's. Those whose size is the offered one's are found by a look-up."""
    exact = {holder.subnet for holder in holders}
    others = [holder.subnet for holder in holders]
    for subnet in offered:
        if subnet not in exact and not any(overlap(subnet, other) for other in others):
            return subnet
    return None


def overlap(one: Subnet, other: Subnet) -> bool:
    """Whether two subnets of one family share an address."""
    return one.version == other.version and (
        int(one.network_address) <= int(other.broadcast_address) and int(other.network_address) <= int(one.broadcast_address)
    )


def _told(pools: Pools, holders: list[Holder]) -> str:
    """Who holds the pools' addresses."""
    bases = [ip_network(base) for base, _ in pools]
    held = [holder for holder in holders if any(overlap(holder.subnet, base) for base in bases)]
    shown = [f"{holder.subnet} is {holder.who}'s" for holder in held[:SHOWN]]
    more = [f"and {len(held) - SHOWN} more"] if len(held) > SHOWN else []
    return f" ({', '.join([*shown, *more])}; --default-address-pool adds others)" if held else ""


def ula(engine: str) -> IPv6Network:
    """The engine's unique local prefix (RFC 4193): a /48 that stays the same for one engine."""
    tail = hashlib.sha256(engine.encode()).digest()[3:8]
    return IPv6Network((int.from_bytes(b"\xfd" + tail + bytes(10), "big"), 48))


def occupied(link: netlink.Netlink, owner: str) -> list[Holder]:
    """What the host has: addresses, routes but the default one, name servers. Links marked as `owner`'s are left out."""
    names = {item["index"]: item["name"] for item in netlink.links(link)}
    own = {item["index"] for item in netlink.links(link) if item["alias"] == owner}
    found = [
        Holder(ip_interface(text).network, f"interface {names.get(index, '?')}")
        for index, text in netlink.addresses(link)
        if index not in own
    ]
    for route in netlink.routes(link):
        if route["index"] in own or route["to"] == "default":
            continue
        subnet = ip_network(route["to"])
        if subnet.prefixlen >= WIDEST[subnet.version]:
            found.append(Holder(subnet, f"the route by {names.get(route['index'], 'nobody')}", weak=bool(route["via"])))
    return found + [Holder(ip_network(server), "a name server") for server in _servers()]


def uplink_mtu(link: netlink.Netlink) -> int:
    """The smallest MTU of the links that default routes leave by, 0 without any: what is larger is lost on the way out."""
    out = {route["index"] for route in netlink.routes(link) if route["to"] == "default"}
    return min((int(item["mtu"]) for item in netlink.links(link) if item["index"] in out), default=0)


def _servers() -> list[str]:
    found = []
    for server in host_resolv_conf().servers:
        try:
            found.append(str(ip_address(server.partition("%")[0])))
        except ValueError:
            continue
    return found


def gateway_of(bip: str) -> IPv4Interface:
    """`--bip` as address and subnet. Raises InvalidParameter."""
    try:
        interface = IPv4Interface(bip)
    except ValueError as error:
        raise InvalidParameter(f"invalid --bip {bip}: {error}") from None
    if interface.network.prefixlen >= 31 or interface.ip in (interface.network[0], interface.network[-1]):
        raise InvalidParameter(f"invalid --bip {bip}: it needs a host address of a subnet")
    return interface
