"""Who has which name on which network, and how one container sees them. Pure.

A name may contain dots, and so may a network's: for a.b.c come a.b.c on the container's networks, a.b on network c, a on
network b.c, in this order; on each network first the container's own links, then the names everybody has.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = dict[str, dict[str, "Record"]]

HOST_NAMES = frozenset(("host.docker.internal", "gateway.docker.internal"))


class Record:
    """What is known of one endpoint.

    Attributes:
        names: the first is the one that PTR tells.
        addresses: packed, of both families.
        ports: (port, "tcp" or "udp") of what it exposes, for SRV.
    """

    __slots__ = ("addresses", "names", "ports")

    def __init__(self, names: list[str], addresses: list[bytes], ports: list[tuple[int, str]]) -> None:
        self.names, self.addresses, self.ports = names, addresses, ports


class Network:
    """The names of one network.

    Attributes:
        name: of the network. records: by endpoint's id. by_name: in lower case, to the records by endpoint's id.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.records: dict[str, Record] = {}
        self.by_name: Names = {}
        self.by_address: dict[bytes, Record] = {}

    def add(self, endpoint: str, record: Record) -> None:
        """Know an endpoint, or know it anew."""
        self.remove(endpoint)
        self.records[endpoint] = record
        for name in record.names:
            self.by_name.setdefault(name.lower(), {})[endpoint] = record
        for address in record.addresses:
            self.by_address[address] = record

    def remove(self, endpoint: str) -> None:
        """Forget an endpoint; a name that others have too stays theirs."""
        record = self.records.pop(endpoint, None)
        if record is None:
            return
        for name in record.names:
            holders = self.by_name.get(name.lower(), {})
            holders.pop(endpoint, None)
            if not holders:
                self.by_name.pop(name.lower(), None)
        for address in record.addresses:
            if self.by_address.get(address) is record:
                del self.by_address[address]


class View:
    """How one container sees names.

    Attributes:
        networks: ids of the networks it is on, the one with its gateway first.
        links: by network, its own names for others: alias to name.
        gateways: packed addresses of the host, for host.docker.internal.
        servers: its own servers (--dns), which are asked from its network namespace; None for the host's.
        ndots: it has set ndots, so single labels that nobody has are not asked of servers.
        outside: its queries may leave by way of the host; not on internal networks.
    """

    __slots__ = ("gateways", "links", "ndots", "networks", "outside", "servers")

    def __init__(
        self, networks: list[str], links: dict[str, dict[str, str]], gateways: list[bytes],
        servers: list[str] | None, ndots: bool, outside: bool,
    ) -> None:  # fmt: skip
        self.networks, self.gateways, self.servers = networks, gateways, servers
        self.links = {net: {alias.lower(): name.lower() for alias, name in of.items()} for net, of in links.items()}
        self.ndots, self.outside = ndots, outside


class Found:
    """An answer of the directory.

    Attributes:
        records: who has the name. network: on which network. why: in words.
    """

    __slots__ = ("network", "records", "why")

    def __init__(self, records: list[Record], network: Network, why: str) -> None:
        self.records, self.network, self.why = records, network, why

    def addresses(self) -> list[bytes]:
        """Every address, of both families."""
        return [address for record in self.records for address in record.addresses]


class Directory:
    """All networks' names."""

    def __init__(self) -> None:
        self.networks: dict[str, Network] = {}

    def network(self, ident: str, name: str) -> Network:
        """The network `ident`, known by `name` from now on."""
        found = self.networks.setdefault(ident, Network(name))
        found.name = name
        return found

    def forget(self, ident: str, endpoint: str) -> None:
        """An endpoint has left; a network without any is forgotten too."""
        network = self.networks.get(ident)
        if network is not None:
            network.remove(endpoint)
            if not network.records:
                del self.networks[ident]

    def find(self, view: View, name: str) -> Found | None:
        """Who has `name` (in lower case), as seen by a container."""
        seen = [(ident, self.networks[ident]) for ident in view.networks if ident in self.networks]
        for host, network_name in candidates(name):
            there = [item for item in seen if not network_name or item[1].name.lower() == network_name]
            if found := _linked(view, there, host) or _named(there, host):
                return found
        if name in HOST_NAMES and view.gateways and seen:
            return Found([Record([name], view.gateways, [])], seen[0][1], "the gateway of its network is the host")
        return None

    def owner(self, view: View, address: bytes) -> tuple[Record, Network] | None:
        """Who has `address` on one of the container's networks."""
        for ident in view.networks:
            network = self.networks.get(ident)
            if network and (record := network.by_address.get(address)):
                return record, network
        return None


def candidates(name: str) -> Iterator[tuple[str, str]]:
    """The (name, network) that `name` can mean; network "" is any."""
    yield name, ""
    dot = len(name)
    while (dot := name.rfind(".", 0, dot)) > 0:
        yield name[:dot], name[dot + 1 :]


def _linked(view: View, networks: list[tuple[str, Network]], host: str) -> Found | None:
    for ident, network in networks:
        target = view.links.get(ident, {}).get(host)
        if target and (holders := network.by_name.get(target)):
            return Found(list(holders.values()), network, f"its link {host} to {target} on network {network.name}")
    return None


def _named(networks: list[tuple[str, Network]], host: str) -> Found | None:
    for _, network in networks:
        if holders := network.by_name.get(host):
            return Found(list(holders.values()), network, f"a name on network {network.name}")
    return None
