"""The options of networks and endpoints (`-o com.docker.network...`), checked and typed. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from dockwright.base.errors import InvalidParameter

PREFIX = "com.docker.network."
TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
MODES = ("nat", "routed", "nat-unprotected", "isolated")
LONGEST_NAME = 15  # IFNAMSIZ less the final zero (linux/if.h)
SYSCTL = re.compile(r"net\.(ipv4|ipv6|mpls)\.[a-z]+\.(ifname)\.([a-zA-Z0-9_]+)=(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """What the options of a network say.

    Attributes:
        name: of the bridge, "" for one made from the id.
        icc, masquerade, inhibit: containers may talk to each other; what leaves is masqueraded; the bridge has no address.
        host_binding: where ports are published that name no address, "" for the daemon's default.
        mode4, mode6: nat, routed, nat-unprotected, isolated.
        trusted: interfaces by which the containers' own addresses may be reached.
        mtu: bytes, 0 for the default. prefix: of interface names inside.
        source4, source6: what leaves has this address instead of that of the interface it leaves by.
        notices, notice_every: how often an address is announced (without the option once, by the kernel), and how many
            milliseconds apart.
        parent, macvlan_mode, ipvlan_mode, ipvlan_flag: of macvlan and ipvlan.
    """

    name: str = ""
    icc: bool = True
    masquerade: bool = True
    inhibit: bool = False
    host_binding: str = ""
    mode4: str = "nat"
    mode6: str = "nat"
    trusted: tuple[str, ...] = ()
    mtu: int = 0
    prefix: str = "eth"
    source4: str = ""
    source6: str = ""
    notices: int = 1
    notice_every: int = 1000
    parent: str = ""
    macvlan_mode: str = ""
    ipvlan_mode: str = ""
    ipvlan_flag: str = ""


def truth(text: str) -> bool:
    """`text` as strconv.ParseBool reads it. Raises ValueError in its words."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _mtu(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise InvalidParameter(f"invalid MTU number: {text}")
    return int(text)


def _between(first: int, last: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not first <= int(text) <= last:
            raise ValueError(f"must be in the range {first} to {last}")
        return int(text)

    return read


def _mode(text: str) -> str:
    if text not in MODES:
        raise ValueError(f"unknown gateway mode {text}")
    return text


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("nil ip") from None


def _of(kind: type) -> Callable[[str], str]:
    def read(text: str) -> str:
        address = _address(text)
        if not isinstance(ip_address(address), kind):
            raise ValueError("nil ip")
        return address

    return read


def _name(text: str) -> str:
    """An interface name (dev_valid_name in net/core/dev.c)."""
    if text in (".", "..") or len(text.encode()) > LONGEST_NAME or re.search(r"[/:\s]", text):
        raise ValueError("not a valid interface name")
    return text


READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "bridge.name": ("name", _name),
    "bridge.enable_icc": ("icc", truth),
    "bridge.enable_ip_masquerade": ("masquerade", truth),
    "bridge.inhibit_ipv4": ("inhibit", truth),
    "bridge.host_binding_ipv4": ("host_binding", _address),
    "bridge.gateway_mode_ipv4": ("mode4", _mode),
    "bridge.gateway_mode_ipv6": ("mode6", _mode),
    "bridge.trusted_host_interfaces": ("trusted", lambda text: tuple(map(_name, filter(None, text.split(":"))))),
    "driver.mtu": ("mtu", _mtu),
    "container_iface_prefix": ("prefix", _name),
    "host_ipv4": ("source4", _of(IPv4Address)),
    "host_ipv6": ("source6", _of(IPv6Address)),
    "advertise_addr_nmsgs": ("notices", _between(0, 3)),
    "advertise_addr_ms": ("notice_every", _between(100, 2000)),
}
OTHERS = {name: (name, str) for name in ("parent", "macvlan_mode", "ipvlan_mode", "ipvlan_flag")}


def parse(given: Mapping[str, str]) -> NetworkOptions:
    """The options of a network; keys nobody knows are left alone.

    Raises:
        InvalidParameter: a value that cannot be, in Docker's words.
    """
    found: dict[str, Any] = {}
    for label, text in given.items():
        reader = READERS.get(label.removeprefix(PREFIX)) if label.startswith(PREFIX) else OTHERS.get(label)
        if reader is None or (not text and reader[0] in ("name", "prefix", "host_binding")):
            continue
        try:
            found[reader[0]] = reader[1](text)
        except ValueError as error:
            raise InvalidParameter(f"failed to parse {label} value: {text} ({error})") from None
    return NetworkOptions(**found)




def family(given: Mapping[str, str], version: int) -> bool | None:
    """What the option enable_ipv4 or enable_ipv6 says; None if it is not given. Raises InvalidParameter."""
    label = f"{PREFIX}enable_ipv{version}"
    if label not in given:
        return None
    try:
        return truth(given[label])
    except ValueError:
        raise InvalidParameter(f'driver-opt "{given[label]}" is not a valid bool') from None


def interface_name(given: Mapping[str, str]) -> str:
    """The endpoint option endpoint.ifname, "" without. Raises InvalidParameter."""
    text = given.get(PREFIX + "endpoint.ifname", "")
    try:
        return _name(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid interface name {text}: {error}") from None


def endpoint_sysctls(given: Mapping[str, str], interface: str) -> dict[str, str]:
    """The endpoint option endpoint.sysctls: IFNAME stands for the interface's name (lower case too: clients fold it).

    Raises:
        InvalidParameter: in Docker's words.
    """
    found = {}
    for text in filter(None, given.get(PREFIX + "endpoint.sysctls", "").split(",")):
        match = SYSCTL.fullmatch(text.strip())
        if not match:
            raise InvalidParameter(f"unrecognised network interface sysctl '{text}'")
        key, _, value = text.strip().partition("=")
        before, after = key[: match.start(2)], key[match.end(2) :]
        found[f"{before}{interface.replace('.', '/')}{after}"] = value
    return found
