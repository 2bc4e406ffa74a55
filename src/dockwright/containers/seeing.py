"""What can be seen of containers: inspect, list, top, stats, the trace of the last start."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from dockwright.base.errors import EngineError
from dockwright.base.paths import Paths
from dockwright.base.times import ZERO, padded
from dockwright.containers import documents, links, networking, stats, top
from dockwright.containers.container import Container
from dockwright.containers.listing import Listing
from dockwright.containers.logfiles import json_path
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.runtime.cgroups.group import Cgroup

INTERVAL = 1.0  # seconds between two samples
Rows = list[dict[str, Any]]


class Seeing:
    """inspect, list, top, stats, trace: they change nothing."""

    def __init__(self, store: Store, paths: Paths, images: ImageManager, networks: NetworkManager) -> None:
        self._store, self._paths, self._images, self._networks = store, paths, images, networks

    async def inspect(self, ref: str, size: bool) -> dict[str, Any]:
        """GET /containers/{id}/json."""
        container = self._store.find(ref)
        folder = self._paths.container(container.id)
        graph = self._images.layers.graph_driver(container.id)
        network = self._networks.settings(networking.wishes(container), container.state.started_at != ZERO)
        document = documents.inspect(container, graph, json_path(container, self._paths), folder, network)
        document["HostConfig"]["Links"] = links.shown(container, self._store) or None
        return {**document, **(await self._sizes(container) if size else {})}

    async def list(self, all: bool, limit: int, size: bool, filters: dict[str, Sequence[str]]) -> Rows:
        """GET /containers/json: the newest first."""
        listing = Listing(self._store, self._images, filters)
        everything = all or limit > 0 or listing.everything
        rows: Rows = []
        meant: dict[str, str] = {}
        for container in sorted(self._store, key=lambda c: padded(c.created), reverse=True):
            if (everything or container.state.running) and listing.wants(container):
                row = self._row(container, meant)
                if listing.wants_row(row):
                    rows.append({**row, **(await self._sizes(container, omit_zero=True) if size else {})})
            if 0 < limit <= len(rows):
                break
        return rows

    def _row(self, container: Container, meant: dict[str, str]) -> dict[str, Any]:
        """meant: the ids of the images that names mean, as far as they have been looked up."""
        network = self._networks.settings(networking.wishes(container), container.state.started_at != ZERO)
        row = documents.summary(container, network, self._networks.port_rows(container.id))
        return {**row, "Image": self._image_name(container, meant), "Names": links.names(container, self._store)}

    def _image_name(self, container: Container, meant: dict[str, str]) -> str:
        """The image as it was asked for, or its id once that name means another one."""
        name = str(container.config["Image"])
        if container.image and name not in meant:
            try:
                meant[name] = self._images.resolve(name).id
            except EngineError:
                meant[name] = ""
        return name if not container.image or meant[name] == container.image else container.image

    async def _sizes(self, container: Container, omit_zero: bool = False) -> dict[str, int]:
        written, whole = await self._images.layers.size(container.id)
        return {**({} if omit_zero and not written else {"SizeRw": written}), "SizeRootFs": whole}

    async def top(self, ref: str, ps_args: str) -> dict[str, Any]:
        """GET /containers/{id}/top."""
        container = self._store.find(ref)
        container.refuse_not_running()
        found = await top.processes(ps_args, Cgroup(container.cgroup).pids())
        self._store.event(container, "top")
        return found

    async def stats(self, ref: str, stream: bool, one_shot: bool) -> AsyncIterator[dict[str, Any]]:
        """GET /containers/{id}/stats: a sample a second until the container is removed; else the second of two, or one."""
        container = self._store.find(ref)
        if not stream and not container.state.running:
            yield stats.empty(container)
            return
        before: dict[str, Any] | None = None
        while not container.state.removing:
            running = container.state.running
            sample = stats.sample(container, before) if running else stats.empty(container)
            if stream or one_shot or before:
                yield sample
            if not stream and (one_shot or before):
                return
            before = sample if running else None
            await asyncio.sleep(INTERVAL)
        if not stream:
            yield stats.empty(container)

    async def trace(self, ref: str) -> Rows:
        """The steps of the last start: actor, kind, text, start and duration in nanoseconds."""
        keys = ("Actor", "Kind", "Text", "Start", "Took")
        return [dict(zip(keys, record, strict=True)) for record in self._store.find(ref).trace]
