"""The text of our nftables table. Pure: `nft -f` (or libnftables) takes it as one transaction.

Published ports are elements of maps, so a packet's way does not grow with their number, nor does a change. Nothing here
accepts for anybody else: `accept` ends only our own chain, `drop` is final and only for packets into our bridges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from dockwright.networks.publish import ANY4, Binding

Published = tuple[Binding, str]  # a binding and the container's address


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the firewall must know of one bridge: its name, its subnet, whether its containers may talk, masquerading."""

    link: str
    subnet: IPv4Network
    icc: bool = True
    masquerade: bool = True


def table(name: str, bridges: Iterable[BridgeRules], published: Iterable[Published]) -> str:
    """The whole table, replacing whatever there is of it."""
    bridges = list(bridges)
    sets = "".join(_set(kind, entries) for kind, entries in _elements(published).items())
    links = ", ".join(f'"{bridge.link}"' for bridge in bridges)
    talking = ", ".join(f'"{bridge.link}" . "{bridge.link}"' for bridge in bridges if bridge.icc)
    return f"""table ip {name}
delete table ip {name}
table ip {name} {{
{sets}	set bridges {{
		type ifname
		{_initial(links)}
	}}
	set talking {{
		type ifname . ifname
		{_initial(talking)}
	}}
	chain raw-prerouting {{
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" meta l4proto . ip daddr . th dport @loopback drop comment "published on loopback only"
	}}
	chain nat-prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local jump published-ports
	}}
	chain nat-output {{
		type nat hook output priority -100; policy accept;
		fib daddr type local jump published-ports
	}}
	chain published-ports {{
		ip daddr 127.0.0.0/8 return comment "carried by netd"
		meta l4proto {{ tcp, udp, sctp }} dnat ip to meta l4proto . ip daddr . th dport map @published
		meta l4proto {{ tcp, udp, sctp }} dnat ip to meta l4proto . th dport map @published-anywhere
	}}
	chain nat-postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{"".join(_postrouting(bridge) for bridge in bridges)}	}}
	chain filter-forward {{
		type filter hook forward priority filter; policy accept;
		oifname != @bridges accept
		ct state established,related accept
		ct status dnat accept
		iifname . oifname @talking accept
		drop comment "unpublished"
	}}
}}
"""


def _postrouting(bridge: BridgeRules) -> str:
    """Masquerade what leaves the bridge, and what comes back to it by way of a published port."""
    rules = f'\t\tip saddr {bridge.subnet} oifname "{bridge.link}" ct status dnat masquerade\n'
    if bridge.masquerade:
        rules = f'\t\tip saddr {bridge.subnet} oifname != "{bridge.link}" masquerade\n' + rules
    return rules


TYPES = {
    "published": ("map", "inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"),
    "published-anywhere": ("map", "inet_proto . inet_service : ipv4_addr . inet_service"),
    "loopback": ("set", "inet_proto . ipv4_addr . inet_service"),
}


def _set(kind: str, entries: list[tuple[str, str]]) -> str:
    word, typed = TYPES[kind]
    initial = _initial(", ".join(f"{key} : {value}" if value else key for key, value in entries))
    return f"\t{word} {kind} {{\n\t\ttype {typed}\n\t\t{initial}\n\t}}\n"


def _initial(elements: str) -> str:
    return f"elements = {{ {elements} }}" if elements else ""


def _elements(published: Iterable[Published]) -> dict[str, list[tuple[str, str]]]:
    """The (key, value) elements of each set for `published`; IPv6 host addresses have none, netd carries those."""
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in TYPES}
    for binding, address in published:
        target = f"{address} . {binding.port}"
        if ":" in binding.host_ip:
            continue
        if binding.host_ip == ANY4:
            found["published-anywhere"].append((f"{binding.protocol} . {binding.host_port}", target))
        elif binding.host_ip.startswith("127."):
            found["loopback"].append((f"{binding.protocol} . {binding.host_ip} . {binding.host_port}", ""))
        else:
            found["published"].append((f"{binding.protocol} . {binding.host_ip} . {binding.host_port}", target))
    return found


def publish(name: str, published: Iterable[Published]) -> str:
    """The transaction that opens ports, "" if none needs a rule."""
    return "".join(
        f"add element ip {name} {kind} {{ {', '.join(f'{key} : {value}' if value else key for key, value in entries)} }}\n"
        for kind, entries in _elements(published).items()
        if entries
    )


def unpublish(name: str, published: Iterable[Published]) -> str:
    """The transaction that closes ports, "" if none has a rule."""
    return "".join(
        f"delete element ip {name} {kind} {{ {', '.join(key for key, _ in entries)} }}\n"
        for kind, entries in _elements(published).items()
        if entries
    )


def remove(name: str) -> str:
    """The transaction that takes the table away, whether it is there or not."""
    return f"table ip {name}\ndelete table ip {name}\n"
