"""Network drivers: what a kind of network does in the kernel, and what it puts into a sandbox's plan.

    check       may there be such a network?      before anything is made; pure
    make        the link on the host              made again, or found, at each start of the daemon: it is idempotent
    interface   one interface of a sandbox        pure; the shim makes it at a start, the daemon at a connect
    rejoin      an interface's end on the host    after a restart: back to where it should be
    retire      its addresses are free            at once, when it is removed
    remove      the link goes                     later, for that takes long; one that is gone is no error

Every driver passes tests/root/networks/test_network_drivers.py.
"""

from typing import Any, Protocol, runtime_checkable

from dockwright.networks.network import Endpoint, Network


class Driver(Protocol):
    """What the networks ask of a driver.

    Attributes:
        publishes: ports can be published by way of such a network. veth: an interface has an end on the host.
        own_mac: an interface has a MAC address of its own. external: other programs make the interfaces (`ExternalDriver`).
    """

    publishes: bool
    veth: bool
    own_mac: bool
    external: bool

    def check(self, network: Network, others: list[Network]) -> None:
        """Refuse a network that cannot be, and complete one that can (its link's name). Raises EngineError."""

    def make(self, network: Network, owner: str) -> None:
        """Make what it needs on the host, marked as `owner`'s, or find it there. Raises Internal; nothing is left then."""

    def interface(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """The interface of `endpoint`, as a sandbox plan has it (docs/architecture.md)."""

    def rejoin(self, network: Network, endpoint: Endpoint) -> None:
        """Put the host's end of a running container's interface back in its place. Raises OSError."""

    def retire(self, network: Network, owner: str) -> None:
        """Give up the addresses that links marked as `owner`'s have, so that another network can have them. It is quick."""

    def remove(self, network: Network, owner: str) -> None:
        """Take away what is marked as `owner`'s. Raises OSError."""


@runtime_checkable
class ExternalDriver(Driver, Protocol):
    """A driver whose interfaces are made by other programs, once the namespace is there."""

    async def join(self, network: Network, endpoint: Endpoint, namespace: str) -> None:
        """Make the interface; the endpoint gets its addresses. Raises EngineError; `leave` follows then."""

    async def leave(self, network: Network, endpoint: Endpoint, namespace: str) -> None:
        """Take the interface away; it may be half made, and the namespace may have gone."""
