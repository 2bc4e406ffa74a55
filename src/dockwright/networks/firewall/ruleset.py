"""The text of our nftables table. Pure: `nft -f` (or libnftables) takes it as one transaction.

Published ports are elements of maps, so a packet's way does not grow with their number, nor does a change. Nothing here
accepts for anybody else: `accept` ends only our own chain, `drop` is final and only for packets into our bridges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from dockwright.networks.publish import ANY4, Binding

Published = tuple[Binding, str]  # a binding and the container's address
Way = tuple[str, str, str, int]  # from a container's address to another's, protocol and port
Sets = dict[str, list[str]]  # the elements of each set


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the firewall must know of one bridge.

    Attributes:
        link, subnet, subnet6: its name and its subnets; None for a family it does not have.
        icc, internal: its containers may talk to each other; nothing else is reached, or reaches them.
        masquerade, source4, source6: what leaves gets the address of the interface it leaves by, or a given one.
        open4, open6: all of a container's ports may be reached from outside.
        trusted: interfaces by which they may be reached in any case.
    """

    link: str
    subnet: IPv4Network | None
    icc: bool = True
    masquerade: bool = True
    internal: bool = False
    subnet6: IPv6Network | None = None
    source4: str = ""
    source6: str = ""
    open4: bool = False
    open6: bool = False
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """The words of one family: of the table, of its addresses, and what its bridges' rules say of it."""

    word: str
    address: str
    number: int

    def subnet(self, bridge: BridgeRules) -> IPv4Network | IPv6Network | None:
        """The bridge's subnet of this family."""
        return bridge.subnet if self.number == 4 else bridge.subnet6

    def source(self, bridge: BridgeRules) -> str:
        """The address that what leaves shall have."""
        return bridge.source4 if self.number == 4 else bridge.source6

    def opened(self, bridge: BridgeRules) -> bool:
        """Whether unpublished ports may be reached."""
        return bridge.open4 if self.number == 4 else bridge.open6


FOUR, SIX = Family("ip", "ipv4_addr", 4), Family("ip6", "ipv6_addr", 6)

# The sets that say which bridges there are, with their types. A packet's way does not grow with the number of bridges.
BRIDGE_SETS = {
    "bridges": "set ifname",
    "internal": "set ifname",
    "talking": "set ifname . ifname",
    "trusted": "set ifname . ifname",
    "open": "set ifname",
    "home": "set ADDRESS . ifname",
    "masqueraded": "set ADDRESS",
    "translated": "map ADDRESS : ADDRESS",
}
INTERVALS = ("home", "masqueraded", "translated")


def table(
    name: str, bridges: Iterable[BridgeRules], published: Iterable[Published], ways: Iterable[Way] = ()
) -> str:  # fmt: skip
    """The whole ruleset, replacing whatever there is of it. The IPv6 table is there if a bridge has IPv6.

    Args:
        ways: what links open between containers that may not talk to each other.
    """
    bridges = list(bridges)
    sets = _published_sets(published) + _bridge_sets(FOUR, bridges) + _ways_set(ways)
    text = _table(name, FOUR, sets, PUBLISHED_CHAINS, LINKED)
    six = [bridge for bridge in bridges if bridge.subnet6 is not None]
    return text + (_table(name, SIX, _bridge_sets(SIX, six), "", "") if six else "")


def _table(name: str, family: Family, sets: str, chains: str, linked: str) -> str:
    word = family.word
    return f"""table {word} {name}
delete table {word} {name}
table {word} {name} {{
{sets}{chains}	chain nat-postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
		{word} saddr . oifname @home ct status dnat masquerade comment "to its own published port"
		{word} saddr . oifname @home accept
		snat {word} to {word} saddr map @translated
		{word} saddr @masqueraded masquerade
	}}
	chain filter-forward {{
		type filter hook forward priority filter; policy accept;
		iifname . oifname @talking accept
		iifname @internal drop comment "no way out"
		oifname @internal drop comment "no way in"
		oifname != @bridges accept
		ct state established,related accept
		ct status dnat accept
{linked}		oifname @open accept
		iifname . oifname @trusted accept
		drop comment "unpublished"
	}}
}}
"""


