"""The bridge driver: one bridge link on the host, one veth pair per endpoint (made by the shim, from the plan)."""

import logging
import os
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network
from typing import Any

from dockwright.base.errors import Forbidden, Internal, InvalidParameter
from dockwright.kernel import netlink
from dockwright.networks.drivers import links
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Endpoint, Network
from dockwright.networks.options import endpoint_sysctls
from dockwright.networks.subnets import overlap

log = logging.getLogger("dockwright.networks")
BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
IPV6 = "/proc/sys/net/ipv6"
LINK_LOCAL = IPv6Network("fe80::/64")
Interface = IPv4Interface | IPv6Interface


class BridgeDriver:
    """Bridges of the network namespace this process is in."""

    publishes = veth = own_mac = True
    external = False

    def check(self, network: Network, others: list[Network]) -> None:
        """One subnet of each family, a bridge of its own, subnets that no other bridge has.

        Raises:
            Forbidden, InvalidParameter: in Docker's words.
        """
        settings = network.settings
        if not network.ipv4 and not network.ipv6:
            raise InvalidParameter("IPv4 or IPv6 must be enabled")
        if any(len(network.of_family(version)) > 1 for version in (4, 6)):
            raise Forbidden("bridge driver doesn't support multiple subnets")
        for pool in network.of_family(6):
            if overlap(pool.subnet, LINK_LOCAL):
                raise InvalidParameter(f"'{pool.subnet}' clashes with the Link-Local prefix 'fe80::/64'")
        if "isolated" in (settings.mode4, settings.mode6) and not network.internal:
            raise InvalidParameter("gateway mode 'isolated' can only be used for an internal network")
        network.link = settings.name or f"br-{network.id[:12]}"
        for other in others:
            _check_conflict(network, other)

    def make(self, network: Network, owner: str) -> None:
        """Make the bridge, or take one that is there. Raises Forbidden, Internal: nothing is left then."""
        if not network.settings.icc:
            isolate_ports()
        with netlink.Netlink() as link:
            make(link, network.link, addresses(network), network.mtu, owner)

    def interface(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """A veth pair into the bridge."""
        held = [*map(network.with_length, endpoint.addresses), *map(link_local, endpoint.link_local)]
        return {
            "name": endpoint.interface, "host": endpoint.host, "bridge": network.link, "mac": endpoint.mac, "mtu": network.mtu,
            "hairpin": bool(endpoint.bindings), "addresses": held, "sysctls": sysctls(network, endpoint, held),
        }  # fmt: skip

    def rejoin(self, network: Network, endpoint: Endpoint) -> None:
        """The bridge may have been made anew. Raises OSError."""
        with netlink.Netlink() as link:
            end, bridge = netlink.link(link, endpoint.host), netlink.link(link, network.link)
            if end and bridge and end["master"] != bridge["index"]:
                link.batch([netlink.link_master(end["index"], bridge["index"]), netlink.link_up(end["index"])])

    def retire(self, network: Network, owner: str) -> None:
        """The bridge has no addresses any more, nothing is routed to it. What the kernel refuses, `remove` meets again."""
        with netlink.Netlink() as link:
            found = netlink.link(link, network.link)
            if found is None or found["alias"] != owner:
                return
            try:
                link.batch([netlink.address_delete(found["index"], str(address)) for address in addresses(network)])
            except OSError as error:
                log.debug("addresses of %s: %s", network.link, error.strerror)

    def remove(self, network: Network, owner: str) -> None:
        """Delete the bridge if it is ours; one that is already gone is no error. Raises OSError."""
        links.delete(network.link, owner, unmarked=network.link == f"br-{network.id[:12]}")


def _key(name: str) -> str:
    """An interface's name in the key of a sysctl (sysctl.d(5))."""
    return name.replace(".", "/")


def sysctls(network: Network, endpoint: Endpoint, held: list[str]) -> dict[str, str]:
    """What is set for an interface with the addresses `held`.

    arp_notify makes the kernel announce the address when the link comes up, so that the bridge and its neighbours
    find an address that another container had a moment ago. IPv6 is off on an interface without an IPv6 address.
    """
    name = endpoint.interface
    found = {f"net.ipv4.conf.{_key(name)}.arp_notify": str(min(1, network.settings.notices))}
    if os.path.exists(IPV6):
        found[f"net.ipv6.conf.{_key(name)}.disable_ipv6"] = "0" if any(":" in address for address in held) else "1"
    return {**found, **(endpoint_sysctls(endpoint.options, name) if endpoint.options else {})}


def link_local(address: str) -> str:
    """An address that is on the link only, with its prefix length (RFC 3927, RFC 4291)."""
    return f"{address}/{64 if ':' in address else 16}"


def _check_conflict(network: Network, other: Network) -> None:
    """Raises Forbidden if two networks want one bridge, or addresses of each other's."""
    if other.driver != "bridge" or other.config_only or other.id == network.id:
        return
    head = f"cannot create network {network.id} ({network.link}): conflicts with network {other.id} ({other.link}): networks have"
    if other.link == network.link:
        raise Forbidden(f"{head} same bridge name")
    for one in network.used_pools:
        if any(overlap(one.subnet, two.subnet) for two in other.used_pools):
            raise Forbidden(f"{head} overlapping IPv{one.version}")


def addresses(network: Network) -> list[Interface]:
    """What the bridge itself has: the gateway of each family, as far as the options do not say otherwise."""
    settings, found = network.settings, []
    for pool, mode in ((pool, settings.mode4 if pool.version == 4 else settings.mode6) for pool in network.used_pools):
        if pool.gateway is not None and mode != "isolated" and not (settings.inhibit and pool.version == 4):
            found.append(_interface(pool))
    return found


def _interface(pool: Pool) -> Interface:
    pair = (int(pool.gateway or 0), pool.subnet.prefixlen)
    return IPv4Interface(pair) if pool.version == 4 else IPv6Interface(pair)


def make(link: netlink.Netlink, name: str, wanted: list[Interface], mtu: int, mark: str) -> None:
    """Make the bridge `name` with its addresses, up, marked as ours; bring an existing one of ours to that state.

    A bridge of somebody else's is used as it is: it gets the addresses it lacks, and keeps its own, its MTU and its alias.

    Raises:
        Forbidden: a link of that name is no bridge.
        Internal: naming what the kernel refused; a bridge made here is removed again.
    """
    before = netlink.link(link, name)
    if before is not None and before["kind"] != "bridge":
        raise Forbidden(f"existing interface {name} is not a bridge")
    try:
        if before is None:
            link.batch([netlink.bridge(name, mtu, _mac(wanted))])
        _complete(link, name, wanted, mtu, mark if before is None or before["alias"] == mark else "")
    except OSError as error:
        if before is None and netlink.link(link, name) is not None:
            link.batch([netlink.link_delete(link.index(name))])
        raise Internal(f"failed to set up bridge {name}: {error.strerror}") from None


def _complete(link: netlink.Netlink, name: str, wanted: list[Interface], mtu: int, mark: str) -> None:
    """Addresses, mark, MTU, up. Raises OSError."""
    index = link.index(name)
    folder = f"{IPV6}/conf/{name}"
    if os.path.exists(folder):
        netlink.write_sysctl(f"{folder}/accept_ra", "0")
        if any(address.version == 6 for address in wanted):
            netlink.write_sysctl(f"{folder}/disable_ipv6", "0")
    has = {text for number, text in netlink.addresses(link) if number == index and not text.startswith("fe80")}
    shall = {str(address) for address in wanted}
    messages = [netlink.address_delete(index, text) for text in sorted(has - shall)] if mark else []
    messages += [netlink.address_add(index, text) for text in sorted(shall - has)]
    messages += [netlink.link_alias(index, mark), netlink.link_mtu(index, mtu)] if mark else []
    link.batch([*messages, netlink.link_up(index)])


def _mac(wanted: list[Interface]) -> str:
    """A MAC address that stays the same when ports come and go, and when the bridge is made again."""
    tail = wanted[0].packed[-4:] if wanted else os.urandom(4)
    return "02:42:" + tail.hex(":")


def isolate_ports() -> None:
    """Let the forward chain see packets between ports of one bridge, which icc=false needs (br_netfilter).

    Raises:
        Internal: the kernel has no br_netfilter (Docker's text).
    """
    try:
        netlink.write_sysctl(BRIDGE_NETFILTER, "1")
    except OSError as error:
        raise Internal(
            "cannot restrict inter-container communication or run without the userland proxy: "
            f"{BRIDGE_NETFILTER}: {error.strerror}"
        ) from None
