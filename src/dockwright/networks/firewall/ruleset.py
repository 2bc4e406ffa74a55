"""The text of our nftables table. Pure: `nft -f` (or libnftables) takes it as one transaction.

Published ports are elements of maps, so a packet's way does not grow with their number, nor does a change. Nothing here
accepts for anybody else: `accept` ends only our own chain, `drop` is final and only for packets into our bridges.
"""

from collections.abc import Iterable

from dockwright.networks.firewall.model import FOUR, MARK, SIX, BridgeRules, Family, Published, State, Way

Sets = dict[str, list[str]]  # the elements of each set

# The sets that say which bridges there are, with their types. A packet's way does not grow with the number of bridges.
BRIDGE_SETS = {
    "bridges": "set ifname",
    "internal": "set ifname",
    "talking": "set ifname . ifname",
    "trusted": "set ifname . ifname",
    "open": "set ifname",
    "routed": "set ifname",
    "home": "set ADDRESS . ifname",
    "masqueraded": "set ADDRESS",
    "translated": "map ADDRESS : ADDRESS",
}
INTERVALS = ("home", "masqueraded", "translated")


# What netd carries from the client's own address (firewall.wayback): no other program of the host sends from a foreign one.
_WAY_BACK = f"""	chain mangle-output {{
		type filter hook output priority mangle; policy accept;
		oifname @bridges fib saddr type != local ct mark set ct mark or {MARK:#x} comment "carried by netd"
	}}
	chain mangle-prerouting {{
		type filter hook prerouting priority mangle; policy accept;
		iifname @bridges ct direction reply ct mark and {MARK:#x} == {MARK:#x} meta mark set meta mark or {MARK:#x}
	}}
"""


def table(name: str, state: State) -> str:
    """The whole ruleset, replacing whatever there is of it. The IPv6 table is there if a bridge has IPv6."""
    return "".join(_table(name, family, state) for family in state.families)


def _table(name: str, family: Family, state: State) -> str:
    word, own = family.word, "127.0.0.0/8" if family is FOUR else "::1"
    bridges = [bridge for bridge in state.bridges.values() if family is FOUR or bridge.subnet6 is not None]
    sets = _published_sets(family, state.published, state.proxy) + _bridge_sets(family, bridges) + _ways_set(family, state.ways)
    entry = "" if state.outside else "iifname @bridges "
    local = family is FOUR and not state.proxy
    carried = "" if local else f'\t\t{word} daddr {own} return comment "carried by netd"\n'
    kept = f'\t\tiifname != "lo" {word} daddr {own} drop comment "the host\'s own"\n' if local else ""
    back = f"\t\t{word} saddr {own} oifname @bridges masquerade\n" if local else ""
    return f"""table {word} {name}
delete table {word} {name}
table {word} {name} {{
{sets}	chain raw-prerouting {{
		type filter hook prerouting priority raw; policy accept;
{kept}		iifname != "lo" meta l4proto . {word} daddr . th dport @loopback drop comment "published on loopback only"
	}}
	chain nat-prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		{entry}fib daddr type local jump published-ports
	}}
	chain nat-output {{
		type nat hook output priority -100; policy accept;
		fib daddr type local jump published-ports
	}}
	chain published-ports {{
{carried}		meta l4proto {{ tcp, udp, sctp }} dnat {word} to meta l4proto . {word} daddr . th dport map @published
		meta l4proto {{ tcp, udp, sctp }} dnat {word} to meta l4proto . th dport map @published-anywhere
	}}
	chain nat-postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{back}		{word} saddr . oifname @home ct status dnat masquerade comment "to its own published port"
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
		{word} saddr . {word} daddr . meta l4proto . th dport @linked accept
		meta l4proto . {word} daddr . th dport @direct accept
		oifname @routed meta l4proto {{ icmp, ipv6-icmp }} accept
		oifname @open accept
		iifname . oifname @trusted accept
		drop comment "unpublished"
	}}
{"" if state.outside else _WAY_BACK}}}
"""


def _ways_set(family: Family, ways: Iterable[Way]) -> str:
    typed = f"{family.address} . {family.address} . inet_proto . inet_service"
    return f"\tset linked {{\n\t\ttype {typed}\n\t\t{_initial(_way_elements(ways if family is FOUR else ()))}\n\t}}\n"


