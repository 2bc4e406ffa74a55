"""Network drivers: what a kind of network does in the kernel, and what it puts into a sandbox's plan.

A driver is a module or object with the functions of `Driver`. `bridge` has a link on the host, `host` and `null` have none.
"""

from typing import Any, Protocol

from dockwright.networks.network import Endpoint, Network


class Driver(Protocol):
    """What the manager asks of a driver."""

    def plan(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """The sandbox plan (docs/architecture.md) of a container on `network`. Pure."""

    def remove(self, network: Network) -> None:
        """Take away what the network has in the kernel. Raises OSError."""
