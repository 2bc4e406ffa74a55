"""`docker image prune`: the images nobody uses, and what that frees."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dockwright.base.errors import Conflict, InvalidParameter, NotFound
from dockwright.events import EventBus
from dockwright.images import listing, store
from dockwright.images.listing import Filters, Listed
from dockwright.images.store import Image
from dockwright.metadata import Database

Rows = list[dict[str, Any]]
Delete = Callable[[str], Awaitable[Rows]]
FILTERS = ("dangling", "label", "label!", "until")


class Pruner:
    """One prune at a time."""

    def __init__(self, database: Database, events: EventBus) -> None:
        self._database, self._events = database, events
        self._running = asyncio.Lock()

    async def prune(self, filters: Filters, delete: Delete) -> dict[str, Any]:
        """POST /images/prune: dangling images, with `dangling=false` all unused ones.

        Args:
            delete: removes one image by name or id, as DELETE /images/{name} without force does.

        Raises:
            Conflict: another prune is under way. InvalidParameter: a filter that is none, or a bad value.
        """
        if self._running.locked():
            raise Conflict("a prune operation is already running")
        async with self._running:
            rows: Rows = []
            reclaimed = 0
            for image in _chosen(listing.every(self._database.read()), filters):
                sizes = {row.chain: row.size for row in store.layers(self._database.read(), image.id)}
                gone = await _removed(image, delete)
                rows += gone
                reclaimed += sum(sizes.get(row.get("Deleted", ""), 0) for row in gone)
        self._events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
        return {"ImagesDeleted": rows or None, "SpaceReclaimed": reclaimed}


async def _removed(image: Listed, delete: Delete) -> Rows:
    """Remove an image by each of its names; what is used stays, and a digest may go with the tag before it."""
    rows: Rows = []
    for name in [*image.tags, *image.digests] or [image.id]:
        try:
            rows += await delete(name)
        except (Conflict, NotFound):
            continue
    return rows


def _chosen(images: list[Listed], filters: Filters) -> list[Listed]:
    for name in filters:
        if name not in FILTERS:
            raise InvalidParameter(f"invalid filter '{name}'")
    if len(filters.get("until") or ()) > 1:
        raise InvalidParameter("more than one until filter specified")
    only_dangling = listing.truth(filters, "dangling") is not False
    kept: Filters = {name: values for name, values in filters.items() if name != "dangling"}
    if only_dangling:
        kept["dangling"] = ["true"]
    named_or_heads = [image for image in images if image.is_head or image.tags or image.digests]
    return listing.filtered(named_or_heads, kept, _nothing)


def _nothing(name: str) -> Image:
    raise InvalidParameter(f"invalid filter '{name}'")