def _way_elements(ways: Iterable[Way]) -> str:
    return ", ".join(" . ".join(map(str, way)) for way in ways)


def link(name: str, old: list[Way], new: list[Way]) -> str:
    """The transaction that closes ways between containers and opens others."""
    verbs = (("delete", old), ("add", new))
    return "".join(f"{verb} element ip {name} linked {{ {_way_elements(ways)} }}\n" for verb, ways in verbs if ways)


def _bridge_elements(family: Family, bridge: BridgeRules) -> Sets:
    """The elements of one bridge."""
    link, subnet, source = f'"{bridge.link}"', family.subnet(bridge), family.source(bridge)
    found: Sets = {kind: [] for kind in BRIDGE_SETS}
    if family is SIX and subnet is None:
        return found
    found["bridges"].append(link)
    found["internal"] += [link] if bridge.internal else []
    found["open"] += [link] if family.opened(bridge) else []
    found["routed"] += [link] if family.routed(bridge) else []
    found["talking"] += [f"{link} . {link}"] if bridge.icc else []
    found["trusted"] += [f'"{other}" . {link}' for other in bridge.trusted]
    if subnet is not None:
        found["home"].append(f"{subnet} . {link}")
        if bridge.masquerade and not bridge.internal and not family.routed(bridge):
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


TYPES = {
    "published": ("map", "inet_proto . ADDRESS . inet_service : ADDRESS . inet_service"),
    "published-anywhere": ("map", "inet_proto . inet_service : ADDRESS . inet_service"),
    "loopback": ("set", "inet_proto . ADDRESS . inet_service"),
    "direct": ("set", "inet_proto . ADDRESS . inet_service"),
}


def _published_sets(family: Family, published: Iterable[Published], proxy: bool) -> str:
    return "".join(_set(family, kind, entries) for kind, entries in _elements(family, published, proxy).items())


def _set(family: Family, kind: str, entries: list[tuple[str, str]]) -> str:
    word, typed = TYPES[kind]
    initial = _initial(", ".join(f"{key} : {value}" if value else key for key, value in entries))
    return f"\t{word} {kind} {{\n\t\ttype {typed.replace('ADDRESS', family.address)}\n\t\t{initial}\n\t}}\n"


def _initial(elements: str) -> str:
    return f"elements = {{ {elements} }}" if elements else ""


def _elements(family: Family, published: Iterable[Published], proxy: bool) -> dict[str, list[tuple[str, str]]]:
    """The (key, value) elements of each set for `published`; where host and container have no family in common netd carries."""
    published = list(published)
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in TYPES}
    for binding, address in family.published(published, proxy):
        kind, where = ("published-anywhere", "") if binding.anywhere else ("published", f"{binding.host_ip} . ")
        found[kind].append((f"{binding.protocol} . {where}{binding.host_port}", f"{address} . {binding.port}"))
    found["direct"] = [(f"{item.protocol} . {address} . {item.port}", "") for item, address in family.direct(published)]
    found["loopback"] = [
        (f"{item.protocol} . {item.host_ip} . {item.host_port}", "") for item in family.closed(published)
    ]
    return found


def exchange(
    name: str, families: Iterable[Family], old: list[Published], new: list[Published], proxy: bool = True
) -> str:  # fmt: skip
    """The transaction that closes ports and opens others, "" if none needs a rule."""
    return "".join(_exchange(name, family, old, new, proxy) for family in families)


def _exchange(name: str, family: Family, old: list[Published], new: list[Published], proxy: bool) -> str:
    lines = []
    for kind, entries in _elements(family, old, proxy).items():
        if entries:
            lines.append(f"delete element {family.word} {name} {kind} {{ {', '.join(key for key, _ in entries)} }}\n")
    for kind, entries in _elements(family, new, proxy).items():
        if entries:
            shown = ", ".join(f"{key} : {value}" if value else key for key, value in entries)
            lines.append(f"add element {family.word} {name} {kind} {{ {shown} }}\n")
    return "".join(lines)


def remove(name: str) -> str:
    """The transaction that takes the tables away, whether they are there or not."""
    return "".join(f"table {word} {name}\ndelete table {word} {name}\n" for word in ("ip", "ip6"))
