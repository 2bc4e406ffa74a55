"""Links of the default bridge (`--link`) where its containers may not talk to each other: the ways they open all the same."""

import logging
from collections.abc import Iterable, Sequence

from dockwright.base.errors import EngineError
from dockwright.networks.firewall.firewall import Firewall
from dockwright.networks.firewall.model import Way
from dockwright.networks.network import Sandbox
from dockwright.networks.registry import Registry
from dockwright.networks.request import Linked

log = logging.getLogger("dockwright.networks")


class LinkWays:
    """Opens and closes them.

    Args:
        firewall: None where the engine writes no rules.
    """

    def __init__(self, registry: Registry, firewall: Firewall | None) -> None:
        self._registry, self._firewall = registry, firewall

    def of(self, sandbox: Sandbox) -> list[Way]:
        """The ways from a container to the exposed ports of what it is linked to."""
        bridge = self._registry.named("bridge")
        endpoint = sandbox.endpoints.get(bridge.id) if bridge and not bridge.settings.icc else None
        if endpoint is None or endpoint.address is None:
            return []
        return [(str(endpoint.address), address, protocol, port) for address, protocol, port in sandbox.linked]

    def every(self, sandboxes: Iterable[Sandbox]) -> list[Way]:
        """Those of all."""
        return [way for sandbox in sandboxes for way in self.of(sandbox)]

    async def open(self, sandbox: Sandbox) -> None:
        """A container starts. Raises Internal."""
        if self._firewall:
            await self._firewall.link([], self.of(sandbox))

    async def change(self, sandbox: Sandbox, links: Sequence[Linked]) -> None:
        """Its links lead to other addresses now. Raises Internal."""
        before = self.of(sandbox)
        sandbox.linked = ports_of(links)
        if self._firewall:
            await self._firewall.link(before, self.of(sandbox))

    async def close(self, sandbox: Sandbox) -> None:
        """A container has ended."""
        try:
            if self._firewall:
                await self._firewall.link(self.of(sandbox), [])
        except EngineError as error:
            log.error("the links of %s: %s", sandbox.name, error.message)


def ports_of(links: Sequence[Linked]) -> list[tuple[str, str, int]]:
    """(address, protocol, port) of all exposed ports of what a container is linked to."""
    keys = [(link.address, key.partition("/")) for link in links for key in link.ports]
    return [(address, protocol, int(port)) for address, (port, _, protocol) in keys]
