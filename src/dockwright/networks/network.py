"""A network, a container's endpoint on it, and a container's sandbox: what is kept of them, as data and as rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from dockwright.networks.ipam import Address, Pool
from dockwright.networks.options import NetworkOptions, parse
from dockwright.networks.publish import Binding

BRIDGE_OPTION = "com.docker.network.bridge."
MTU = 1500
PREDEFINED = ("bridge", "host", "none")
_PLAIN = (
    "ipam_driver", "driver", "link", "ipv4", "ipv6", "internal", "attachable", "config_only", "config_from", "chosen", "removing",
)  # fmt: skip


@dataclass(slots=True)
class Network:
    """One network.

    Attributes:
        id, name, driver: as shown; the driver of network `none` is called "null".
        created: RFC 3339.
        link: the bridge's name on the host; "" for networks without one.
        pools: its subnets: a bridge has at most one of each family. Those of a family that is off are shown only.
        options, labels: as shown.
        ipv4, ipv6: families it has addresses of.
        internal: nothing outside is reachable. attachable: shown only.
        config_only: a configuration that other networks are made from; config_from: the one this is made from.
        chosen: the subnet is ours, not the user's choice.
        ipam_driver: default, or null: no addresses. ipam_options: as given. removing: a removal has begun.
        settings: what `options` say. uplink: MTU of the host's way out, 0 without one.
    """

    id: str
    name: str
    driver: str
    created: str
    link: str = ""
    pools: list[Pool] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    config_only: bool = False
    config_from: str = ""
    chosen: bool = True
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    removing: bool = False
    settings: NetworkOptions = field(init=False)
    uplink: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Read the options. Raises InvalidParameter."""
        self.settings = parse(self.options)

    @property
    def direct(self) -> list[int]:
        """The families in which its containers are reached at their own addresses (gateway mode routed)."""
        return [version for version, mode in ((4, self.settings.mode4), (6, self.settings.mode6)) if mode == "routed"]

    @property
    def mtu(self) -> int:
        """Bytes: as the options say, or as much as the host's way out carries (a VPN, a tunnel: less than 1500)."""
        return self.settings.mtu or (min(MTU, self.uplink) if self.uplink and not self.internal else MTU)

    @property
    def predefined(self) -> bool:
        """Whether every engine has it."""
        return self.name in PREDEFINED

    @property
    def used_pools(self) -> list[Pool]:
        """The subnets it really has: none of a family that is off, none if it is only a configuration."""
        on = {4: self.ipv4, 6: self.ipv6}
        return [pool for pool in self.pools if on[pool.version] and not self.config_only]

    def of_family(self, version: int) -> list[Pool]:
        """The pools of IPv4 (4) or IPv6 (6)."""
        return [pool for pool in self.used_pools if pool.version == version]

    @property
    def pool(self) -> Pool | None:
        """The (first) IPv4 pool."""
        return next(iter(self.of_family(4)), None)

    def pool_of(self, address: Address) -> Pool | None:
        """The pool whose subnet has `address`."""
        return next((pool for pool in self.pools if address in pool.subnet), None)

    def gateway(self, version: int) -> Address | None:
        """Where the default route of its containers leads to (of several subnets: in the first); None without a way out."""
        pool = next(iter(self.of_family(version)), None)
        return self.gateway_of(pool.subnet.network_address) if pool is not None else None

    def gateway_of(self, address: Address) -> Address | None:
        """Where the default route of a container with `address` leads to."""
        pool = self.pool_of(address)
        return pool.containers_gateway if pool is not None and not self.internal and not self.routed else None

    @property
    def routed(self) -> bool:
        """Whether the interface itself is the way out: nobody on it is asked for the way (ipvlan's modes l3 and l3s)."""
        return self.driver == "ipvlan" and self.settings.ipvlan_mode in ("l3", "l3s")

    def with_length(self, address: Address | None) -> str:
        """`address` with the prefix length of its subnet, "" for None."""
        pool = self.pool_of(address) if address is not None else None
        return f"{address}/{pool.subnet.prefixlen}" if pool is not None else ""

    def row(self) -> dict[str, Any]:
        """What the database keeps beside id, name and created."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        rest = {"options": self.options, "labels": self.labels, "ipam_options": self.ipam_options}
        return {**plain, **rest, "pools": [pool.row() for pool in self.pools]}

    @classmethod
    def of_row(cls, ident: str, name: str, created: str, row: dict[str, Any]) -> "Network":
        """The network `row` was made of."""
        pools = [Pool.of_row(pool) for pool in row["pools"]]
        return cls(id=ident, name=name, created=created, **{**row, "pools": pools})


@dataclass(slots=True)
class Endpoint:
    """A container's place on a network.

    Attributes:
        id, network, container: ids.
        name: the container's name, without a slash.
        address, address6: None on networks without such addresses.
        mac: "" likewise.
        host: the name of the veth's end on the host. interface: the name inside.
        aliases: the user's. names: all names it is found by: container's name, aliases, short id, hostname.
        links: private names of this container for others on the network: `target:alias`.
        link_local: more addresses of the interface.
        priority: of the default route. options: of the driver.
        bindings: the ports published by way of it. published_on: where those are that name no host address, "" for the
            daemon's default. direct: families (4, 6) in which they are reached at its own address, without a port of the host.
        active: its interface is there, its ports are open.
    """

    id: str
    network: str
    container: str
    name: str
    address: IPv4Address | None = None
    address6: IPv6Address | None = None
    mac: str = ""
    host: str = ""
    interface: str = ""
    aliases: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    link_local: list[str] = field(default_factory=list)
    priority: int = 0
    options: dict[str, str] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    published_on: str = ""
    direct: list[int] = field(default_factory=list)
    active: bool = False

    @property
    def addresses(self) -> list[Address]:
        """What it has taken of the network's pools."""
        return [address for address in (self.address, self.address6) if address is not None]

    def row(self) -> dict[str, Any]:
        """What the database keeps of it."""
        kept = {name: getattr(self, name) for name in self.__slots__ if name not in ("container", "name", "bindings")}
        for name in ("address", "address6"):
            kept[name] = str(kept[name] or "")
        kept["bindings"] = [[b.protocol, b.host_ip, b.host_port, b.port] for b in self.bindings]
        return kept

    @classmethod
    def of_row(cls, container: str, name: str, row: dict[str, Any]) -> "Endpoint":
        """The endpoint `row` was made of."""
        given = dict(row, container=container, name=name)
        for key in ("address", "address6"):
            given[key] = ip_address(given[key]) if given.get(key) else None
        given["bindings"] = [Binding(*binding) for binding in given["bindings"]]
        return cls(**given)


