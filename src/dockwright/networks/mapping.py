"""Who can reach whom: networks, containers and published ports as a map, with the rule behind each arrow. Pure.

Places are "outside", "host", "network NAME" and "container NAME". An arrow that is not allowed is on the map where a rule of
ours is the reason.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from dockwright.networks.firewall.model import BridgeRules, Published, Way
from dockwright.networks.network import Endpoint, Network, Sandbox
from dockwright.networks.publish import Binding

Arrow = dict[str, Any]
OUTSIDE, HOST = "outside", "host"
CARRIED = "netd carries it"
TRUE, OWN = ", from the client's own address", ", from an address of the host"
WHO = {"docker": OUTSIDE, "respect-host": "whom the host's firewall lets in", "localhost": OUTSIDE}


class Rules(Protocol):
    """Our rules in a driver's words; "" where there is none."""

    def talk(self, bridge: BridgeRules) -> str:
        """What lets its containers reach each other, or keeps them from it."""

    def leave(self, bridge: BridgeRules) -> str:
        """What is done with packets that leave it, or keeps them in."""

    def enter(self, bridge: BridgeRules) -> str:
        """What is done with packets from outside that nobody asked for."""

    def port(self, published: Published) -> str:
        """What leads to a published port."""

    def way(self, way: Way) -> str:
        """What lets a link through."""


class Without:
    """The words where the engine writes no rules."""

    def _none(self, *_: Any) -> str:
        return ""

    talk = leave = enter = port = way = _none


def arrow(start: str, end: str, what: str, allowed: bool, rule: str = "", why: str = "", network: str = "") -> Arrow:
    """One arrow of the map. `network`: that it goes by, if its ends do not say so."""
    return {"From": start, "To": end, "What": what, "Allowed": allowed, "Rule": rule, "Why": why, "Network": network}


def document(
    networks: Iterable[Network], sandboxes: Iterable[Sandbox], bridges: dict[str, BridgeRules], rules: Rules,
    ways: Iterable[Way], setting: str, proxy: bool = True, transparent: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The map.

    Args:
        bridges: by link. setting: `--published-ports`. proxy: `--userland-proxy`. transparent: see netd_client.
    """
    found, boxes = list(networks), [sandbox for sandbox in sandboxes if sandbox.active]
    by_id = {network.id: network for network in found}
    arrows: list[Arrow] = []
    for network in found:
        arrows += _of_network(network, bridges.get(network.link), rules)
    for sandbox in boxes:
        for endpoint in sandbox:
            arrows += _of_ports(sandbox, endpoint, by_id, rules, setting, proxy, transparent)
    names = {str(address): sandbox.name for sandbox in boxes for endpoint in sandbox for address in endpoint.addresses}
    arrows += [_of_way(way, names, rules) for way in ways]
    return {
        "PublishedPorts": setting,
        "Networks": [_network(network, boxes) for network in found if network.driver not in ("host", "null")],
        "Containers": [_container(sandbox, by_id) for sandbox in boxes],
        "Arrows": arrows,
    }


def _network(network: Network, sandboxes: Iterable[Sandbox]) -> dict[str, Any]:
    members = [(sandbox.name, sandbox.endpoints[network.id]) for sandbox in sandboxes if network.id in sandbox.endpoints]
    return {
        "Name": network.name, "Id": network.id, "Driver": network.driver, "Link": network.link, "Internal": network.internal,
        "Subnets": [str(pool.subnet) for pool in network.pools],
        "Gateways": [str(pool.gateway) for pool in network.pools if pool.gateway is not None],
        "Members": [{"Name": name, "Addresses": list(map(str, endpoint.addresses))} for name, endpoint in members],
    }  # fmt: skip


def _container(sandbox: Sandbox, networks: dict[str, Network]) -> dict[str, Any]:
    joined = [networks[endpoint.network].name for endpoint in sandbox if endpoint.network in networks]
    ports = sorted({f"{binding.port}/{binding.protocol}" for endpoint in sandbox for binding in endpoint.bindings})
    return {"Name": sandbox.name, "Networks": joined, "Kind": sandbox.kind, "Ports": ports}


def _of_network(network: Network, bridge: BridgeRules | None, rules: Rules) -> Iterator[Arrow]:
    place = f"network {network.name}"
    if network.driver in ("host", "null") or network.config_only:
        return
    if bridge is None:
        yield arrow(place, place, "everything", True)
        if network.driver != "bridge" and not network.internal:
            past = "on the host's own link, past its firewall"
            yield arrow(place, OUTSIDE, "everything", True, why=past)
            yield arrow(OUTSIDE, place, "everything", True, why=past)
        return
    yield arrow(place, place, "everything", bridge.icc, rules.talk(bridge))
    yield arrow(place, OUTSIDE, "everything", not bridge.internal, rules.leave(bridge))
    opened = (bridge.open4 or bridge.open6) and not bridge.internal
    yield arrow(OUTSIDE, place, "every port" if opened else "ports that are not published", opened, rules.enter(bridge))
    for link in bridge.trusted if not bridge.internal else ():
        yield arrow(f"{OUTSIDE} by {link}", place, "every port", True, rules.enter(bridge))
    if network.pools and network.pools[0].gateway is not None:
        yield arrow(HOST, place, "everything", True, why="the host is on the bridge itself")
        yield arrow(place, HOST, "everything", True, why="the host's own rules for what is sent to it decide")


def _of_ports(
    sandbox: Sandbox, endpoint: Endpoint, networks: dict[str, Network], rules: Rules, setting: str, proxy: bool,
    transparent: bool,
) -> Iterator[Arrow]:  # fmt: skip
    place, by = f"container {sandbox.name}", networks[endpoint.network].name if endpoint.network in networks else ""
    for binding in endpoint.bindings if endpoint.active else ():
        address = endpoint.address6 if ":" in binding.host_ip and endpoint.address6 else endpoint.address or endpoint.address6
        what = f"{_host(binding)} to {binding.port}/{binding.protocol}"
        rule = rules.port((binding, str(address)))
        own = proxy and (binding.loopback or not rule or setting == "respect-host")
        start = HOST if binding.loopback else WHO[setting]
        true = transparent and not binding.loopback and (":" in str(address)) == (":" in binding.host_ip)
        yield arrow(start, place, what, True, rule, CARRIED + (TRUE if true else OWN) if own else "", by)


def _host(binding: Binding) -> str:
    shown = f"[{binding.host_ip}]" if ":" in binding.host_ip else binding.host_ip
    return f"{shown}:{binding.host_port}"


def _of_way(way: Way, names: dict[str, str], rules: Rules) -> Arrow:
    here, there, protocol, port = way
    ends = [f"container {names.get(address, address)}" for address in (here, there)]
    return arrow(ends[0], ends[1], f"{port}/{protocol}", True, rules.way(way), "a link", "bridge")
