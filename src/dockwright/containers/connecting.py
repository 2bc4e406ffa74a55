"""A container into one more network, and out of one: while it runs its interface comes or goes, else it is written down."""

from dockwright.base.errors import Conflict, EngineError, Forbidden, Internal, InvalidParameter, NotFound
from dockwright.base.paths import Paths
from dockwright.containers import networking
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.networks import NetworkManager
from dockwright.networks.network import Network
from dockwright.types.network import EndpointSettings

HOST_OR_SHARED = "container sharing network namespace with another container or host cannot be connected to any other network"
FROM_HOST = "cannot disconnect container from host network - container was created in host network mode"


class Connecting:
    """connect and disconnect."""

    def __init__(self, store: Store, paths: Paths, networks: NetworkManager) -> None:
        self._store, self._paths, self._networks = store, paths, networks

    async def connect(self, ref: str, name: str, wanted: EndpointSettings | None) -> None:
        """POST /networks/{id}/connect.

        Args:
            ref: the network. name: the container.

        Raises:
            EngineError: in Docker's words; nothing has changed then.
        """
        container = self._store.find(name)
        async with container.lock:
            _refuse_removing(container)
            if container.state.running and not container.state.restarting:
                await self._connect_running(container, self._networks.resolve(ref), wanted or EndpointSettings())
            else:
                await self._connect_stopped(container, ref, wanted or EndpointSettings())

    async def _connect_running(self, container: Container, network: Network, wanted: EndpointSettings) -> None:
        self._check(container, network.name, wanted)
        if self._networks.is_connected(container.id, network):
            raise Forbidden(f"endpoint with name {container.name} already exists in network {network.name}")
        lines = await self._networks.connect(network, wanted, networking.wishes(container))
        container.networks[network.name] = wanted
        try:
            await self._store.update(container)
        except BaseException:
            del container.networks[network.name]
            await self._networks.disconnect(network, networking.wishes(container))
            raise
        folder = self._paths.container(container.id)
        networking.add_lines(f"{folder}/hosts", lines)
        networking.rewrite_resolv_conf(folder, self._networks.resolv_conf(networking.wishes(container)).encode())

    async def _connect_stopped(self, container: Container, ref: str, wanted: EndpointSettings) -> None:
        """Write down what the next start does. A network that does not exist may do so by then."""
        name = networking.name_of(ref, self._networks)
        self._check(container, name, wanted)
        before = dict(container.networks)
        container.networks[name] = wanted
        await self._written(container, before)

    def _check(self, container: Container, name: str, wanted: EndpointSettings) -> None:
        """Raises InvalidParameter, in Docker's words."""
        mode = container.host.NetworkMode or ""
        if mode == "host" or mode.startswith(networking.JOIN):
            raise InvalidParameter(HOST_OR_SHARED)
        if name == "host":
            raise InvalidParameter(networking.TO_HOST)
        if (name != "none" and "none" in container.networks) or (name == "none" and set(container.networks) - {"none"}):
            raise InvalidParameter(networking.TO_NONE)
        self._networks.check(name, wanted)

    async def disconnect(self, ref: str, name: str, force: bool) -> None:
        """POST /networks/{id}/disconnect.

        Args:
            ref: the network. name: the container. force: an endpoint of a container that is not there goes, too.

        Raises:
            EngineError: in Docker's words.
        """
        try:
            container = self._store.find(name)
        except NotFound:
            if not force:
                raise
            raise NotFound(f"endpoint {name} not found") from None
        async with container.lock:
            _refuse_removing(container)
            if container.host.NetworkMode == "host" and networking.name_of(ref, self._networks) == "host":
                raise InvalidParameter(FROM_HOST)
            if container.state.running and not container.state.restarting:
                await self._disconnect_running(container, self._networks.resolve(ref))
            else:
                await self._disconnect_stopped(container, networking.name_of(ref, self._networks))

    async def _disconnect_running(self, container: Container, network: Network) -> None:
        if not self._networks.is_connected(container.id, network):
            raise Internal(f"container {container.id} is not connected to network {network.name}")
        before = dict(container.networks)
        container.networks.pop(network.name, None)
        await self._written(container, before)
        try:
            lines = await self._networks.disconnect(network, networking.wishes(container))
        except EngineError:
            container.networks = before
            await self._store.update(container)
            raise
        networking.remove_lines(f"{self._paths.container(container.id)}/hosts", lines)

    async def _disconnect_stopped(self, container: Container, name: str) -> None:
        if name not in container.networks:
            raise Internal(f"container {container.id} is not connected to the network {name}")
        before = dict(container.networks)
        del container.networks[name]
        await self._written(container, before)

    async def _written(self, container: Container, before: dict[str, EndpointSettings]) -> None:
        """Keep its networks as they are now; as they were `before` if that fails."""
        try:
            await self._store.update(container)
        except BaseException:
            container.networks = before
            raise


def _refuse_removing(container: Container) -> None:
    if container.state.removing:
        text = f"Container {container.id} is marked for removal and cannot be connected or disconnected to the network"
        raise Conflict(text)
