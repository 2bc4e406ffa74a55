"""Our rules in the words of iptables and ip6tables, for hosts that are ruled by them. Pure: `iptables-restore` takes the texts.

The same model as `ruleset`: what a bridge may, which ports are published. Where that has maps, this has a rule for each
port, so it is the driver of choice only where other rules must be judged together with ours. The administrator's place is
DOCKER-USER, first in FORWARD, which we make and never touch.

    raw     PREROUTING  -> DOCKWRIGHT-RAW        what is published on loopback only is dropped from elsewhere
    nat     PREROUTING  -> DOCKWRIGHT-ENTRY      who may take a published port: everybody, or our bridges only
            OUTPUT      -> DOCKWRIGHT-PORTS      the published ports
            POSTROUTING -> DOCKWRIGHT-SOURCE     masquerading
    filter  FORWARD     -> DOCKER-USER, DOCKWRIGHT-FORWARD -> DOCKWRIGHT-IN -> DOCKWRIGHT-LINKED
    mangle  OUTPUT      -> DOCKWRIGHT-MARK       only where netd carries from the client's own address (`wayback`): such
            PREROUTING  -> DOCKWRIGHT-BACK       connections are marked, and what comes back to them
"""

from collections.abc import Iterable

from dockwright.networks.firewall.model import FOUR, MARK, SIX, BridgeRules, Family, Published, State, Way
from dockwright.networks.publish import Binding

ADMIN, FORWARD = "DOCKER-USER", "DOCKWRIGHT-FORWARD"
RAW, ENTRY, PORTS, SOURCE, INTO, LINKED = (
    "DOCKWRIGHT-RAW", "DOCKWRIGHT-ENTRY", "DOCKWRIGHT-PORTS", "DOCKWRIGHT-SOURCE", "DOCKWRIGHT-IN", "DOCKWRIGHT-LINKED",
)  # fmt: skip
MARKING, BACK = "DOCKWRIGHT-MARK", "DOCKWRIGHT-BACK"
CHAINS = {"raw": (RAW,), "nat": (ENTRY, PORTS, SOURCE), "filter": (FORWARD, INTO, LINKED), "mangle": (MARKING, BACK)}
COMING = (RAW, PORTS, LINKED)  # chains whose rules come and go with containers

LOOPBACK = {FOUR: "127.0.0.0/8", SIX: "::1/128"}

Rules = list[str]  # each as iptables-save writes it: -A CHAIN ...


def jumps() -> dict[str, Rules]:
    """By table, what leads from the kernel's chains to ours, in order."""
    return {
        "raw": [f"-A PREROUTING -j {RAW}"],
        "nat": [
            f"-A PREROUTING -m addrtype --dst-type LOCAL -j {ENTRY}",
            f"-A OUTPUT -m addrtype --dst-type LOCAL -j {PORTS}",
            f"-A POSTROUTING -j {SOURCE}",
        ],
        "filter": [f"-A FORWARD -j {ADMIN}", f"-A FORWARD -j {FORWARD}"],
        "mangle": [f"-A OUTPUT -j {MARKING}", f"-A PREROUTING -j {BACK}"],
    }


def rules(family: Family, state: State) -> dict[str, Rules]:
    """By table, all our rules; a table that is not there is not needed."""
    bridges = [bridge for bridge in state.bridges.values() if family is FOUR or bridge.subnet6 is not None]
    closed, opened = port_rules(family, state.published, state.proxy)
    entry = [f"-A {ENTRY} -i {bridge.link} -j {PORTS}" for bridge in bridges]
    leaving = [rule for bridge in bridges for rule in source(family, bridge)]
    kept, own, back = _loopback(family, bridges, state.proxy)
    return {
        "raw": [*kept, *closed],
        "nat": [*([f"-A {ENTRY} -j {PORTS}"] if state.outside else entry), *own, *opened, *back, *leaving],
        "filter": _forward(bridges) + _into(family, bridges) + way_rules(family, state.ways)
        + direct_rules(family, state.published),
        **({} if state.outside else {"mangle": _way_back(bridges)}),
    }


