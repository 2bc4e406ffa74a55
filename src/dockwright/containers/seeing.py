"""What can be seen of containers: inspect, list, top, stats, the trace of the last start."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from dockwright.base.errors import NotSupported
from dockwright.base.paths import Paths
from dockwright.containers import documents, starting
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager

Rows = list[dict[str, Any]]


class Seeing:
    """inspect, list, top, stats, trace: they change nothing."""

    def __init__(self, store: Store, paths: Paths, images: ImageManager, networks: NetworkManager) -> None:
        self._store, self._paths, self._images, self._networks = store, paths, images, networks

    async def inspect(self, ref: str, size: bool) -> dict[str, Any]:
        """GET /containers/{id}/json."""
        container = self._store.find(ref)
        if size:
            raise NotSupported("container sizes are not implemented yet")
        folder = self._paths.container(container.id)
        graph = self._images.layers.graph_driver(container.id)
        network = self._networks.settings(container.id, container.host.NetworkMode or "")
        return documents.inspect(container, graph, starting.log_path(container, self._paths), folder, network)

    async def list(self, all: bool, limit: int, size: bool, filters: dict[str, Sequence[str]]) -> Rows:
        """GET /containers/json."""
        if filters or size:
            raise NotSupported(f"invalid filter '{next(iter(filters), 'size')}': it is not implemented yet")
        chosen = sorted(self._store, key=lambda c: c.created, reverse=True)
        if not all and not limit:
            chosen = [container for container in chosen if container.state.running]
        return [self._summary(container) for container in chosen[: limit or None]]

    def _summary(self, container: Container) -> dict[str, Any]:
        network = self._networks.settings(container.id, container.host.NetworkMode or "")
        return documents.summary(container, network, self._networks.port_rows(container.id))

    async def top(self, ref: str, ps_args: str) -> dict[str, Any]:
        """GET /containers/{id}/top: not there yet."""
        self._store.find(ref)
        raise NotSupported("top is not implemented yet")

    async def stats(self, ref: str, stream: bool, one_shot: bool) -> AsyncIterator[dict[str, Any]]:
        """GET /containers/{id}/stats: not there yet."""
        self._store.find(ref)
        raise NotSupported("stats are not implemented yet")
        yield {}

    async def trace(self, ref: str) -> Rows:
        """The steps of the last start: actor, kind, text, start and duration in nanoseconds."""
        keys = ("Actor", "Kind", "Text", "Start", "Took")
        return [dict(zip(keys, record, strict=True)) for record in self._store.find(ref).trace]
