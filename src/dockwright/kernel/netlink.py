"""Routing netlink, spoken synchronously: links, addresses and routes (rtnetlink(7), netlink(7), linux/if_link.h).

Messages are plain bytes made by pure functions; `Netlink` sends several of them in one datagram and reads the answers.
A netlink socket belongs for ever to the network namespace its thread was in when it was opened: the shim opens one
outside, makes its namespace, opens one inside, and needs no setns(2) between the two.

This module is imported by the zygote and forked with every shim: it imports only `_socket`, `_struct`, `os` and `errno`.
"""

from __future__ import annotations

import _socket
import errno
import os
from _struct import Struct, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

# linux/netlink.h
NETLINK_ROUTE = 0
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED = 0x8000
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 10, 11, 12

# linux/rtnetlink.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RT_TABLE_MAIN, RTPROT_BOOT, RTN_UNICAST = 254, 3, 1
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15

# linux/if_link.h, linux/if_addr.h, linux/veth.h
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_IFALIAS, IFLA_NET_NS_FD, IFLA_INFO_KIND, IFLA_INFO_DATA = 20, 28, 1, 2
IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_MODE = 4, 5, 4
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS = 1, 2, 4, 8
IFA_F_NODAD = 2
LOOPBACK = 1  # the index of lo in every namespace

