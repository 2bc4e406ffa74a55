"""DELETE /images/{name}: names go, then the image, then what it was built on and nothing else needs, then their layers."""

import sqlite3
from collections.abc import Collection
from typing import Any

from dockwright.events import EventBus
from dockwright.grammar import reference
from dockwright.images import removal, store
from dockwright.images.assembly import Assembler
from dockwright.images.layers import chain_ids
from dockwright.images.store import Image
from dockwright.metadata import Database, references

Rows = list[dict[str, Any]]


class Deleter:
    """Deletes images."""

    def __init__(self, database: Database, assembler: Assembler, events: EventBus) -> None:
        self._database, self._assembler, self._events = database, assembler, events

    async def delete(self, name: str, force: bool, noprune: bool, running: Collection[str]) -> Rows:
        """Returns the Untagged and Deleted lines.

        Args:
            noprune: keep the images it was built on. running: ids of the containers that run.

        Raises:
            NotFound: no such image. Conflict: something uses it.
        """
        connection = self._database.read()
        image = store.find(connection, name)
        uses = removal.Uses(_users(connection, image.id), running, store.children(connection, image.id))
        meant = store.meant(image, name)
        plan = removal.plan(image, meant, name, force, uses)
        gone = await self._database.write(lambda c: _carry_out(c, image, plan, noprune))
        labels = dict(image.container_config.get("Labels") or {})
        for _ in plan.untagged[:1] if meant else plan.untagged:  # Docker does not tell of digests that go with a tag
            self._events.publish("image", "untag", image.id, {**labels, "name": image.id})
        rows: Rows = [{"Untagged": reference.familiar(tag)} for tag in plan.untagged]
        return rows + (await self._freed(gone) if gone else [])

    async def _freed(self, images: list[Image]) -> Rows:
        """Each image that went with those of its layers that went with it, top first."""
        for image in images:
            self._events.publish("image", "delete", image.id, {"name": image.id})  # its labels are gone with it
        unlinked = set(await self._assembler.settle())
        rows: Rows = []
        for number, image in enumerate(images):
            later = {chain for other in images[number + 1 :] for chain in chain_ids(other.diff_ids)}
            chains = [chain for chain in reversed(chain_ids(image.diff_ids)) if chain in unlinked - later]
            rows += [{"Deleted": ident} for ident in (image.id, *chains)]
        return rows


def _users(connection: sqlite3.Connection, ident: str) -> list[str]:
    return [owner for kind, owner in references.users(connection, "image", ident) if kind == "container"]


def _carry_out(connection: sqlite3.Connection, image: Image, plan: removal.Plan, noprune: bool) -> list[Image]:
    """Returns the images that went, the one meant first."""
    store.drop_references(connection, plan.untagged)
    if not plan.deleted:
        return []
    store.drop(connection, image.id)
    gone = [image]
    while not noprune and (parent := _forsaken(connection, gone[-1].parent)):
        store.drop(connection, parent.id)
        gone.append(parent)
    return gone


def _forsaken(connection: sqlite3.Connection, ident: str) -> Image | None:
    """An image that was kept only for what was built on it."""
    if not ident or not store.exists(connection, ident) or store.children(connection, ident) or _users(connection, ident):
        return None
    image = store.load(connection, ident)
    return None if image.references else image
