"""The default bridge: which link it is, which subnet it has (DECISIONS 4)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_network
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.kernel import netlink
from dockwright.networks import subnets
from dockwright.networks.config import NetworkConfig
from dockwright.networks.drivers import bridge
from dockwright.networks.ipam import GATEWAY, Address, Pool, Subnet
from dockwright.networks.subnets import Holder

log = logging.getLogger("dockwright.networks")

NAMES = ("docker0", *(f"dockwright{number}" for number in range(10)))
MTU = 1500
INITIALIZING = 'Error initializing network controller: error creating default "bridge" network: '
Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Choice:
    """The link and the gateway's addresses on it; `adopted`: the user's own bridge, never removed by us. `mtu`: bytes."""

    link: str
    address: IPv4Interface
    adopted: bool = False
    mtu: int = MTU
    address6: IPv6Interface | None = None


def mark(data_root: str) -> str:
    """The interface alias that says whose bridge it is."""
    return f"dockwright {data_root}"


def choose(
    config: NetworkConfig,
    links: Iterable[dict[str, Any]],
    addresses: Iterable[tuple[int, str]],
    occupied: Iterable[Holder],
    owner: str,
) -> Choice:
    """Choose from what the host has now. Pure.

    Args:
        config: the daemon's.
        links, addresses: as kernel.netlink lists them.
        occupied: what the host has, apart from our own bridges, and what our other networks have.
        owner: our mark.

    Raises:
        InvalidParameter: --bridge names a link that is not there or not a bridge; no subnet is free.
    """
    links = list(links)
    present: dict[int, list[IPv4Interface]] = {}
    for index, text in addresses:
        if ":" not in text:
            present.setdefault(index, []).append(IPv4Interface(text))
    if config.bridge:
        return _adopt(config, links, present)
    occupied = list(occupied)
    by_name = {link["name"]: link for link in links}
    name = next((name for name in NAMES if name not in by_name or by_name[name]["alias"] == owner), "")
    if not name:
        raise InvalidParameter(f"no name is free for the default bridge: {', '.join(NAMES)} are all in use")
    if config.bip:
        return Choice(name, subnets.gateway_of(config.bip))
    fixed = ip_network(config.fixed_cidr, strict=False) if config.fixed_cidr else None
    kept = next(iter(present.get(by_name[name]["index"], ())), None) if name in by_name else None
    if kept and (fixed is None or subnets.overlap(kept.network, fixed)):
        return Choice(name, kept)
    return Choice(name, IPv4Interface(_first_host(fixed or subnets.choose(config.bridge_pools, occupied))))


def _adopt(config: NetworkConfig, links: list[dict[str, Any]], present: dict[int, list[IPv4Interface]]) -> Choice:
    found = next((link for link in links if link["name"] == config.bridge), None)
    if found is None:
        raise InvalidParameter(f"bridge device with non default name {config.bridge} must be created manually")
    if found["kind"] != "bridge":
        raise InvalidParameter(f"existing interface {config.bridge} is not a bridge")
    if config.bip:
        return Choice(config.bridge, subnets.gateway_of(config.bip), adopted=True)
    if found["index"] not in present:
        raise InvalidParameter(f"bridge {config.bridge} has no IPv4 address, and --bip gives none")
    return Choice(config.bridge, present[found["index"]][0], adopted=True)


def _first_host(subnet: Subnet) -> str:
    return f"{subnet.network_address + 1}/{subnet.prefixlen}"


def choose6(
    config: NetworkConfig, choice: Choice, present: Iterable[str], occupied: Iterable[Holder]
) -> IPv6Interface | None:  # fmt: skip
    """The bridge's IPv6 address: what --bip6 says, the first of --fixed-cidr-v6, what it has, or the first of a free subnet.

    Args:
        present: IPv6 addresses that the chosen link has.

    Raises:
        InvalidParameter: the user's own bridge has none; no subnet is free; something asks for IPv6 without it.
    """
    if not config.ipv6:
        for name, text in (("bip6", config.bip6), ("default-gateway-v6", config.default_gateway6)):
            if text:
                raise InvalidParameter(f"{INITIALIZING}{name} needs ipv6")
        return None
    fixed = ip_network(config.fixed_cidr6, strict=False) if config.fixed_cidr6 else None
    has = [IPv6Interface(text) for text in present if not text.startswith("fe80")]
    kept = next((each for each in has if fixed is None or subnets.overlap(each.network, fixed)), None)
    if choice.adopted and kept is None:
        raise InvalidParameter(f"bridge {choice.link} has no IPv6 address{f' of {fixed}' if fixed else ''}")
    if config.bip6 or (kept is None and fixed):
        return IPv6Interface(config.bip6 or _first_host(fixed))  # type: ignore[arg-type]
    return kept or IPv6Interface(_first_host(subnets.choose(config.network_pools, occupied, 6)))


def pools(config: NetworkConfig, choice: Choice) -> list[Pool]:
    """The default network's subnets: with --fixed-cidr its containers get addresses of a part, with --default-gateway another
    one leads out.

    Raises:
        InvalidParameter: one of these is not of the bridge's subnet.
    """
    found = [_pool(choice.address, config.fixed_cidr, config.default_gateway)]
    if choice.address6 is not None:
        found.append(_pool(choice.address6, config.fixed_cidr6, config.default_gateway6))
    elif config.fixed_cidr6:  # shown only, as with dockerd
        found.append(Pool(ip_network(config.fixed_cidr6, strict=False)))
    return found


def _pool(own: Interface, fixed: str, gateway: str) -> Pool:
    part = ip_network(fixed, strict=False) if fixed else None
    if part is not None and not part.subnet_of(own.network):  # type: ignore[arg-type]
        raise InvalidParameter(f"{INITIALIZING}invalid ip-range {part}: parent subnet {own.network} doesn't contain ip-range")
    auxiliary: dict[str, Address] = {GATEWAY[own.version]: ip_address(gateway)} if gateway else {}
    for name, address in auxiliary.items():
        if address not in own.network:
            text = f"auxiliary address: ({name}:{address}) must belong to the master pool: {own.network}"
            raise InvalidParameter(INITIALIZING + text)
    return Pool(own.network, own.ip, part, auxiliary)


def set_up(config: NetworkConfig, owner: str, others: Iterable[Holder]) -> Choice:
    """Choose the bridge and make it (or find it) in the kernel.

    Args:
        owner: our mark. others: what our other networks have.

    Raises:
        InvalidParameter: see `choose`.
        Internal: the kernel refused.
    """
    try:
        with netlink.Netlink() as link:
            taken = [*subnets.occupied(link, owner), *others]
            choice = choose(config, netlink.links(link), netlink.addresses(link), taken, owner)
            index = next((each["index"] for each in netlink.links(link) if each["name"] == choice.link), 0)
            six = [text for number, text in netlink.addresses(link) if number == index and ":" in text]
            choice = replace(choice, address6=choose6(config, choice, six, taken))
            pools(config, choice)  # refuses what cannot be before anything is made
            mtu = config.mtu or min(MTU, subnets.uplink_mtu(link) or MTU)
            if not choice.adopted:
                own: list[Interface] = [choice.address, *([choice.address6] if choice.address6 else [])]
                bridge.make(link, choice.link, own, mtu, owner)
    except OSError as error:
        raise Internal(f"failed to set up the default bridge: {error.strerror}") from None
    log.info("default bridge %s has %s%s", choice.link, choice.address, " (the host's own)" if choice.adopted else "")
    return replace(choice, mtu=mtu)
