"""NetworkingConfig from the flags of `run` and `create`."""

from __future__ import annotations

from dockwright.cli.faults import invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.grammar.flags import Given

BUILT_IN = ("default", "bridge", "none", "host")


def endpoints(given: Given, host: dict[str, Any]) -> dict[str, Any]:
    """EndpointsConfig: what is said of each network. Raises InvalidOptions."""
    networks = [dict(network) for network in given.list("network")] or [{"target": "default"}]
    _add_flags(given, networks[0])
    found: dict[str, Any] = {}
    seen: set[str] = set()
    for number, network in enumerate(networks):
        name = network["target"]
        _refuse(network, name, len(networks))
        if name in seen:
            raise invalid(f'network "{name}" is specified multiple times')
        settings = _settings(network)
        if number == 0 and _user_defined(name) and host["Links"]:
            settings["Links"] = host["Links"]
        if settings or len(networks) > 1 or "network" not in given:
            found[name] = ENDPOINT | settings
        seen.add(name)
    return found


ENDPOINT = {
    "IPAMConfig": None, "Links": None, "Aliases": None, "MacAddress": "", "DriverOpts": None, "GwPriority": 0,
    "NetworkID": "", "EndpointID": "", "Gateway": "", "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "",
    "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": None,
}  # fmt: skip


def _user_defined(name: str) -> bool:
    return name not in BUILT_IN and not name.startswith("container:")


def _add_flags(given: Given, network: dict[str, Any]) -> None:
    """--network-alias, --ip and the others go to the first network, unless it says the same itself."""
    for flag, key, both in (
        ("network-alias", "aliases", "--network-alias and per-network alias"),
        ("ip", "ip", "--ip and per-network IPv4 address"),
        ("ip6", "ip6", "--ip6 and per-network IPv6 address"),
        ("mac-address", "mac", "--mac-address and per-network MAC address"),
        ("link-local-ip", "link_local", "--link-local-ip and per-network link-local IP addresses"),
    ):
        if flag not in given or not given.values[flag]:
            continue
        if key in network:
            raise invalid(f"conflicting options: cannot specify both {both}")
        network[key] = given.values[flag]


def _refuse(network: dict[str, Any], name: str, count: int) -> None:
    if _user_defined(name):
        return
    if network.get("aliases"):
        raise invalid("network-scoped aliases are only supported for user-defined networks")
    if count > 1:
        raise invalid("conflicting options: cannot attach both user-defined and non-user-defined network-modes")


def _settings(network: dict[str, Any]) -> dict[str, Any]:
    addresses = {
        "IPv4Address": network.get("ip"),
        "IPv6Address": network.get("ip6"),
        "LinkLocalIPs": network.get("link_local"),
    }
    settings = {
        "Aliases": network.get("aliases"),
        "MacAddress": network.get("mac"),
        "DriverOpts": network.get("driver"),
        "GwPriority": network.get("priority"),
        "IPAMConfig": {name: value for name, value in addresses.items() if value},
    }
    return {name: value for name, value in settings.items() if value}
