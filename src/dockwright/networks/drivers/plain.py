"""The drivers of the networks that every engine has one of: the host's own, and none. Both put nothing into a sandbox."""

from typing import Any

from dockwright.base.errors import Forbidden
from dockwright.networks.network import Endpoint, Network

# What every private network namespace gets, as with Docker: low ports and ping need no privilege inside.
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


class PlainDriver:
    """There is one network of it, made by the engine."""

    publishes = veth = own_mac = False
    external = False

    def check(self, network: Network, others: list[Network]) -> None:
        """A second one cannot be. Raises Forbidden."""
        raise Forbidden(f'only one instance of "{network.driver}" network is allowed')

    def make(self, network: Network, owner: str) -> None:
        """Nothing to make."""

    def interface(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """No interface."""
        return {}

    def rejoin(self, network: Network, endpoint: Endpoint) -> None:
        """There is no interface."""

    def retire(self, network: Network, owner: str) -> None:
        """Nothing to give up."""

    def remove(self, network: Network, owner: str) -> None:
        """Nothing to remove."""
