"""The interfaces of a sandbox, made from the plain data of its plan (docs/architecture.md, supervisor), in two halves: one with a
socket of the host's namespace, one with a socket inside.

A veth pair has its other end on a bridge; macvlan and ipvlan interfaces stand on a link of the host, and are made right in
the sandbox (linux/if_link.h). Imported by the zygote and forked with every shim, like `netlink`.
"""

from __future__ import annotations

from dockwright.kernel import netlink
from dockwright.kernel.netlink import Netlink, attribute, link_info, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from dockwright.kernel.netlink import Message

# linux/if_link.h
IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS, IFLA_VLAN_ID = 1, 1, 2, 1
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}


def short(kind: int, value: int) -> bytes:
    """An attribute that holds a 16-bit number of the host's byte order."""
    return attribute(kind, number(kind, value)[4:6] if netlink.LITTLE else number(kind, value)[6:8])


def dummy(name: str) -> Message:
    """Make a link that leads nowhere, down."""
    return netlink.new_link(name, link_info("dummy"))


def vlan(name: str, parent: int, ident: int) -> Message:
    """Make the VLAN `ident` of the link of index `parent`, down."""
    return netlink.new_link(name, link_info("vlan", short(IFLA_VLAN_ID, ident)), parent=parent)


def stacked(outside: Netlink, interface: Mapping[str, Any], netns_fd: int) -> Message:
    """Make a macvlan or ipvlan interface in another namespace, down. Raises OSError ENODEV without its parent."""
    if interface["kind"] == "macvlan":
        data = number(IFLA_MACVLAN_MODE, MACVLAN_MODES[interface["mode"]])
    else:
        data = short(IFLA_IPVLAN_MODE, IPVLAN_MODES[interface["mode"]])
        data += short(IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[interface["flag"]])
    return netlink.new_link(
        interface["name"], link_info(interface["kind"], data), netns_fd, outside.index(interface["parent"]),
        interface.get("mtu") or 0, interface.get("mac") or "",
    )  # fmt: skip


def make_host_link(outside: Netlink, interface: Mapping[str, Any], netns_fd: int) -> None:
    """Make one interface of a sandbox: its veth pair, the bridge port here up, and the named end in the sandbox, down; or a
    macvlan or ipvlan interface in the sandbox, down.

    Args:
        outside: a socket of the namespace with the bridge or the parent.
        interface: name, host, bridge, and optionally mac, mtu and hairpin; or name, kind, parent, mode, flag.
        netns_fd: descriptor of the sandbox's network namespace.

    Raises:
        OSError: ENODEV without the bridge or parent, EEXIST for a name in use; nothing was made.
    """
    if interface.get("kind"):
        try:
            outside.batch([stacked(outside, interface, netns_fd)])
        except OSError as error:
            kind = f"{interface['kind']} {interface['mode']} port"
            raise OSError(error.errno, f"failed to create the {kind}: {error.strerror}") from None
        return
    master = outside.index(interface["bridge"]) if interface.get("bridge") else 0
    message = netlink.veth(
        interface["host"], master, interface["name"], netns_fd, interface.get("mac") or "", interface.get("mtu") or 0
    )
    try:
        outside.batch([message, *([netlink.port_hairpin(interface["host"])] if interface.get("hairpin") else [])])
    except OSError as error:
        raise OSError(
            error.errno,
            f"failed to add the host ({interface['host']}) <=> sandbox "
            f"({interface['name']}) pair interfaces: {error.strerror}",
        ) from None


def configure_inside(
    inside: Netlink, interfaces: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]]
) -> None:
    """Complete a sandbox after `make_host_link`: lo up, addresses, links up, routes. One datagram.

    Args:
        inside: a socket opened in the sandbox's namespace.
        interfaces: name, addresses ("172.17.0.2/16").
        routes: to ("default" or a subnet), via.

    Raises:
        OSError: what the kernel refused; the namespace is to be dropped then.
    """
    messages = [netlink.link_up(netlink.LOOPBACK)]
    for interface in interfaces:
        index = inside.index(interface["name"])
        messages += [netlink.address_add(index, address) for address in interface.get("addresses") or ()]
        messages.append(netlink.link_up(index))
    messages += [_route(inside, route) for route in routes]
    inside.batch(messages)


def _route(inside: Netlink, route: Mapping[str, Any], replace: bool = False) -> Message:
    """A route of a sandbox's plan: by a gateway, or by a device alone."""
    index = inside.index(route["dev"]) if route.get("dev") else 0
    return netlink.route_add(route["to"], route.get("via", ""), index, replace, bool(route.get("six")))


def replace_routes(inside: Netlink, routes: Sequence[Mapping[str, Any]]) -> None:
    """Put a sandbox's routes in place of those to the same destinations. Raises OSError."""
    messages = [_route(inside, route, replace=True) for route in routes]
    if messages:
        inside.batch(messages)
