"""A network and an endpoint, as rows and as the API's documents."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from dockwright.networks.ipam import Pool
from dockwright.networks.publish import Binding

BRIDGE_OPTION = "com.docker.network.bridge."


@dataclass(slots=True)
class Network:
    """One network.

    Attributes:
        id, name, driver: as shown; the driver of network `none` is called "null".
        created: RFC 3339.
        link: the bridge's name on the host; "" for networks without one.
        pool: its addresses; None for networks without addresses.
        mtu: bytes.
        options, labels: as shown.
        icc, masquerade: containers may talk to each other; what leaves is masqueraded.
    """

    id: str
    name: str
    driver: str
    created: str
    link: str = ""
    pool: Pool | None = None
    mtu: int = 1500
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    icc: bool = True
    masquerade: bool = True

    @property
    def gateway(self) -> str:
        """The gateway's address, "" without one."""
        return str(self.pool.gateway) if self.pool is not None and self.pool.gateway is not None else ""

    def document(self, containers: dict[str, Any]) -> dict[str, Any]:
        """Inspect's document, in Docker's order of keys."""
        return {
            "Name": self.name,
            "Id": self.id,
            "Created": self.created,
            "Scope": "local",
            "Driver": self.driver,
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": self._ipam()},
            "Internal": False,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": containers,
            "Options": dict(self.options),
            "Labels": dict(self.labels),
        }

    def _ipam(self) -> list[dict[str, str]] | None:
        if self.pool is None:
            return None
        config = {"Subnet": str(self.pool.subnet)}
        if self.gateway:
            config["Gateway"] = self.gateway
        return [config]


@dataclass(slots=True)
class Endpoint:
    """A container's place on a network.

    Attributes:
        id, network, container: ids.
        name: the container's name, without a slash.
        sandbox: id of its network namespace.
        address: None on networks without addresses.
        mac: "" likewise.
        host: the name of the veth's end on the host.
        bindings: its published ports.
        active: its ports are open.
    """

    id: str
    network: str
    container: str
    name: str
    sandbox: str
    address: IPv4Address | None = None
    mac: str = ""
    host: str = ""
    bindings: list[Binding] = field(default_factory=list)
    exposed: list[str] = field(default_factory=list)
    active: bool = False

    def row(self) -> dict[str, Any]:
        """What the database keeps of it."""
        return {
            "name": self.name,
            "sandbox": self.sandbox,
            "address": str(self.address) if self.address else "",
            "mac": self.mac,
            "host": self.host,
            "bindings": [[b.protocol, b.host_ip, b.host_port, b.port] for b in self.bindings],
            "exposed": self.exposed,
            "active": self.active,
        }

    @classmethod
    def of_row(cls, ident: str, network: str, container: str, row: dict[str, Any]) -> "Endpoint":
        """The endpoint `row` was made of."""
        return cls(
            ident, network, container, row["name"], row["sandbox"],
            IPv4Address(row["address"]) if row["address"] else None,
            row["mac"], row["host"], [Binding(*binding) for binding in row["bindings"]], row["exposed"], row["active"],
        )


def endpoint_document(network: Network, endpoint: Endpoint | None) -> dict[str, Any]:
    """One entry of NetworkSettings.Networks; without an endpoint only the network's id is left (a stopped container)."""
    pool = network.pool
    address = str(endpoint.address) if endpoint and endpoint.address else ""
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "MacAddress": endpoint.mac if endpoint else "",
        "DriverOpts": None,
        "NetworkID": network.id,
        "EndpointID": endpoint.id if endpoint else "",
        "Gateway": network.gateway if endpoint else "",
        "IPAddress": address,
        "IPPrefixLen": pool.subnet.prefixlen if pool and address else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
    }


def settings(
    networks: dict[str, dict[str, Any]], ports: dict[str, Any], sandbox: str = "", sandbox_key: str = ""
) -> dict[str, Any]:
    """NetworkSettings below API 1.52: the flat fields are a copy of the endpoint on network `bridge`."""
    bridge = networks.get("bridge") or {}
    flat = {
        "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
        "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
    }
    return {
        "Bridge": "",
        "SandboxID": sandbox,
        "SandboxKey": sandbox_key,
        "Ports": ports,
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{key: bridge.get(key, empty) for key, empty in flat.items()},
        "Networks": networks,
    }


def ports_document(endpoint: Endpoint) -> dict[str, Any]:
    """NetworkSettings.Ports: published ports with their host addresses, exposed ones as null."""
    found: dict[str, Any] = dict.fromkeys(endpoint.exposed)
    for binding in endpoint.bindings:
        key = f"{binding.port}/{binding.protocol}"
        entry = {"HostIp": binding.host_ip, "HostPort": str(binding.host_port)}
        found[key] = [*(found.get(key) or []), entry]
    return dict(sorted(found.items()))


def port_rows(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The container list's Ports."""
    rows: list[dict[str, Any]] = []
    for key, entries in ports_document(endpoint).items():
        port, _, protocol = key.partition("/")
        if entries is None:
            rows.append({"PrivatePort": int(port), "Type": protocol})
        for entry in entries or ():
            row = {"IP": entry["HostIp"], "PrivatePort": int(port), "PublicPort": int(entry["HostPort"])}
            rows.append({**row, "Type": protocol})
    return rows


def members(network: Network, endpoints: Iterable[Endpoint], names: dict[str, str]) -> dict[str, Any]:
    """Inspect's Containers of a network: the endpoints of running containers."""
    length = network.pool.subnet.prefixlen if network.pool else 0
    return {
        endpoint.container: {
            "Name": names.get(endpoint.container, endpoint.name),
            "EndpointID": endpoint.id,
            "MacAddress": endpoint.mac,
            "IPv4Address": f"{endpoint.address}/{length}" if endpoint.address else "",
            "IPv6Address": "",
        }
        for endpoint in endpoints
        if endpoint.network == network.id and endpoint.active
    }
