"""The drivers without a link: the host's namespace, one of the container's own with only lo, another container's."""

from typing import Any

from dockwright.networks.network import Endpoint, Network

# What every private network namespace gets, as with Docker: low ports and ping need no privilege inside.
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


class HostDriver:
    """The host's own network namespace."""

    def plan(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """Nothing is made."""
        return {"kind": "host"}

    def remove(self, network: Network) -> None:
        """Nothing to remove."""


class NullDriver:
    """A namespace with nothing but lo."""

    def plan(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """A namespace of its own."""
        return {"kind": "none", "sysctls": dict(SYSCTLS)}

    def remove(self, network: Network) -> None:
        """Nothing to remove."""


class JoinDriver:
    """Another container's network namespace.

    Args:
        path: of that namespace.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def plan(self, network: Network, endpoint: Endpoint) -> dict[str, Any]:
        """The namespace is joined, nothing is made."""
        return {"kind": "join", "path": self._path}

    def remove(self, network: Network) -> None:
        """Nothing to remove."""
