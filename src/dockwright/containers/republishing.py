"""Other published ports for a container that is there: at once if it runs, else from its next start on."""

import copy

from dockwright.base.errors import InvalidParameter
from dockwright.containers import networking
from dockwright.containers.container import Container
from dockwright.grammar.ports import PortError, from_bindings
from dockwright.networks import NetworkManager
from dockwright.types.container import PortBinding

Bindings = dict[str, list[PortBinding] | None]


class Republishing:
    """Changes of HostConfig.PortBindings. The caller holds the container's lock and writes its row afterwards."""

    def __init__(self, networks: NetworkManager) -> None:
        self._networks = networks

    async def apply(self, container: Container, wanted: Bindings) -> None:
        """Publish `wanted` and nothing else.

        Raises:
            EngineError: in Docker's words; container and kernel are as before then.
        """
        mode = container.host.NetworkMode or ""
        if mode == "host" or mode.startswith(networking.JOIN):
            raise InvalidParameter("conflicting options: port publishing and the container type network mode")
        host, config = container.host, container.config
        container.host = copy.copy(host)
        container.host.PortBindings = dict(wanted)
        try:
            publications = from_bindings(networking.bindings(container.host))
        except PortError as error:
            container.host = host
            raise InvalidParameter(str(error)) from None
        exposed = {**(config.get("ExposedPorts") or {}), **{publication.key: {} for publication in publications}}
        container.config = {**config, "ExposedPorts": exposed or None}
        try:
            await self.publish(container)
        except BaseException:
            container.host, container.config = host, config
            raise

    async def publish(self, container: Container) -> None:
        """Let what is published be what the container's configuration says. Raises EngineError; nothing has changed then."""
        if container.state.running and not container.state.restarting:
            await self._networks.republish(networking.wishes(container))