@dataclass(slots=True)
class Sandbox:
    """A running container's network namespace, and its endpoints by network id.

    Attributes:
        id: of the namespace. container, name: of the container. kind: "private" or "host" (docs/architecture.md).
        exposed: ports that are shown though they are not published.
        hostname: the container's, with its domain.
        dns: the servers it has chosen, empty for the host's. ndots: its resolv.conf sets that option.
        linked: (address, protocol, port) of what it is linked to on the default bridge.
        active: it is being used: activated, and not closed yet. leaving: closed; what is left of it goes soon.
    """

    id: str
    container: str
    name: str
    kind: str = "private"
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    exposed: list[str] = field(default_factory=list)
    hostname: str = ""
    dns: list[str] = field(default_factory=list)
    ndots: bool = False
    linked: list[tuple[str, str, int]] = field(default_factory=list)
    active: bool = False
    leaving: bool = False

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(list(self.endpoints.values()))

    def row(self) -> dict[str, Any]:
        """What the database keeps of it."""
        kept = ("id", "name", "kind", "exposed", "hostname", "dns", "ndots", "linked", "active")
        plain = {name: getattr(self, name) for name in kept}
        return {**plain, "endpoints": [endpoint.row() for endpoint in self]}

    @classmethod
    def of_row(cls, container: str, row: dict[str, Any]) -> "Sandbox":
        """The sandbox `row` was made of."""
        endpoints = [Endpoint.of_row(container, row["name"], entry) for entry in row["endpoints"]]
        by_network = {endpoint.network: endpoint for endpoint in endpoints}
        linked = [(address, protocol, port) for address, protocol, port in row.get("linked", ())]
        return cls(**{**row, "container": container, "endpoints": by_network, "linked": linked})
