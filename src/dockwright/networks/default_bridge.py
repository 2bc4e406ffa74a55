"""The default bridge: which link it is, which subnet it has (DECISIONS 4)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.kernel import netlink
from dockwright.networks import subnets
from dockwright.networks.config import NetworkConfig
from dockwright.networks.drivers import bridge
from dockwright.networks.ipam import Subnet
from dockwright.networks.subnets import Holder

log = logging.getLogger("dockwright.networks")

NAMES = ("docker0", *(f"dockwright{number}" for number in range(10)))
MTU = 1500


@dataclass(frozen=True, slots=True)
class Choice:
    """The link and the gateway's address on it; `adopted`: the user's own bridge, never removed by us. `mtu`: bytes."""

    link: str
    address: IPv4Interface
    adopted: bool = False
    mtu: int = MTU


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
    by_name = {link["name"]: link for link in links}
    name = next((name for name in NAMES if name not in by_name or by_name[name]["alias"] == owner), "")
    if not name:
        raise InvalidParameter(f"no name is free for the default bridge: {', '.join(NAMES)} are all in use")
    if config.bip:
        return Choice(name, subnets.gateway_of(config.bip))
    if name in by_name and (kept := present.get(by_name[name]["index"])):
        return Choice(name, kept[0])
    return Choice(name, _first_host(subnets.choose(config.bridge_pools, occupied)))


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


def _first_host(subnet: Subnet) -> IPv4Interface:
    return IPv4Interface((int(subnet.network_address) + 1, subnet.prefixlen))


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
            mtu = config.mtu or min(MTU, subnets.uplink_mtu(link) or MTU)
            if not choice.adopted:
                bridge.make(link, choice.link, [choice.address], mtu, owner)
    except OSError as error:
        raise Internal(f"failed to set up the default bridge: {error.strerror}") from None
    log.info("default bridge %s has %s%s", choice.link, choice.address, " (the host's own)" if choice.adopted else "")
    return replace(choice, mtu=mtu)
