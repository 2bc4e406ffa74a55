"""What the API says of networks and endpoints, in the newest shape."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.types.network import EndpointSettings

Document = dict[str, Any]
NO_SETTINGS = EndpointSettings()


def network(found: Network, containers: Document) -> Document:
    """GET /networks/{id}, in Docker's order of keys."""
    return {
        "Name": found.name,
        "Id": found.id,
        "Created": found.created,
        "Scope": "local",
        "Driver": found.driver,
        "EnableIPv4": found.ipv4,
        "EnableIPv6": found.ipv6,
        "IPAM": _ipam(found),
        "Internal": found.internal,
        "Attachable": found.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": found.config_from},
        "ConfigOnly": found.config_only,
        "Containers": containers,
        "Options": dict(found.options),
        "Labels": dict(found.labels),
    }


def _ipam(found: Network) -> Document:
    """IPAM: the driver, the user's options, and each subnet with what it has."""
    rows: list[Document] | None = [pool.document() for pool in found.pools]
    return {"Driver": found.ipam_driver, "Options": found.ipam_options, "Config": rows or (None if found.predefined else [])}


def members(found: Network, sandboxes: Iterable[Sandbox], names: Mapping[str, str]) -> Document:
    """Inspect's Containers of a network: the endpoints of running containers.

    Args:
        names: of the containers, by id; they may have changed since they were started.
    """
    entries = {}
    for sandbox in sandboxes:
        endpoint = sandbox.endpoints.get(found.id)
        if endpoint is not None and endpoint.active:
            entries[sandbox.container] = {
                "Name": names.get(sandbox.container, sandbox.name),
                "EndpointID": endpoint.id,
                "MacAddress": endpoint.mac,
                "IPv4Address": found.with_length(endpoint.address),
                "IPv6Address": found.with_length(endpoint.address6),
            }
    return entries


def usage(found: Network) -> Document:
    """Status of a network, by subnet: addresses in use and addresses that can still be given, at most 2^64-1 of each."""
    most = (1 << 64) - 1
    subnets = {}
    for pool in found.used_pools:
        used, free = pool.usage()
        subnets[str(pool.subnet)] = {"IPsInUse": min(used, most), "DynamicIPsAvailable": min(free, most)}
    return {"IPAM": {"Subnets": subnets}}


def endpoint(wanted: EndpointSettings, found: Network | None, live: Endpoint | None, names: list[str]) -> Document:
    """One entry of NetworkSettings.Networks.

    Args:
        wanted: what the user asked for. found: the network, None if there is none of that name.
        live: the endpoint, None for a container that does not run: then only wishes, names and the network's id are left.
        names: that it had when it ran.
    """
    document: Document = {
        "IPAMConfig": None if wanted.IPAMConfig is None else msgspec.to_builtins(wanted.IPAMConfig),
        "Links": wanted.Links or None,
        "Aliases": wanted.Aliases or None,
        "MacAddress": wanted.MacAddress or "",
        "DriverOpts": wanted.DriverOpts or None,
        "NetworkID": found.id if found else "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": names or None,
    }
    if wanted.GwPriority:
        document["GwPriority"] = wanted.GwPriority
    return {**document, **(_live(found, live) if found and live else {})}


def _live(found: Network, live: Endpoint) -> Document:
    """What an endpoint has now."""
    four, six = (found.with_length(address).partition("/") for address in (live.address, live.address6))
    return {
        "MacAddress": live.mac,
        "EndpointID": live.id,
        "Gateway": str((live.address and found.gateway_of(live.address)) or ""),
        "IPAddress": four[0],
        "IPPrefixLen": int(four[2] or 0),
        "IPv6Gateway": str((live.address6 and found.gateway_of(live.address6)) or ""),
        "GlobalIPv6Address": six[0],
        "GlobalIPv6PrefixLen": int(six[2] or 0),
        "DNSNames": live.names or None,
    }


def settings(networks: dict[str, Document], ports: Document, sandbox: str = "", sandbox_key: str = "") -> Document:
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


def ports(sandbox: Sandbox) -> Document:
    """NetworkSettings.Ports: published ports with their host addresses, exposed ones as null."""
    found: Document = dict.fromkeys(sandbox.exposed)
    for endpoint in sandbox:
        for binding in endpoint.bindings:
            key = f"{binding.port}/{binding.protocol}"
            entry = {"HostIp": binding.host_ip, "HostPort": str(binding.host_port or "")}
            found[key] = [*(found.get(key) or []), entry]
    return dict(sorted(found.items()))


def port_rows(sandbox: Sandbox) -> list[Document]:
    """The container list's Ports."""
    rows: list[Document] = []
    for key, entries in ports(sandbox).items():
        port, _, protocol = key.partition("/")
        if entries is None:
            rows.append({"PrivatePort": int(port), "Type": protocol})
        for entry in entries or ():
            public = {"IP": entry["HostIp"], "PublicPort": int(entry["HostPort"])} if entry["HostPort"] else {}
            row = {**public, "PrivatePort": int(port), "Type": protocol}
            rows += [row] if row not in rows else []
    return rows
