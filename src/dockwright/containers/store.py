"""All containers of one data root: found by id, name or prefix; their rows; the events about them."""

import re
from collections.abc import Iterator
from typing import Any

from dockwright.base.errors import Conflict, InvalidParameter, NotFound
from dockwright.containers.container import MIGRATIONS, Container, from_row
from dockwright.events import EventBus
from dockwright.metadata import Database, references

_HEX = re.compile(r"[0-9a-f]{1,64}")


class Store:
    """The containers. What is changed in memory is written by `save`, `insert` and `delete`.

    Args:
        database: this room's table is migrated at once and read.
    """

    def __init__(self, database: Database, events: EventBus) -> None:
        self._database, self._events = database, events
        database.migrate("containers", MIGRATIONS)
        self._by_id: dict[str, Container] = {}
        self._by_name: dict[str, Container] = {}
        self._linkers: dict[str, set[str]] = {}
        for row in database.read().execute("SELECT * FROM container").fetchall():
            self.add(from_row(row))

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._by_id.values()))

    def __contains__(self, container: Container) -> bool:
        return self._by_id.get(container.id) is container

    def find(self, ref: str) -> Container:
        """By full id, name, or unique prefix of an id.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        if not ref:
            raise InvalidParameter('invalid name or ID supplied: ""')
        found = self._by_id.get(ref) or self._by_name.get(ref.removeprefix("/")) or self._by_link(ref)
        if found:
            return found
        matches = [c for ident, c in self._by_id.items() if ident.startswith(ref)] if _HEX.fullmatch(ref) else []
        if len(matches) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
        if not matches:
            raise NotFound(f"No such container: {ref}")
        return matches[0]

    def get(self, ident: str) -> Container | None:
        """By full id."""
        return self._by_id.get(ident)

    def _by_link(self, ref: str) -> Container | None:
        """By `container/alias`: what a container calls another one it is linked to."""
        name, _, alias = ref.removeprefix("/").partition("/")
        holder = self._by_name.get(name)
        return self._by_id.get(holder.links.get(alias, "")) if holder else None

    def linkers(self, target: Container) -> list[Container]:
        """The containers that have links to `target`."""
        found = (self._by_id.get(ident) for ident in sorted(self._linkers.get(target.id, ())))
        return [container for container in found if container is not None]

    def names(self) -> set[str]:
        """All names in use."""
        return set(self._by_name)

    def refuse_taken(self, name: str) -> None:
        """Raises Conflict, in Docker's words, if a container has this name."""
        other = self._by_name.get(name)
        if other:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{other.id}". You have to '
                "remove (or rename) that container to be able to reuse that name."
            )

    def add(self, container: Container) -> None:
        """Let it be found; its name is taken from now on."""
        self._by_id[container.id] = self._by_name[container.name] = container
        for target in container.links.values():
            self._linkers.setdefault(target, set()).add(container.id)

    def forget(self, container: Container) -> None:
        """Let it be found no more."""
        self._by_id.pop(container.id, None)
        for target in container.links.values():
            self.unlink(container, target)
        if self._by_name.get(container.name) is container:
            del self._by_name[container.name]

    def unlink(self, container: Container, target: str) -> None:
        """`container` has no link to `target` any more."""
        holders = self._linkers.get(target, set())
        holders.discard(container.id)
        if not holders:
            self._linkers.pop(target, None)

    async def rename(self, container: Container, name: str) -> None:
        """Give it another name, in memory and in its row."""
        del self._by_name[container.name]
        container.name = name
        self._by_name[name] = container
        await self._database.write(
            lambda c: c.execute("UPDATE container SET name = ? WHERE id = ?", (name, container.id)), container.durable
        )

    async def insert(self, container: Container) -> None:
        """Write its row, and that it uses its image."""
        await self._database.write(lambda c: _insert(c, container), container.durable, grows=True)

    async def update(self, container: Container) -> None:
        """Write what was asked for of it, which has changed."""
        await self._database.write(container.save_document, container.durable)

    async def save(self, container: Container) -> None:
        """Write its state: what a power cut may take, a restart of the daemon may not."""
        await self._database.write(container.save_state, durable=False)

    def save_soon(self, container: Container) -> None:
        """Write its state as it is now, without waiting: its shim and exit record tell a new daemon the same."""
        self._database.write_soon(container.state_writer())

    async def retire(self, container: Container) -> None:
        """Write that it is being removed: its name is free, and it uses nothing. `forget` is the caller's to do."""
        await self._database.write(lambda c: _retire(c, container), durable=False)

    async def delete(self, container: Container) -> None:
        """Drop its row and what it used."""
        await self._database.write(lambda c: _delete(c, container.id), durable=False)

    def told(self, action: str, **attributes: str) -> None:
        """Tell everybody what happened to containers as such."""
        self._events.publish("container", action, "", attributes)

    def event(self, container: Container, action: str, **attributes: str) -> None:
        """Tell everybody; labels, image and name go with it."""
        shown = {**(container.config["Labels"] or {}), "image": container.config["Image"], "name": container.name}
        self._events.publish("container", action, container.id, {**shown, **attributes})


def _insert(connection: Any, container: Container) -> None:
    container.insert(connection)
    if container.image:
        references.add(connection, "container", container.id, "image", container.image)
    for point in container.mounts:
        if point.image:
            references.add(connection, "container", container.id, "image", point.image)


def _retire(connection: Any, container: Container) -> None:
    container.save_state(connection)
    connection.execute("UPDATE container SET name = id WHERE id = ?", (container.id,))
    references.drop_owner(connection, "container", container.id)


def _delete(connection: Any, ident: str) -> None:
    connection.execute("DELETE FROM container WHERE id = ?", (ident,))
    references.drop_owner(connection, "container", ident)