_HEADER = Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK = Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = Struct("=BBBBBBBBI")  # rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_ATTRIBUTE = Struct("=HH")


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute (nlattr), padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute that holds a 32-bit number of the host's byte order."""
    return attribute(kind, value.to_bytes(4, "little" if LITTLE else "big"))


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a NUL-terminated string."""
    return attribute(kind, value.encode() + b"\0")


LITTLE = Struct("=H").pack(1) == b"\1\0"


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in `data`, by kind (the last of a kind wins)."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += length + (-length % 4)
    return found


def mac_bytes(mac: str) -> bytes:
    """The six bytes of `02:42:ac:11:00:02`. Raises ValueError for anything else."""
    data = bytes.fromhex(mac.replace(":", "").replace("-", ""))
    if len(data) != 6:
        raise ValueError(f"invalid MAC address: {mac}")
    return data


def ip_bytes(address: str) -> tuple[int, bytes]:
    """The family and the packed bytes of an IPv4 or IPv6 address. Raises OSError for anything else."""
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    return family, _socket.inet_pton(family, address)


class Netlink:
    """A routing netlink socket of the network namespace its opener is in. Use as a context manager, or `close` it."""

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._sequence = 0
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            self._socket.bind((0, 0))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def batch(self, messages: Sequence[tuple[int, int, bytes]]) -> None:
        """Send `messages` (type, flags, payload) in one datagram; the kernel performs them in order, whatever fails.

        Raises:
            OSError: the first error, with the kernel's own explanation where it gives one.
        """
        first = self._sequence + 1
        self._send([(kind, flags | NLM_F_ACK, payload) for kind, flags, payload in messages])
        failure = None
        pending = len(messages)
        while pending:
            for kind, flags, sequence, payload in self._receive():
                if kind == NLMSG_ERROR and sequence >= first:
                    pending -= 1
                    failure = failure or _failure(flags, payload)
        if failure is not None:
            raise failure

    def ask(self, kind: int, payload: bytes, dump: bool = False) -> list[bytes]:
        """Send one question and collect the payloads of its answers (one, or all of a dump).

        Raises:
            OSError: what the kernel answered instead.
        """
        self._send([(kind, NLM_F_DUMP if dump else 0, payload)])
        answers: list[bytes] = []
        while True:
            for answer, flags, sequence, data in self._receive():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_ERROR and (failure := _failure(flags, data)) is not None:
                    raise failure
                if answer in (NLMSG_DONE, NLMSG_ERROR):
                    return answers
                answers.append(data)
            if answers and not dump:
                return answers

    def _send(self, messages: Iterable[tuple[int, int, bytes]]) -> None:
        datagram = bytearray()
        for kind, flags, payload in messages:
            self._sequence += 1
            datagram += _HEADER.pack(16 + len(payload), kind, flags | NLM_F_REQUEST, self._sequence, 0) + payload
        self._socket.send(datagram)

    def _receive(self) -> Iterable[tuple[int, int, int, bytes]]:
        """The messages of one datagram: (type, flags, sequence, payload)."""
        data = self._socket.recv(65536)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, flags, sequence, data[offset + 16 : offset + length]
            offset += length + (-length % 4)

    def index(self, name: str) -> int:
        """The index of the link called `name`. Raises OSError ENODEV, naming it."""
        try:
            answer = self.ask(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))[0]
        except OSError as error:
            raise OSError(error.errno, f"link {name}: {os.strerror(error.errno or 0)}") from None
        return int(_LINK.unpack_from(answer)[2])


def _failure(flags: int, payload: bytes) -> OSError | None:
    """The error in an NLMSG_ERROR payload, None for a plain acknowledgement."""
    code = -unpack_from("=i", payload)[0]
    if not code:
        return None
    explanation = os.strerror(code)
    if flags & NLM_F_ACK_TLVS and flags & NLM_F_CAPPED and (words := attributes(payload[20:]).get(NLMSGERR_ATTR_MSG)):
        explanation += f" ({words.rstrip(bytes(1)).decode(errors='replace')})"
    return OSError(code, explanation)


# Messages: each function answers (type, flags, payload) for `Netlink.batch`.

Message = tuple[int, int, bytes]


def link_info(kind: str, data: bytes = b"") -> bytes:
    """The attribute that says what kind of link is to be made, and what only that kind knows."""
    inner = attribute(IFLA_INFO_DATA | NLA_F_NESTED, data) if data else b""
    return attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, kind.encode()) + inner)


def new_link(name: str, info: bytes, netns_fd: int = -1, parent: int = 0, mtu: int = 0, mac: str = "") -> Message:
    """Make a link of a kind (`link_info`), down.

    Args:
        netns_fd: descriptor of the namespace it is to be in; -1 for this one.
        parent: index of the link here that it stands on; 0 for none.
        mtu: bytes, 0 for the kernel's default. mac: "" lets the kernel choose.
    """
    payload = _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name) + info
    payload += number(IFLA_LINK, parent) if parent else b""
    payload += number(IFLA_NET_NS_FD, netns_fd) if netns_fd >= 0 else b""
    payload += number(IFLA_MTU, mtu) if mtu else b""
    payload += attribute(IFLA_ADDRESS, mac_bytes(mac)) if mac else b""
    return RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload


def veth(host: str, master: int, peer: str, netns_fd: int, mac: str = "", mtu: int = 0) -> Message:
    """Make a veth pair: end `host` here, up, in the bridge of index `master`; end `peer` in the namespace `netns_fd`, down.

    One message does it all. Moving the peer afterwards would wait for an RCU grace period, 30 ms instead of 0.7.
    Only the peer's IFF_UP cannot come with it: the kernel opens the peer before it has its other end (ENOTCONN).

    Args:
        host, peer: names of the two ends, at most 15 bytes.
        master: index of the bridge here; 0 for none.
        netns_fd: descriptor of the other network namespace.
        mac: of the peer; "" lets the kernel choose.
        mtu: of both ends, bytes; 0 for the kernel's default.
    """
    both = number(IFLA_MTU, mtu) if mtu else b""
    other = _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, peer) + number(IFLA_NET_NS_FD, netns_fd) + both
    if mac:
        other += attribute(IFLA_ADDRESS, mac_bytes(mac))
    info = link_info("veth", attribute(VETH_INFO_PEER | NLA_F_NESTED, other))
    payload = _LINK.pack(0, 0, 0, IFF_UP, IFF_UP) + text(IFLA_IFNAME, host) + both + info
    return RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload + (number(IFLA_MASTER, master) if master else b"")


def bridge(name: str, mtu: int = 0, mac: str = "") -> Message:
    """Make a bridge, down. With a fixed MAC the bridge does not change its own whenever a port comes or goes."""
    payload = _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name)
    payload += number(IFLA_MTU, mtu) if mtu else b""
    payload += attribute(IFLA_ADDRESS, mac_bytes(mac)) if mac else b""
    return RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload + link_info("bridge")


def port_hairpin(name: str) -> Message:
    """Let the bridge port `name` send frames back to where they came from (linux/if_link.h, IFLA_BRPORT_MODE).

    With br_netfilter a packet to one's own published port is rewritten inside the bridge and would be dropped there.
    """
    slave = attribute(IFLA_INFO_SLAVE_KIND, b"bridge")
    slave += attribute(IFLA_INFO_SLAVE_DATA | NLA_F_NESTED, attribute(IFLA_BRPORT_MODE, b"\1"))
    payload = _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name)
    return RTM_NEWLINK, 0, payload + attribute(IFLA_LINKINFO | NLA_F_NESTED, slave)


def link_up(index: int) -> Message:
    """Set the link `index` up."""
    return RTM_NEWLINK, 0, _LINK.pack(0, 0, index, IFF_UP, IFF_UP)


def link_alias(index: int, alias: str) -> Message:
    """Write a free text beside the link `index` (`ip link` shows it as alias)."""
    return RTM_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + attribute(IFLA_IFALIAS, alias.encode())


def link_mtu(index: int, mtu: int) -> Message:
    """Set the largest packet of the link `index`, bytes."""
    return RTM_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + number(IFLA_MTU, mtu)


def link_master(index: int, master: int) -> Message:
    """Put the link `index` into the bridge of index `master`."""
    return RTM_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + number(IFLA_MASTER, master)


def link_delete(index: int) -> Message:
    """Delete the link `index`. Slow for a veth (20 ms): let those die with their namespace."""
    return RTM_DELLINK, 0, _LINK.pack(0, 0, index, 0, 0)


def address_add(index: int, address: str) -> Message:
    """Give the link `index` an address such as "172.17.0.2/16", with the subnet's broadcast address for IPv4."""
    return RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _address(index, address)


def address_delete(index: int, address: str) -> Message:
    """Take an address such as "172.17.0.2/16" from the link `index`."""
    return RTM_DELADDR, 0, _address(index, address)