def _way_back(bridges: list[BridgeRules]) -> Rules:
    """No other program of the host sends from a foreign address."""
    bit = f"{MARK:#x}/{MARK:#x}"
    foreign, known = "-m addrtype ! --src-type LOCAL", f"-m conntrack --ctdir REPLY -m connmark --mark {bit}"
    return [
        *(f"-A {MARKING} -o {bridge.link} {foreign} -j CONNMARK --set-xmark {bit}" for bridge in bridges),
        *(f"-A {BACK} -i {bridge.link} {known} -j MARK --set-xmark {bit}" for bridge in bridges),
    ]


def _loopback(family: Family, bridges: list[BridgeRules], proxy: bool) -> tuple[Rules, Rules, Rules]:
    """What becomes of packets to the host's loopback addresses: netd's, or ours, and then nobody's from elsewhere."""
    if family is SIX or proxy:
        return [], [f"-A {PORTS} -d {LOOPBACK[family]} -j RETURN"], []
    back = [f"-A {SOURCE} -s {LOOPBACK[family]} -o {bridge.link} -j MASQUERADE" for bridge in bridges]
    return [f"-A {RAW} -d {LOOPBACK[family]} ! -i lo -j DROP"], [], back


def port_rules(family: Family, published: Iterable[Published], proxy: bool = True) -> tuple[Rules, Rules]:
    """The rules of published ports: those in RAW, those in PORTS."""
    published = list(published)
    closed = [f"-A {RAW} -d {item.host_ip}/32 ! -i lo {_port(item)} -j DROP" for item in family.closed(published)]
    opened = []
    for binding, address in family.published(published, proxy):
        only = "" if binding.anywhere else f"-d {binding.host_ip}/{32 if family is FOUR else 128} "
        target = f"{address}:{binding.port}" if family is FOUR else f"[{address}]:{binding.port}"
        opened.append(f"-A {PORTS} {only}{_port(binding)} -j DNAT --to-destination {target}")
    return closed, opened


def direct_rules(family: Family, published: Iterable[Published]) -> Rules:
    """The rules of ports that are reached at the container's own address."""
    length = 32 if family is FOUR else 128
    return [
        f"-A {LINKED} -d {address}/{length} -p {item.protocol} -m {item.protocol} --dport {item.port} -j ACCEPT"
        for item, address in family.direct(published)
    ]


def _port(binding: Binding) -> str:
    return f"-p {binding.protocol} -m {binding.protocol} --dport {binding.host_port}"


def way_rules(family: Family, ways: Iterable[Way]) -> Rules:
    """The rules of links."""
    return [
        f"-A {LINKED} -s {here}/32 -d {there}/32 -p {protocol} -m {protocol} --dport {port} -j ACCEPT"
        for here, there, protocol, port in (ways if family is FOUR else ())
    ]


def source(family: Family, bridge: BridgeRules) -> Rules:
    """Masquerade what leaves the bridge, and what comes back to it by way of a published port."""
    subnet, given = family.subnet(bridge), family.source(bridge)
    if subnet is None:
        return []
    home = f"-A {SOURCE} -s {subnet} -o {bridge.link}"
    found = [f"{home} -m conntrack --ctstate DNAT -j MASQUERADE", f"{home} -j RETURN"]
    if bridge.masquerade and not bridge.internal and not family.routed(bridge):
        found.append(f"-A {SOURCE} -s {subnet} -j {f'SNAT --to-source {given}' if given else 'MASQUERADE'}")
    return found


def _forward(bridges: list[BridgeRules]) -> Rules:
    return [
        *(f"-A {FORWARD} -i {bridge.link} -o {bridge.link} -j ACCEPT" for bridge in bridges if bridge.icc),
        *(f"-A {FORWARD} -{side} {bridge.link} -j DROP" for bridge in bridges if bridge.internal for side in "io"),
        *(f"-A {FORWARD} -o {bridge.link} -j {INTO}" for bridge in bridges),
        *(f"-A {FORWARD} -i {bridge.link} -j ACCEPT" for bridge in bridges),
    ]


def _into(family: Family, bridges: list[BridgeRules]) -> Rules:
    icmp = "icmp" if family is FOUR else "ipv6-icmp"
    return [
        f"-A {INTO} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A {INTO} -m conntrack --ctstate DNAT -j ACCEPT",
        f"-A {INTO} -j {LINKED}",
        *(f"-A {INTO} -o {bridge.link} -p {icmp} -j ACCEPT" for bridge in bridges if family.routed(bridge)),
        *(f"-A {INTO} -o {bridge.link} -j ACCEPT" for bridge in bridges if family.opened(bridge)),
        *(f"-A {INTO} -i {link} -o {bridge.link} -j ACCEPT" for bridge in bridges for link in bridge.trusted),
        f"-A {INTO} -j DROP",
    ]


