"""`docker container prune`: every container that does not run, unless filters say otherwise."""

import time
from collections.abc import Sequence
from typing import Any

from dockwright.base.errors import Conflict, EngineError, InvalidParameter
from dockwright.base.times import seconds
from dockwright.containers.container import Container
from dockwright.containers.listing import labelled
from dockwright.containers.removal import Removal
from dockwright.containers.store import Store
from dockwright.images import created
from dockwright.images.manager import ImageManager

Filters = dict[str, Sequence[str]]
FILTERS = ("label", "label!", "until")


class Pruning:
    """prune; one at a time."""

    def __init__(self, store: Store, images: ImageManager, removal: Removal) -> None:
        self._store, self._images, self._removal = store, images, removal
        self._running = False

    async def prune(self, filters: Filters) -> dict[str, Any]:
        """POST /containers/prune.

        Raises:
            Conflict: another one is under way. InvalidParameter: a filter that cannot be.
        """
        for name in filters:
            if name not in FILTERS:
                raise InvalidParameter(f"invalid filter '{name}'")
        if len(filters.get("until", ())) > 1:
            raise InvalidParameter("more than one until filter specified")
        if self._running:
            raise Conflict("a prune operation is already running")
        self._running = True
        try:
            return await self._prune(filters)
        finally:
            self._running = False

    async def _prune(self, filters: Filters) -> dict[str, Any]:
        before = [created.moment(text, time.time_ns()) for text in filters.get("until", ())]
        deleted, space = [], 0
        for container in self._store:
            if container.state.running or not _wanted(container, filters, before[0] if before else None):
                continue
            size, _ = await self._images.layers.size(container.id)
            try:
                await self._removal.remove(container.id, False, False, False)
            except EngineError:
                continue  # somebody has started it, or removes it
            deleted.append(container.id)
            space += size
        self._store.told("prune", reclaimed=str(space))
        return {"ContainersDeleted": deleted or None, "SpaceReclaimed": space}


def _wanted(container: Container, filters: Filters, before: int | None) -> bool:
    labels = container.config["Labels"] or {}
    return (
        all(labelled(labels, value) for value in filters.get("label", ()))
        and not any(labelled(labels, value) for value in filters.get("label!", ()))
        and (before is None or seconds(container.created) * 1e9 < before)
    )
