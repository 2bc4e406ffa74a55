"""CNI plug-ins as a driver: `docker network create -d cni -o conf=NAME`, by the Container Network Interface specification 1.0.

    ADD     each plug-in of the list in order, when the namespace is there: interface, addresses and routes are theirs
    DEL     each in reverse order, before the namespace goes, or after it has (then without a path)

The list is NAME.conflist (or a path) below /etc/cni/net.d. What the plug-ins answer is what inspect shows; its subnets are
learned. Nothing is published by us: that is the business of a plug-in such as portmap.
"""

import json
import logging
import os
from ipaddress import ip_address, ip_interface
from typing import Any

from dockwright.base.errors import EngineError, Internal, InvalidParameter
from dockwright.networks.ipam import Pool
from dockwright.networks.network import Endpoint, Network
from dockwright.supervisor import spawner

log = logging.getLogger("dockwright.networks")
LISTS = "/etc/cni/net.d"
PROGRAMS = "/opt/cni/bin:/usr/lib/cni"
DEADLINE = 60.0  # seconds for one plug-in
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")

Document = dict[str, Any]


class CniDriver:
    """Networks whose interfaces other programs make."""

    publishes = veth = own_mac = False
    external = True

    def check(self, network: Network, others: list[Network]) -> None:
        """The list is there, and its plug-ins are. Raises InvalidParameter."""
        for plugin in _plugins(network):
            _program(network, plugin)
        network.pools = []

    def make(self, network: Network, owner: str) -> None:
        """The host's side is made by the plug-ins, with the first container."""

    def interface(self, network: Network, endpoint: Endpoint) -> Document:
        """Nothing is made by us."""
        return {}

    def rejoin(self, network: Network, endpoint: Endpoint) -> None:
        """The plug-ins look after the host's side."""

    def retire(self, network: Network, owner: str) -> None:
        """No address is ours."""

    def remove(self, network: Network, owner: str) -> None:
        """Nothing is ours."""

    async def join(self, network: Network, endpoint: Endpoint, namespace: str) -> None:
        """ADD; the endpoint gets the addresses that were given. Raises Internal with the plug-in's words."""
        result: Document = {}
        for plugin in _plugins(network):
            result = await _call("ADD", network, endpoint, namespace, {**plugin, **({"prevResult": result} if result else {})})
        _learn(network, endpoint, result)

    async def leave(self, network: Network, endpoint: Endpoint, namespace: str) -> None:
        """DEL of all, whatever fails: what a plug-in says is logged."""
        try:
            plugins = _plugins(network)
        except EngineError as error:
            log.error("network %s: %s", network.name, error.message)
            return
        path = namespace if os.path.exists(namespace) else ""
        for plugin in reversed(plugins):
            try:
                await _call("DEL", network, endpoint, path, plugin)
            except EngineError as error:
                log.error("network %s: %s", network.name, error.message)


def _plugins(network: Network) -> list[Document]:
    """The plug-ins' configurations, each with the list's name and version. Raises InvalidParameter."""
    given = network.options.get("conf", "")
    if not given:
        raise InvalidParameter("a cni network needs the option conf: the name of a list below " + LISTS)
    path = given if given.startswith("/") else f"{LISTS}/{given}.conflist"
    try:
        with open(path, "rb") as file:
            found = json.load(file)
        version, plugins = found.get("cniVersion", VERSIONS[0]), found["plugins"]
        name = found["name"]
        if not plugins or not all(plugin["type"] for plugin in plugins):
            raise ValueError("no plugins")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidParameter(f"error loading CNI config list file {path}: {error}") from None
    if version not in VERSIONS:
        raise InvalidParameter(f"unsupported CNI version {version} in {path}")
    return [{**plugin, "name": name, "cniVersion": version} for plugin in plugins]


def _program(network: Network, plugin: Document) -> str:
    """The path of a plug-in. Raises InvalidParameter in the words of libcni."""
    places = network.options.get("path", PROGRAMS).split(":")
    name = os.path.basename(str(plugin["type"]))
    for place in places:
        if place.startswith("/") and os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    raise InvalidParameter(f'failed to find plugin "{name}" in path [{" ".join(places)}]')


async def _call(command: str, network: Network, endpoint: Endpoint, namespace: str, config: Document) -> Document:
    """Run one plug-in; its result, {} if it says nothing. Raises Internal."""
    environment = {
        "CNI_COMMAND": command, "CNI_CONTAINERID": endpoint.container, "CNI_IFNAME": endpoint.interface,
        "CNI_NETNS": namespace, "CNI_PATH": network.options.get("path", PROGRAMS),
    }  # fmt: skip
    head = f'plugin type="{config["type"]}" failed ({"add" if command == "ADD" else "delete"}): '
    try:
        program = _program(network, config)
        status, out, err = await spawner.run([program], json.dumps(config).encode(), DEADLINE, environment)
    except (OSError, TimeoutError) as error:
        raise Internal(f"{head}{error}") from None
    document = _document(out)
    if status:
        raise Internal(head + str(document.get("msg") or err.decode(errors="replace").strip() or f"exit status {status}"))
    return document


def _document(out: bytes) -> Document:
    try:
        found = json.loads(out or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _learn(network: Network, endpoint: Endpoint, result: Document) -> None:
    """Take over what the plug-ins have given: addresses, their subnets and gateways, the MAC address. Raises Internal."""
    try:
        for given in result.get("ips") or ():
            _address(network, endpoint, given)
        inside = [each for each in result.get("interfaces") or () if each.get("sandbox")]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Internal(f"a CNI plug-in of network {network.name} gave no proper result: {error}") from None
    endpoint.mac = next((str(each.get("mac") or "") for each in inside if each.get("name") == endpoint.interface), "")


def _address(network: Network, endpoint: Endpoint, given: Document) -> None:
    interface = ip_interface(given["address"])
    if interface.version == 4:
        endpoint.address = interface.ip
    else:
        endpoint.address6 = interface.ip
        network.ipv6 = True
    if network.pool_of(interface.ip) is None:
        gateway = ip_address(given["gateway"]) if given.get("gateway") else None
        network.pools.append(Pool(interface.network, gateway))