def restore(listing: "Listing", wanted: dict[str, Rules]) -> str:
    """The transaction (iptables-restore --noflush) that puts chains, rules and jumps in place, whatever there is of them."""
    lines = []
    for table, leading in jumps().items():
        present = listing.of(table)
        if table not in wanted:
            lines += _removal(listing, table) if listing.chains.get(table, set()) & set(CHAINS[table]) else []
            continue
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in CHAINS[table])]
        if table == "filter" and ADMIN not in listing.chains.get(table, ()):
            lines.append(f":{ADMIN} - [0:0]")
        lines += wanted[table]
        for jump in leading:
            lines += [jump.replace("-A", "-D", 1)] * present.count(jump)
        for jump in reversed(leading):
            lines.append(jump.replace("-A", "-I", 1))
        lines.append("COMMIT")
    return "\n".join(lines) + "\n"


def change(tables: Iterable[tuple[str, Rules, Rules]]) -> str:
    """The transaction that takes rules away and adds others, for each (table, old, new); "" if there is nothing to do."""
    lines = []
    for table, old, new in tables:
        if old or new:
            lines += [f"*{table}", *(rule.replace("-A", "-D", 1) for rule in old), *new, "COMMIT"]
    return "\n".join([*lines, ""]) if lines else ""


def exchange(family: Family, old: list[Published], new: list[Published], proxy: bool = True) -> str:
    """The transaction that closes ports and opens others, "" if none needs a rule."""
    (closed, opened), (closes, opens) = port_rules(family, old, proxy), port_rules(family, new, proxy)
    direct = ("filter", direct_rules(family, old), direct_rules(family, new))
    return change([("raw", closed, closes), ("nat", opened, opens), direct])


def removal(listing: "Listing") -> str:
    """The transaction that takes our chains and jumps away.

    DOCKER-USER stays if the administrator has put rules there, or a real Docker is here, whose place it is too.
    """
    lines = [line for table in jumps() if table in listing.chains for line in _removal(listing, table)]
    return "\n".join([*lines, ""]) if lines else ""


def _removal(listing: "Listing", table: str) -> Rules:
    present, chains = listing.of(table), listing.chains.get(table, set())
    own = [chain for chain in CHAINS[table] if chain in chains]
    used = "DOCKER" in chains or any(rule.startswith(f"-A {ADMIN} ") for rule in present)
    gone = [jump for jump in jumps()[table] if not (used and jump.endswith(ADMIN))]
    own += [ADMIN] if table == "filter" and ADMIN in chains and not used else []
    return [
        f"*{table}", *(jump.replace("-A", "-D", 1) for jump in gone for _ in range(present.count(jump))),
        *(f"-F {chain}" for chain in own), *(f"-X {chain}" for chain in own), "COMMIT",
    ]  # fmt: skip


class Listing:
    """What `iptables-save` shows.

    Attributes:
        chains: by table, their names. rules: by table.
    """

    def __init__(self, text: str) -> None:
        self.chains: dict[str, set[str]] = {}
        self.rules: dict[str, Rules] = {}
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
                self.chains[table], self.rules[table] = set(), []
            elif line.startswith(":") and table:
                self.chains[table].add(line[1:].partition(" ")[0])
            elif line.startswith("-A ") and table:
                self.rules[table].append(line)

    def of(self, table: str) -> Rules:
        """The rules of a table."""
        return self.rules.get(table, [])

    def shape(self) -> tuple[object, ...]:
        """What of ours is there: rules that do not come and go with containers, the number of those that do, and the jumps."""
        fixed, ports = [], 0
        for table, own in CHAINS.items():
            for rule in self.of(table):
                chain = rule.split()[1]
                if chain in COMING:
                    ports += 1
                elif chain in own:
                    fixed.append(rule)
        leading = [rule for table, found in jumps().items() for rule in self.of(table) if rule in found]
        return tuple(fixed), ports, tuple(leading)
