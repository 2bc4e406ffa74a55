"""The drivers `host` and `null`: nothing in the kernel; the host's namespace, or one of the container's own with lo."""

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
