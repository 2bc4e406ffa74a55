"""What the firewall is to do, in nobody's words: which bridges there are and what each may, which ports are published.

Two drivers put it into the kernel's: `nft` (libnftables) and `iptables` (iptables-restore, ip6tables-restore).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from dockwright.networks.publish import Binding

Published = tuple[Binding, str]  # a binding and the container's address
Way = tuple[str, str, str, int]  # from a container's address to another's, protocol and port

MARK = 0x2000  # the bit of a connection that netd has made with a client's address, and of what comes back to it


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the firewall must know of one bridge.

    Attributes:
        link, subnet, subnet6: its name and its subnets; None for a family it does not have.
        icc, internal: its containers may talk to each other; nothing else is reached, or reaches them.
        masquerade, source4, source6: what leaves gets the address of the interface it leaves by, or a given one.
        open4, open6: all of a container's ports may be reached from outside.
        routed4, routed6: its containers are reached at their own addresses: nothing is masqueraded, and published ports are
            open there.
        trusted: interfaces by which they may be reached in any case.
    """

    link: str
    subnet: IPv4Network | None
    icc: bool = True
    masquerade: bool = True
    internal: bool = False
    subnet6: IPv6Network | None = None
    source4: str = ""
    source6: str = ""
    open4: bool = False
    open6: bool = False
    trusted: tuple[str, ...] = ()
    routed4: bool = False
    routed6: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """The words of one family: of nftables' table, of its addresses, and what its bridges' rules say of it."""

    word: str
    address: str
    number: int

    def subnet(self, bridge: BridgeRules) -> IPv4Network | IPv6Network | None:
        """The bridge's subnet of this family."""
        return bridge.subnet if self.number == 4 else bridge.subnet6

    def source(self, bridge: BridgeRules) -> str:
        """The address that what leaves shall have."""
        return bridge.source4 if self.number == 4 else bridge.source6

    def opened(self, bridge: BridgeRules) -> bool:
        """Whether unpublished ports may be reached."""
        return bridge.open4 if self.number == 4 else bridge.open6

    def routed(self, bridge: BridgeRules) -> bool:
        """Whether containers are reached at their own addresses."""
        return bridge.routed4 if self.number == 4 else bridge.routed6

    def direct(self, items: Iterable[Published]) -> Iterator[Published]:
        """The published ports that are reached at the container's own address, of this family."""
        return ((binding, address) for binding, address in items if binding.direct and (":" in address) == (self.number == 6))

    def published(self, items: Iterable[Published], proxy: bool = True) -> Iterator[Published]:
        """Those with a host address of this family that a rule can carry; the others are netd's.

        Args:
            proxy: netd carries loopback addresses; else rules do for IPv4.
        """
        six = self.number == 6
        for binding, address in items:
            carried = binding.loopback and (proxy or six)
            if (":" in binding.host_ip) == six == (":" in address) and not carried and not binding.direct:
                yield binding, address

    def closed(self, items: Iterable[Published]) -> Iterator[Binding]:
        """Those on a loopback address, which packets from elsewhere must not reach; of ::1 the kernel sees to that."""
        return (binding for binding, _ in items if self.number == 4 and binding.loopback and ":" not in binding.host_ip)


FOUR, SIX = Family("ip", "ipv4_addr", 4), Family("ip6", "ipv6_addr", 6)


@dataclass(slots=True)
class State:
    """All that the firewall is to do.

    Attributes:
        bridges: by link. published: in the order of their opening.
        ways: what links open between containers that may not talk to each other.
        outside: published ports are taken by rules wherever a packet comes from; else only from our bridges and the host itself,
            and what comes from outside meets the host's own firewall first (netd carries it, from the client's address: its
            connections are known by their source, and what comes back to them is marked, see `wayback`).
        proxy: netd carries what is sent to 127.0.0.1; else rules do, and the bridges route such packets (route_localnet).
    """

    bridges: dict[str, BridgeRules] = field(default_factory=dict)
    published: dict[Published, None] = field(default_factory=dict)
    ways: dict[Way, None] = field(default_factory=dict)
    outside: bool = True
    proxy: bool = True

    @property
    def families(self) -> tuple[Family, ...]:
        """Those that a bridge has."""
        return (FOUR, SIX) if any(bridge.subnet6 is not None for bridge in self.bridges.values()) else (FOUR,)


class Refused(Exception):
    """The kernel, or a program, refused a change; the text is its own. Nothing was changed."""


class Driver(Protocol):
    """What puts a State into the kernel. The calls block; each is one transaction for each family.

    Attributes:
        name: "nftables" or "iptables". kind: of iptables: "nft" or "legacy"; "" for nftables.
        blocks: a call takes milliseconds, so it belongs into a thread.
    """

    name: str
    kind: str
    blocks: bool

    def write(self, state: State) -> None:
        """Everything, replacing what there is of ours. Raises Refused."""

    def add(self, state: State, bridge: BridgeRules) -> None:
        """One more bridge, which is in `state` already. Raises Refused."""

    def remove(self, state: State, bridge: BridgeRules) -> None:
        """One bridge less, which is not in `state` any more. Raises Refused."""

    def exchange(self, state: State, old: list[Published], new: list[Published]) -> None:
        """Close ports and open others; `state` has them already. Raises Refused."""

    def link(self, state: State, old: list[Way], new: list[Way]) -> None:
        """Close ways and open others; `state` has them already. Raises Refused."""

    def text(self, published: list[Published]) -> str:
        """What opens ports, as it is run."""

    def whole(self, state: State) -> bool:
        """Whether what is in the kernel is what was written."""

    def clear(self) -> None:
        """Take away everything of ours. Raises Refused."""
