"""The bridge driver: one bridge link on the host, one veth pair per endpoint (made by the shim, from the plan)."""

import errno
import logging
import os
from ipaddress import IPv4Interface
from typing import Any

from dockwright.base.errors import Internal
from dockwright.kernel import netlink
from dockwright.networks.drivers.plain import SYSCTLS
from dockwright.networks.network import Endpoint, Network

log = logging.getLogger("dockwright.networks")

BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"


class BridgeDriver:
    """Bridges of the network namespace this process is in."""

    def plan(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """One interface, eth0, with the endpoint's address and the bridge as gateway.

        arp_notify makes the kernel announce the address when the link comes up, so that the bridge and its neighbours
        find an address that another container had a moment ago. IPv6 is off on an interface without an IPv6 address.
        """
        assert network.pool is not None
        interface: dict[str, Any] = {
            "name": "eth0",
            "host": endpoint.host,
            "bridge": network.link,
            "mac": endpoint.mac,
            "mtu": network.mtu,
            "hairpin": bool(endpoint.bindings),
            "addresses": [f"{endpoint.address}/{network.pool.subnet.prefixlen}"],
            "sysctls": {"net.ipv6.conf.eth0.disable_ipv6": "1", "net.ipv4.conf.eth0.arp_notify": "1"},
        }
        if not os.path.exists("/proc/sys/net/ipv6"):
            del interface["sysctls"]["net.ipv6.conf.eth0.disable_ipv6"]
        routes = [{"to": "default", "via": network.gateway}] if network.gateway else []
        return {"kind": "private", "interfaces": [interface], "routes": routes, "sysctls": dict(SYSCTLS)}

    def remove(self, network: Network) -> None:
        """Delete the bridge; one that is already gone is no error. Raises OSError."""
        with netlink.Netlink() as link:
            try:
                link.batch([netlink.link_delete(link.index(network.link))])
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise


def make(link: netlink.Netlink, name: str, address: IPv4Interface, mtu: int, mark: str) -> None:
    """Make the bridge `name` with an address, up, marked as ours; or bring an existing one of ours to that state.

    Raises:
        Internal: naming what the kernel refused; a bridge made here is removed again.
    """
    made = netlink.link(link, name) is None
    try:
        if made:
            link.batch([netlink.bridge(name, mtu, _mac(address))])
        index = link.index(name)
        if os.path.exists(f"/proc/sys/net/ipv6/conf/{name}/accept_ra"):
            netlink.write_sysctl(f"/proc/sys/net/ipv6/conf/{name}/accept_ra", "0")
        present = [text for number, text in netlink.addresses(link) if number == index and ":" not in text]
        messages = [netlink.address_delete(index, text) for text in present if text != str(address)]
        messages += [] if str(address) in present else [netlink.address_add(index, str(address))]
        link.batch([*messages, netlink.link_alias(index, mark), netlink.link_mtu(index, mtu), netlink.link_up(index)])
    except OSError as error:
        if made and netlink.link(link, name) is not None:
            link.batch([netlink.link_delete(link.index(name))])
        raise Internal(f"failed to set up bridge {name}: {error.strerror}") from None


def _mac(address: IPv4Interface) -> str:
    """A MAC address that stays the same when ports come and go, and when the bridge is made again."""
    return "02:42:" + address.ip.packed.hex(":")


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
