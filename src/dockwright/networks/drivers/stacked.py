"""macvlan and ipvlan: interfaces that stand on a link of the host, its parent, and are on that link's network.

The parent is the user's, or a VLAN of it (eth0.10) that is made with the network and goes with it; without one it is a
link that leads nowhere. Nothing is masqueraded, no port is published, and the host itself does not reach the containers.
"""

import logging
from typing import Any

from dockwright.base.errors import Forbidden, Internal, InvalidParameter
from dockwright.kernel import interfaces, netlink
from dockwright.networks.drivers import links
from dockwright.networks.drivers.bridge import link_local, sysctls
from dockwright.networks.network import Endpoint, Network

log = logging.getLogger("dockwright.networks")
LAST_VLAN = 4094


class StackedDriver:
    """What macvlan and ipvlan have in common.

    Attributes:
        kind: of the link. modes: the first is the default. prefix: of the parent that leads nowhere.
    """

    publishes = veth = False
    external = False
    kind = prefix = ""
    modes: tuple[str, ...] = ()
    own_mac = True

    def check(self, network: Network, others: list[Network]) -> None:
        """The mode, and who else has the parent; the network's link is its parent.

        Raises:
            InvalidParameter, Forbidden: in Docker's words.
        """
        mode = self.mode(network)
        if mode not in self.modes:
            text = f"requested {self.kind} mode '{mode}' is not valid, '{self.modes[0]}' mode is the {self.kind} driver default"
            raise InvalidParameter(text)
        parent = network.settings.parent
        if parent == "lo":
            raise InvalidParameter(f"loopback interface is not a valid {self.kind} parent link")
        network.link = parent or f"{self.prefix}-{network.id[:12]}"
        network.internal = network.internal or not parent
        for other in others:
            if other.driver == self.kind and other.link == network.link and not other.config_only:
                self.refuse_shared(network, other)

    def refuse_shared(self, network: Network, other: Network) -> None:
        """Whether two networks can have one parent. Raises Forbidden."""

    def mode(self, network: Network) -> str:
        """The mode that is asked for, or the default."""
        raise NotImplementedError

    def make(self, network: Network, owner: str) -> None:
        """Find the parent, or make it: a VLAN, or a link that leads nowhere.

        Raises:
            InvalidParameter: there can be no such parent. Internal: the kernel refused.
        """
        with netlink.Netlink() as link:
            found = netlink.link(link, network.link)
            try:
                message = None if found else _parent(link, network)
                if message:
                    link.batch([message])
                index = link.index(network.link)
                link.batch([*([netlink.link_alias(index, owner)] if message else []), netlink.link_up(index)])
            except OSError as error:
                if found is None and (made := netlink.link(link, network.link)):
                    link.batch([netlink.link_delete(made["index"])])
                raise Internal(f"failed to set up {network.link}: {error.strerror}") from None

    def interface(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """An interface on the parent."""
        held = [*map(network.with_length, endpoint.addresses), *map(link_local, endpoint.link_local)]
        return {
            "name": endpoint.interface, "kind": self.kind, "parent": network.link, "mode": self.mode(network),
            "flag": network.settings.ipvlan_flag or "bridge", "mac": endpoint.mac, "mtu": network.settings.mtu,
            "addresses": held, "sysctls": sysctls(network, endpoint, held),
        }  # fmt: skip

    def rejoin(self, network: Network, endpoint: Endpoint) -> None:
        """The host has no end of it: an interface goes with its parent."""

    def retire(self, network: Network, owner: str) -> None:
        """The parent has no addresses of the network's."""

    def remove(self, network: Network, owner: str) -> None:
        """Delete the parent if it is ours; one that has gone is no error. Raises OSError."""
        links.delete(network.link, owner)


class MacvlanDriver(StackedDriver):
    """Each container has a MAC address of its own on the parent's network."""

    kind, prefix = "macvlan", "dm"
    modes = ("bridge", "private", "vepa", "passthru")

    def mode(self, network: Network) -> str:
        """bridge, private, vepa or passthru."""
        return network.settings.macvlan_mode or self.modes[0]

    def refuse_shared(self, network: Network, other: Network) -> None:
        """A parent passed through has one network only."""
        if "passthru" in (self.mode(network), self.mode(other)):
            raise Forbidden(f"network {other.name} is already using parent interface {network.link} in mode passthru")


class IpvlanDriver(StackedDriver):
    """All containers have the parent's MAC address; in the modes l3 and l3s the parent's host is their router."""

    kind, prefix = "ipvlan", "di"
    modes = ("l2", "l3", "l3s")
    flags = ("bridge", "private", "vepa")
    own_mac = False

    def check(self, network: Network, others: list[Network]) -> None:
        """Also the flag. Raises as the other."""
        super().check(network, others)
        flag = network.settings.ipvlan_flag or self.flags[0]
        if flag not in self.flags:
            raise InvalidParameter(f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default")

    def mode(self, network: Network) -> str:
        """l2, l3 or l3s."""
        return network.settings.ipvlan_mode or self.modes[0]

    def refuse_shared(self, network: Network, other: Network) -> None:
        """One network has a parent."""
        raise Forbidden(f"network {other.name} is already using parent interface {network.link}")

    def interface(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """Without ARP in the modes that route (the kernel switches it off), so without an announcement, too."""
        planned = super().interface(network, endpoint)
        if self.mode(network) != "l2":
            planned["sysctls"] = {key: value for key, value in planned["sysctls"].items() if "arp_notify" not in key}
        return planned


def _parent(link: netlink.Netlink, network: Network) -> netlink.Message:
    """The message that makes a parent which is not there. Raises InvalidParameter, OSError."""
    if not network.settings.parent:
        return interfaces.dummy(network.link)
    master, dot, number = network.link.rpartition(".")
    if not dot or not number.isdecimal():
        text = f"invalid subinterface vlan name {network.link}, example formatting is eth0.10"
        raise InvalidParameter(text)
    if not 1 <= int(number) <= LAST_VLAN:
        raise InvalidParameter(f"vlan id must be between 1-{LAST_VLAN}, received: {number}")
    found = netlink.link(link, master)
    if found is None:
        raise InvalidParameter(f"failed to find master interface {master} on the host: Link not found")
    return interfaces.vlan(network.link, found["index"], int(number))
