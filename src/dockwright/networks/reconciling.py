"""After a restart: each running container's namespace becomes what was asked for and answered.

A connect or disconnect that the earlier daemon did not bring to its end is undone or finished; an interface or a bridge
that somebody has taken away comes back. What cannot be put right is told in the log, and the daemon goes on.
"""

import logging

from dockwright.base.errors import EngineError
from dockwright.networks import live, plans
from dockwright.networks.plans import Joined
from dockwright.networks.registry import Registry
from dockwright.networks.request import SandboxRequest
from dockwright.networks.sandboxes import Sandboxes

log = logging.getLogger("dockwright.networks")


class Reconciling:
    """The one method is `reconcile`."""

    def __init__(self, registry: Registry, sandboxes: Sandboxes) -> None:
        self._registry, self._sandboxes = registry, sandboxes

    async def reconcile(self, request: SandboxRequest) -> None:
        """Compare a running container's wishes, its row and its namespace."""
        sandbox = self._sandboxes.get(request.container)
        if sandbox is None or sandbox.kind == "host":
            return
        try:
            present = await live.names(self._sandboxes.key(sandbox))
            for pair in self._sandboxes.joined(sandbox):
                await self._endpoint(pair, present, request)
            await self._missing(request)
        except (EngineError, OSError) as error:
            log.error("the networks of container %s: %s", request.name, error)

    async def _endpoint(self, pair: Joined, present: set[str], request: SandboxRequest) -> None:
        """One endpoint of the row: it goes if nobody has asked for it, and its interface comes back if it is gone."""
        network, endpoint = pair
        if network.name not in request.networks:
            log.warning("container %s leaves network %s: that was begun before the restart", request.name, network.name)
            await self._sandboxes.disconnect(network, request)
        elif endpoint.interface and endpoint.interface not in present:
            log.warning("container %s has lost its interface %s: made again", request.name, endpoint.interface)
            sandbox = self._sandboxes.get(request.container)
            assert sandbox
            interface = self._registry.driver(network).interface(network, endpoint)
            routes = plans.routes(self._sandboxes.joined(sandbox))
            if interface:
                await live.attach(self._sandboxes.key(sandbox), interface, routes)
        else:
            self._registry.driver(network).rejoin(network, endpoint)

    async def _missing(self, request: SandboxRequest) -> None:
        """A network that was asked for, and of which the row says nothing."""
        sandbox = self._sandboxes.get(request.container)
        for name, wanted in request.networks.items():
            network = self._registry.named(name)
            if network and sandbox and network.id not in sandbox.endpoints:
                await self._sandboxes.connect(network, wanted, request)
