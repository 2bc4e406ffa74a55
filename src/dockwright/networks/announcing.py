"""Telling the neighbours of an address, more often than the kernel does (sysctl arp_notify: once, when the link comes up).

Options advertise_addr_nmsgs and advertise_addr_ms of a network ask for it: gratuitous ARP requests (RFC 5227, section 3)
and unsolicited neighbour advertisements (RFC 4861, section 7.2.6).
"""

import asyncio
import logging
import socket
import struct

from dockwright.base.errors import EngineError
from dockwright.kernel.netlink import mac_bytes
from dockwright.networks import live
from dockwright.networks.network import Endpoint, Network

log = logging.getLogger("dockwright.networks")
ETH_P_ARP, ETH_P_IP, REQUEST = 0x0806, 0x0800, 1
EVERYBODY = b"\xff" * 6
ALL_NODES, ADVERTISEMENT, OVERRIDE, TARGET_ADDRESS = "ff02::1", 136, 0x20000000, 2
MULTICAST_HOPS = 255  # else it is not believed


async def repeat(namespace: str, network: Network, endpoint: Endpoint) -> None:
    """Announce an endpoint's addresses as often as its network's options say, less the kernel's own time."""
    settings = network.settings
    for _ in range(settings.notices - 1):
        await asyncio.sleep(settings.notice_every / 1000)
        if not endpoint.active:
            return
        try:
            await live.inside(namespace, lambda: announce(endpoint))
        except EngineError as error:
            log.debug("announcing %s: %s", endpoint.interface, error.message)
            return


def announce(endpoint: Endpoint) -> None:
    """Announce both addresses once, in the namespace of this thread. Raises OSError."""
    mac = mac_bytes(endpoint.mac)
    if endpoint.address:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((endpoint.interface, ETH_P_ARP))
            sock.send(arp(mac, endpoint.address.packed))
    if endpoint.address6:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
            index = socket.if_nametoindex(endpoint.interface)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, MULTICAST_HOPS)
            sock.bind((str(endpoint.address6), 0, 0, index))
            sock.sendto(advertisement(mac, endpoint.address6.packed), (ALL_NODES, 0, 0, index))


def arp(mac: bytes, address: bytes) -> bytes:
    """A frame that asks everybody for our own address."""
    head = struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, REQUEST)
    return EVERYBODY + mac + struct.pack("!H", ETH_P_ARP) + head + mac + address + bytes(6) + address


def advertisement(mac: bytes, address: bytes) -> bytes:
    """An ICMPv6 message that tells everybody our link-layer address; the kernel fills in the checksum."""
    return struct.pack("!BBHI", ADVERTISEMENT, 0, 0, OVERRIDE) + address + struct.pack("!BB", TARGET_ADDRESS, 1) + mac
