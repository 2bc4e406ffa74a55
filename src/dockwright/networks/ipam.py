"""Address management: the addresses of one subnet. Pure; the leases are rows of the sandboxes.

The lowest free address is given, and given again as soon as it is free: as with Docker.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from dockwright.base.errors import Forbidden, Internal, InvalidParameter

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network
GATEWAY = {4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6"}  # auxiliary addresses of these names are the containers' gateway


class Pool:
    """The addresses of one subnet.

    Args:
        subnet: the network.
        gateway: kept out of the pool; None for none.
        ip_range: the part of the subnet that is given out; None for all of it.
        auxiliary: addresses that belong to others, by their names; kept out likewise.
        told: the gateway is shown: it is the user's choice, or the subnet is ours.
    """

    def __init__(
        self, subnet: Subnet, gateway: Address | None = None, ip_range: Subnet | None = None,
        auxiliary: Mapping[str, Address] | None = None, told: bool = True,
    ) -> None:  # fmt: skip
        self.subnet, self.gateway, self.ip_range, self.told = subnet, gateway, ip_range, told
        self.auxiliary = dict(auxiliary or {})
        given = ip_range or subnet
        self._first, self._last = int(given.network_address), int(given.broadcast_address)
        self._own = frozenset(self._reserved())
        self._used = set(self._own)
        self._lowest = self._first

    def _reserved(self) -> list[int]:
        """What is never given: the network's and the broadcast address (IPv6: only the first), gateway, auxiliary ones."""
        own = [int(address) for address in (self.gateway, *self.auxiliary.values()) if address is not None]
        if self.subnet.max_prefixlen - self.subnet.prefixlen > 1:
            own.append(int(self.subnet.network_address))
            own += [int(self.subnet.broadcast_address)] if self.version == 4 else []
        return own

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.subnet.version

    @property
    def containers_gateway(self) -> Address | None:
        """Where the containers' default route leads to."""
        return self.auxiliary.get(GATEWAY[self.version], self.gateway)

    def take(self, wanted: Address | None = None) -> Address:
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

    def _take_lowest(self) -> Address:
        number = self._lowest
        while number in self._used:
            number += 1
        if number > self._last:
            raise Internal(f"no available IPv{self.version} addresses on this network's address pools")
        self._used.add(number)
        self._lowest = number + 1
        return self.subnet.network_address.__class__(number)

    def give_back(self, address: Address) -> None:
        """Make `address` free. The network's own addresses stay taken."""
        number = int(address)
        if number in self._own:
            return
        self._used.discard(number)
        if self._first <= number < self._lowest:
            self._lowest = number

    def owns(self, address: Address) -> bool:
        """Whether `address` is the network's own: nobody holds it."""
        return int(address) in self._own

    def __contains__(self, address: Address) -> bool:
        return int(address) in self._used

    def usage(self) -> tuple[int, int]:
        """How many addresses are in use, and how many more can be given (inside the range)."""
        free = self._last - self._first + 1 - sum(self._first <= number <= self._last for number in self._used)
        return len(self._used), free

    def document(self) -> dict[str, Any]:
        """The pool as the API shows it: what is not there is left out."""
        shown = self.row()
        if not shown.pop("Told", True):
            del shown["Gateway"]
        return shown

    def row(self) -> dict[str, Any]:
        """The pool as the database has it."""
        found: dict[str, Any] = {"Subnet": str(self.subnet)}
        if self.ip_range is not None:
            found["IPRange"] = str(self.ip_range)
        if self.gateway is not None:
            found["Gateway"] = str(self.gateway)
        if self.auxiliary:
            found["AuxiliaryAddresses"] = {name: str(address) for name, address in self.auxiliary.items()}
        if not self.told:
            found["Told"] = False
        return found

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Pool":
        """The pool `row` was made of."""
        gateway, part = row.get("Gateway"), row.get("IPRange")
        auxiliary = {name: ip_address(text) for name, text in (row.get("AuxiliaryAddresses") or {}).items()}
        return cls(
            ip_network(row["Subnet"]), ip_address(gateway) if gateway else None, ip_network(part) if part else None, auxiliary,
            row.get("Told", True),
        )  # fmt: skip


def mac_of(address: Address | None) -> str:
    """The MAC address Docker makes from an IPv4 address: who gets the address again is not hidden by stale ARP entries.

    Without an IPv4 address a random one, locally administered.
    """
    tail = address.packed if address is not None and address.version == 4 else os.urandom(4)
    return "02:42:" + tail.hex(":")
