"""Address management: which subnet a network gets, which address an endpoint gets. Pure; the rows are the manager's.

The lowest free address is given, and given again as soon as it is free: as with Docker.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from dockwright.base.errors import Forbidden, Internal, InvalidParameter


class Pool:
    """The addresses of one IPv4 subnet.

    Args:
        subnet: the network.
        gateway: kept out of the pool; None for none.
        ip_range: the part of the subnet that is given out; None for all of it.
    """

    def __init__(self, subnet: IPv4Network, gateway: IPv4Address | None, ip_range: IPv4Network | None = None) -> None:
        self.subnet = subnet
        self.gateway = gateway
        given = ip_range or subnet
        self._first, self._last = int(given[0]), int(given[-1])
        self._used: set[int] = {int(gateway)} if gateway is not None else set()
        if subnet.prefixlen < 31:
            self._used |= {int(subnet[0]), int(subnet[-1])}
        self._lowest = self._first

    def take(self, wanted: IPv4Address | None = None) -> IPv4Address:
        """Take `wanted`, or the lowest free address.

        Raises:
            InvalidParameter: `wanted` is not of this subnet.
            Forbidden: `wanted` is taken.
            Internal: no address is free.
        """
        if wanted is None:
            return self._take_lowest()
        if wanted not in self.subnet:
            raise InvalidParameter(f"no configured subnet contains IP address {wanted}")
        if int(wanted) in self._used:
            raise Forbidden("Address already in use")
        self._used.add(int(wanted))
        return wanted

    def _take_lowest(self) -> IPv4Address:
        number = self._lowest
        while number in self._used:
            number += 1
        if number > self._last:
            raise Internal("no available IPv4 addresses on this network's address pools")
        self._used.add(number)
        self._lowest = number + 1
        return IPv4Address(number)

    def give_back(self, address: IPv4Address) -> None:
        """Make `address` free. The network's own addresses stay taken."""
        own = {self.gateway, self.subnet[0], self.subnet[-1]} if self.subnet.prefixlen < 31 else {self.gateway}
        if address in own:
            return
        self._used.discard(int(address))
        if self._first <= int(address) < self._lowest:
            self._lowest = int(address)

    def __contains__(self, address: IPv4Address) -> bool:
        return int(address) in self._used


def candidates(pools: Iterable[tuple[str, int]]) -> Iterator[IPv4Network]:
    """The subnets the pools offer, lowest first within each. Raises InvalidParameter for a malformed pool."""
    for base, length in pools:
        try:
            yield from IPv4Network(base).subnets(new_prefix=length)
        except ValueError as error:
            raise InvalidParameter(f"invalid address pool {base}: {error}") from None


def choose(pools: Iterable[tuple[str, int]], taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first subnet of the pools that overlaps nothing in `taken`. Raises InvalidParameter when there is none."""
    occupied = list(taken)
    for subnet in candidates(pools):
        if not any(subnet.overlaps(other) for other in occupied):
            return subnet
    raise InvalidParameter("all predefined address pools have been fully subnetted")


def gateway_of(bip: str) -> IPv4Interface:
    """`--bip` as address and subnet. Raises InvalidParameter."""
    try:
        interface = IPv4Interface(bip)
    except ValueError as error:
        raise InvalidParameter(f"invalid --bip {bip}: {error}") from None
    if interface.network.prefixlen >= 31 or interface.ip in (interface.network[0], interface.network[-1]):
        raise InvalidParameter(f"invalid --bip {bip}: it needs a host address of a subnet")
    return interface


def mac_of(address: IPv4Address) -> str:
    """The MAC address Docker makes from an IPv4 address: who gets the address again is not hidden by stale ARP entries."""
    return "02:42:" + address.packed.hex(":")