def _address(index: int, address: str) -> bytes:
    host, _, length = address.partition("/")
    family, packed = ip_bytes(host)
    prefix = int(length or 8 * len(packed))
    six = family == _socket.AF_INET6
    payload = _ADDRESS.pack(family, prefix, 0, RT_SCOPE_UNIVERSE, index)
    payload += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    if six:
        return payload + number(IFA_FLAGS, IFA_F_NODAD)
    if prefix < 31:
        hosts = (1 << (32 - prefix)) - 1
        payload += attribute(IFA_BROADCAST, (int.from_bytes(packed, "big") | hosts).to_bytes(4, "big"))
    return payload


def route_add(to: str, via: str = "", index: int = 0, replace: bool = False, six: bool = False) -> Message:
    """Add a route to the main table.

    Args:
        to: "default" or a subnet such as "10.0.0.0/8".
        via: the gateway; "" for a subnet that is on the link itself.
        index: the link; 0 lets the kernel find it from the gateway.
        replace: in place of another one to the same destination.
        six: a default route without a gateway is IPv6's.
    """
    family, gateway = ip_bytes(via) if via else (_socket.AF_INET6 if six or ":" in to else _socket.AF_INET, b"")
    length, destination = 0, b""
    if to not in ("default", ""):
        host, _, bits = to.partition("/")
        family, destination = ip_bytes(host)
        length = int(bits or 8 * len(destination))
    scope = RT_SCOPE_UNIVERSE if via or family == _socket.AF_INET6 else RT_SCOPE_LINK
    payload = _ROUTE.pack(family, length, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST, 0)
    payload += attribute(RTA_DST, destination) if destination else b""
    payload += attribute(RTA_GATEWAY, gateway) if gateway else b""
    flags = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
    return RTM_NEWROUTE, flags, payload + (number(RTA_OIF, index) if index else b"")


# Questions: what the namespace has now, as plain data.


def links(netlink: Netlink) -> list[dict[str, Any]]:
    """All links: index, name, flags, kind ("bridge", "veth", ...; "" for hardware), alias, parent, master, mtu, mac."""
    return [_link(data) for data in netlink.ask(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0), dump=True)]


def link(netlink: Netlink, name: str) -> dict[str, Any] | None:
    """The link called `name` as `links` describes it, None if there is none."""
    try:
        return _link(netlink.ask(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))[0])
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise


def _link(data: bytes) -> dict[str, Any]:
    _, _, index, flags, _ = _LINK.unpack_from(data)
    found = attributes(data[16:])
    return {
        "index": index,
        "name": _string(found.get(IFLA_IFNAME)),
        "flags": flags,
        "kind": _string(attributes(found.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND)),
        "alias": _string(found.get(IFLA_IFALIAS)),
        "parent": _integer(found.get(IFLA_LINK)),
        "master": _integer(found.get(IFLA_MASTER)),
        "mtu": _integer(found.get(IFLA_MTU)),
        "mac": found.get(IFLA_ADDRESS, b"").hex(":"),
    }


def addresses(netlink: Netlink) -> list[tuple[int, str]]:
    """All addresses as (link index, "172.17.0.1/16")."""
    found = []
    for data in netlink.ask(RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), dump=True):
        family, length, _, _, index = _ADDRESS.unpack_from(data)
        given = attributes(data[8:])
        packed = given.get(IFA_LOCAL) or given.get(IFA_ADDRESS)
        if packed and family in (_socket.AF_INET, _socket.AF_INET6):
            found.append((index, f"{_socket.inet_ntop(family, packed)}/{length}"))
    return found


def routes(netlink: Netlink) -> list[dict[str, Any]]:
    """The IPv4 and IPv6 routes of the main table: to ("default" or a subnet), via, index, scope (RT_SCOPE_...)."""
    found = []
    for data in netlink.ask(RTM_GETROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0), dump=True):
        family, length, _, _, table, _, scope, kind, _ = _ROUTE.unpack_from(data)
        if table != RT_TABLE_MAIN or kind != RTN_UNICAST or family not in (_socket.AF_INET, _socket.AF_INET6):
            continue
        given = attributes(data[12:])
        to = f"{_socket.inet_ntop(family, given[RTA_DST])}/{length}" if RTA_DST in given else "default"
        via = _socket.inet_ntop(family, given[RTA_GATEWAY]) if RTA_GATEWAY in given else ""
        found.append({"to": to, "via": via, "index": _integer(given.get(RTA_OIF)), "scope": scope, "family": family})
    return found


def _string(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")


def _integer(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "little" if LITTLE else "big")


def write_sysctls(sysctls: Mapping[str, str]) -> None:
    """Write keys such as "net.ipv4.ip_unprivileged_port_start" below /proc/sys; a "/" in a key stands for a "." of a name.

    /proc/sys/net shows the network namespace of the thread that opens it, so the caller must be in the sandbox's.

    Raises:
        OSError: naming the file.
    """
    for key, value in sysctls.items():
        write_sysctl("/proc/sys/" + key.replace(".", "\0").replace("/", ".").replace("\0", "/"), value)


def write_sysctl(path: str, value: str) -> None:
    """Write one value to a file below /proc/sys. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