PUBLISHED_CHAINS = """	chain raw-prerouting {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" meta l4proto . ip daddr . th dport @loopback drop comment "published on loopback only"
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local jump published-ports
	}
	chain nat-output {
		type nat hook output priority -100; policy accept;
		fib daddr type local jump published-ports
	}
	chain published-ports {
		ip daddr 127.0.0.0/8 return comment "carried by netd"
		meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . ip daddr . th dport map @published
		meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @published-anywhere
	}
"""


LINKED = "\t\tip saddr . ip daddr . meta l4proto . th dport @linked accept\n"


def _ways_set(ways: Iterable[Way]) -> str:
    typed = "ipv4_addr . ipv4_addr . inet_proto . inet_service"
    return f"\tset linked {{\n\t\ttype {typed}\n\t\t{_initial(_way_elements(ways))}\n\t}}\n"


def _way_elements(ways: Iterable[Way]) -> str:
    return ", ".join(" . ".join(map(str, way)) for way in ways)


def ways(name: str, opened: Iterable[Way], verb: str) -> str:
    """The transaction that opens (`verb` "add") or closes ("delete") ways between containers."""
    return f"{verb} element ip {name} linked {{ {_way_elements(opened)} }}\n"


def _bridge_elements(family: Family, bridge: BridgeRules) -> Sets:
    """The elements of one bridge."""
    link, subnet, source = f'"{bridge.link}"', family.subnet(bridge), family.source(bridge)
    found: Sets = {kind: [] for kind in BRIDGE_SETS}
    if family is SIX and subnet is None:
        return found
    found["bridges"].append(link)
    found["internal"] += [link] if bridge.internal else []
    found["open"] += [link] if family.opened(bridge) else []
    found["talking"] += [f"{link} . {link}"] if bridge.icc else []
    found["trusted"] += [f'"{other}" . {link}' for other in bridge.trusted]
    if subnet is not None:
        found["home"].append(f"{subnet} . {link}")
        if bridge.masquerade and not bridge.internal:
            found["translated"] += [f"{subnet} : {source}"] if source else []
            found["masqueraded"] += [] if source else [str(subnet)]
    return found


def _bridge_sets(family: Family, bridges: list[BridgeRules]) -> str:
    """The declarations of the bridges' sets, with their elements."""
    elements: Sets = {kind: [] for kind in BRIDGE_SETS}
    for bridge in bridges:
        for kind, found in _bridge_elements(family, bridge).items():
            elements[kind] += found
    return "".join(_bridge_set(family, kind, found) for kind, found in elements.items())


def _bridge_set(family: Family, kind: str, elements: list[str]) -> str:
    word, _, typed = BRIDGE_SETS[kind].replace("ADDRESS", family.address).partition(" ")
    flags = "\t\tflags interval\n" if kind in INTERVALS else ""
    return f"\t{word} {kind} {{\n\t\ttype {typed}\n{flags}\t\t{_initial(', '.join(elements))}\n\t}}\n"


def bridge(name: str, rules: BridgeRules, verb: str) -> str:
    """The transaction that adds (`verb` "add") or takes away ("delete") a bridge in tables that are there."""
    families = (FOUR, SIX) if rules.subnet6 is not None else (FOUR,)
    return "".join(
        f"{verb} element {family.word} {name} {kind} {{ {', '.join(_keys(elements, verb))} }}\n"
        for family in families
        for kind, elements in _bridge_elements(family, rules).items()
        if elements
    )


def _keys(elements: list[str], verb: str) -> list[str]:
    """Elements as `verb` names them: what is deleted is named by its key."""
    return elements if verb == "add" else [element.partition(" : ")[0] for element in elements]


def _published_sets(published: Iterable[Published]) -> str:
    return "".join(_set(kind, entries) for kind, entries in _elements(published).items())


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
    """The transaction that takes the tables away, whether they are there or not."""
    return "".join(f"table {word} {name}\ndelete table {word} {name}\n" for word in ("ip", "ip6"))
