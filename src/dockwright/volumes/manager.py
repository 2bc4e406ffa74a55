"""The volume manager: what the API and containers ask of volumes."""

import asyncio
import logging
import re
import time
from collections.abc import Collection, Sequence
from typing import Any

from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound
from dockwright.base.findings import Place
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.metadata import Database, references
from dockwright.plugins.client import Answered
from dockwright.plugins.discovery import Directories as PluginDirectories
from dockwright.volumes import documents, options, store
from dockwright.volumes.asking import Asking, Known
from dockwright.volumes.checking import KIND, Checker
from dockwright.volumes.drivers import Driver, Drivers
from dockwright.volumes.local import LOCAL
from dockwright.volumes.store import ANONYMOUS, Request, Volume

log = logging.getLogger("dockwright.volumes")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
Filters = dict[str, list[str]]
Requests = list[Request]
Acquired = list[tuple[Volume, bool]]


class VolumeManager:
    """All volumes of one data root.

    Args:
        plugins: where plug-ins are looked for.
    """

    def __init__(
        self, database: Database, paths: Paths, events: EventBus, plugins: PluginDirectories | None = None
    ) -> None:  # fmt: skip
        self._database, self._events = database, events
        self._drivers = Drivers(paths, plugins or PluginDirectories())
        self._asking = Asking(self._drivers)
        self._directories = self._drivers.local.directories
        self.findings = Checker(database, self._directories).findings
        self._lock = asyncio.Lock()
        self._active: dict[str, set[str]] = {}
        self._pruning = False
        database.migrate("volumes", store.MIGRATIONS)

    async def start(self) -> None:
        """Finish the removals that an earlier daemon had begun."""
        for name, driver in store.condemned(self._database.read()).items():
            place = await self._cleared(name, driver)
            await asyncio.to_thread(self._directories.delete, place)
        for place in self._directories.discarded():
            await asyncio.to_thread(self._directories.delete, place)

    # what the API asks

    async def create(
        self, name: str, driver: str = "", driver_options: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """POST /volumes/create. One that is there stays as it is.

        Raises:
            EngineError: in Docker's words.
        """
        given = driver_options or None
        request = Request(name, given, labels, driver) if name else store.fresh(labels, given, driver)
        self.check(request)
        (volume, _), *_ = await self._ensure("", [request], True)
        return self._document(volume)

    async def inspect(self, name: str) -> dict[str, Any]:
        """GET /volumes/{name}; a plug-in is asked what it knows, all of them if there is no row.

        Raises:
            NotFound: in Docker's words.
        """
        volume = store.find(self._database.read(), name)
        if volume is None and (holder := await self._asking.holder(name)):
            return self._told(Volume(name, 0, None, None, holder[0]), holder[1])
        volume = self.find(name)
        driver = await self._drivers.of(volume.driver)
        try:
            return {**self._document(volume), **await driver.status(volume)}
        except Answered:
            raise NotFound(f"get {name}: no such volume") from None

    async def list(self, filters: Filters) -> dict[str, Any]:
        """GET /volumes: what we know of, and what plug-ins say they have; one that does not answer is a warning."""
        documents.check(filters, documents.LIST)
        plugged = await self._asking.known(filters.get("driver") or ())
        connection = self._database.read()
        volumes = _united(store.every(connection), plugged)
        chosen = documents.listed(volumes, filters, lambda name: bool(store.users(connection, name)))
        said = plugged.volumes
        rows = [
            self._told(one, said[key]) if (key := (one.driver, one.name)) in said else self._document(one) for one in chosen
        ]
        warnings = [f"list {driver}: {reason}" for driver, reason in sorted(plugged.failures.items())]
        return {"Volumes": rows, "Warnings": warnings or None}

    async def measured(self) -> Sequence[dict[str, Any]]:
        """All volumes with their size and how many containers use them: a part of GET /system/df."""
        rows = []
        for volume in store.every(self._database.read()):
            size = await self._size(volume)
            users = len(store.users(self._database.read(), volume.name))
            rows.append({**self._document(volume), "UsageData": {"RefCount": users, "Size": size}})
        return rows

    def owned(self) -> Sequence[Place]:
        """Every volume's folder: path, kind, name; those without a row are nobody's."""
        known = {volume.name for volume in store.every(self._database.read()) if volume.driver == LOCAL}
        return [
            (self._directories.folder(name), *((KIND, name) if name in known else ("", "")))
            for name in self._directories.names()
        ]

    async def remove(self, name: str, force: bool) -> None:
        """DELETE /volumes/{name}; `force` only forgives a volume that is not there.

        Raises:
            NotFound, Conflict: in Docker's words.
        """
        await self._adopt([name])
        try:
            self.find(name)
        except NotFound:
            if force:
                return
            raise
        await self._remove(name)

    async def prune(self, filters: Filters, everything: bool) -> dict[str, Any]:
        """POST /volumes/prune.

        Args:
            everything: also volumes with a name (what clients before 1.42 mean).
        """
        if self._pruning:
            raise Conflict("a prune operation is already running")
        self._pruning = True
        try:
            return await self._prune(filters, everything)
        finally:
            self._pruning = False

    async def _prune(self, filters: Filters, everything: bool) -> dict[str, Any]:
        connection = self._database.read()
        chosen = documents.prunable(store.every(connection), filters, everything)
        deleted, space = [], 0
        for volume in chosen:
            size = await self._size(volume)
            try:
                await self._remove(volume.name)
            except Conflict:
                continue  # in use
            deleted.append(volume.name)
            space += max(size, 0)
        self._events.publish("volume", "prune", "", {"reclaimed": str(space)})
        return {"VolumesDeleted": deleted, "SpaceReclaimed": space}

    # what containers ask

    def check(self, request: Request) -> None:
        """Refuse what cannot be a volume.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        label = f"create {request.name}: "
        if request.driver not in ("", LOCAL):
            try:
                return self._drivers.check(request.driver)
            except EngineError as error:
                raise error.prefixed(label) from None
        if len(request.name) == 1:
            raise InvalidParameter(
                f"{label}volume name is too short, names should be at least two alphanumeric characters"
            )
        if not _NAME.fullmatch(request.name):
            raise InvalidParameter(
                f'{label}"{request.name}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
            )
        try:
            options.check(request.options or {})
        except EngineError as error:
            raise error.prefixed(label) from None

    async def acquire(
        self, container: str, requests: Requests, durable: bool, shared: Sequence[str] = ()
    ) -> Acquired:  # fmt: skip
        """The volumes a container is going to use and whether each is new, all noted as its own in one transaction.

        Args:
            shared: names of volumes that another container has and this one uses too.

        Raises:
            OSError: a directory could not be made; nothing is left then.
        """
        return await self._ensure(container, requests, durable, shared)

    async def release(self, container: str, made: Sequence[str]) -> None:
        """Undo `acquire` for a container that is not made after all; `made` are the names that were new."""
        await self.let_go(container, made)

    async def let_go(self, container: str, gone: Sequence[str]) -> None:
        """A container uses its volumes no more; those in `gone` are removed unless somebody else does."""

        def rows(connection: Any) -> list[Volume]:
            for kind, target in references.targets(connection, "container", container):
                if kind == "volume":
                    references.drop(connection, "container", container, kind, target)
            return [volume for name in gone if (volume := store.condemn_unused(connection, name))]

        async with self._lock:
            condemned = await self._database.write(rows, durable=False)
            places = [await self._cleared(volume.name, volume.driver) for volume in condemned]
        for volume, place in zip(condemned, places, strict=True):
            self._tell(volume, "destroy")
            await asyncio.to_thread(self._directories.delete, place)

    def driver_names(self) -> Sequence[str]:
        """The drivers in use."""
        return self._drivers.names()

    def find(self, name: str) -> Volume:
        """By its name.

        Raises:
            NotFound: in Docker's words.
        """
        volume = store.find(self._database.read(), name)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    def mountpoint(self, name: str) -> str:
        """The directory that containers see, "" if only a plug-in knows; also of one that is not made yet."""
        volume = store.find(self._database.read(), name)
        if volume is None:
            return self._directories.path(name)
        driver = self._drivers.known(volume.driver)
        return driver.path(volume) if driver else ""

    async def activate(self, name: str, user: str) -> str:
        """Make a volume ready for `user` (a container's id): its directory, and what its options want mounted there.

        Returns:
            where it is.

        Raises:
            NotFound: the volume has gone. Internal: in Docker's words, it could not be mounted.
        """
        volume = self.find(name)
        driver = await self._drivers.of(volume.driver)
        async with self._lock:
            path = await driver.mount(volume, user)
        self._active.setdefault(name, set()).add(user)
        return path

    def exclusive(self, name: str, user: str) -> bool:
        """Whether nothing but `user` has a volume's directory open, and nothing is mounted there."""
        volume = self.find(name)
        driver = self._drivers.known(volume.driver)
        return self._active.get(name) == {user} and driver is not None and driver.exclusive(volume)

    def note_active(self, name: str, user: str) -> None:
        """`activate`, for a user who has it already: found at the daemon's start."""
        self._active.setdefault(name, set()).add(user)

    async def deactivate(self, name: str, user: str) -> bool:
        """The end of `activate`; the last user's end unmounts. Returns whether it was in use by `user`."""
        users = self._active.get(name, set())
        if user not in users:
            return False
        users.remove(user)
        if not users:
            self._active.pop(name, None)
        volume = store.find(self._database.read(), name)
        if volume:
            await self._unmount(volume, user, last=not users)
        return True

    async def _unmount(self, volume: Volume, user: str, last: bool) -> None:
        """A plug-in that fails here is only told of: its user has ended."""
        try:
            driver = await self._drivers.of(volume.driver)
            async with self._lock:
                await driver.unmount(volume, user, last)
        except EngineError as error:
            log.warning("%s", error.message)

    async def forget_strangers(self, containers: Collection[str]) -> None:
        """At start: drop what containers had noted that were never finished, and their anonymous volumes."""
        volumes = [(v, store.users(self._database.read(), v.name)) for v in store.every(self._database.read())]
        strange = {(user, v.name) for v, users in volumes for user in users if user not in containers}
        if not strange:
            return

        def rows(connection: Any) -> None:
            for user, name in strange:
                references.drop(connection, "container", user, "volume", name)

        await self._database.write(rows)
        for volume, _ in volumes:
            if volume.anonymous and any(name == volume.name for _, name in strange):
                await self._remove(volume.name)

    def publish(self, name: str, action: str, **attributes: str) -> None:
        """Publish an event of a volume."""
        volume = store.find(self._database.read(), name)
        if volume:
            self._tell(volume, action, **attributes)

    def _tell(self, volume: Volume, action: str, **attributes: str) -> None:
        self._events.publish("volume", action, volume.name, {**attributes, "driver": volume.driver})

    # the work

    async def _ensure(
        self, container: str, requests: Requests, durable: bool, shared: Sequence[str] = ()
    ) -> Acquired:  # fmt: skip
        now = int(time.time())

        def rows(connection: Any) -> Acquired:
            found = [store.ensure(connection, request, now) for request in requests]
            for name in (*shared, *(volume.name for volume, _ in found)) if container else ():
                references.add(connection, "container", container, "volume", name)
            return found

        await self._adopt([one.name for one in requests if not one.driver and ANONYMOUS not in (one.labels or {})])
        async with self._lock:
            named = [request.name for request in requests if ANONYMOUS not in (request.labels or {})]
            keeps = any(store.find(self._database.read(), name) is None for name in named)
            made = await self._database.write(rows, durable or keeps, grows=True)
            try:
                for volume in (volume for volume, new in made if new):
                    await (await self._driver(volume, "create")).make(volume)
            except BaseException:
                await self._undo(container, made)
                raise
        for volume, new in made:
            if new:
                self._tell(volume, "create")
        return made

    async def _adopt(self, names: Sequence[str]) -> None:
        """Volumes that are named without a driver, and that only a plug-in knows, are taken for its own from now on."""
        connection = self._database.read()
        for name in names:
            if store.find(connection, name) is None and (holder := await self._asking.holder(name)):
                await self._note(Request(name, driver=holder[0]))

    async def _note(self, request: Request) -> None:
        await self._database.write(lambda c: store.ensure(c, request, int(time.time())), grows=True)

    async def _driver(self, volume: Volume, action: str) -> Driver:
        """The driver of a volume to be created or removed. Raises EngineError in Docker's words."""
        try:
            return await self._drivers.of(volume.driver)
        except EngineError as error:
            raise error.prefixed(f"{action} {volume.name}: ") from None

    async def _undo(self, container: str, made: Acquired) -> None:
        """Take the new rows back; a directory that was there before its row is not ours to remove."""

        def rows(connection: Any) -> None:
            references.drop_owner(connection, "container", container)
            for volume, new in made:
                if new:
                    connection.execute("DELETE FROM volume WHERE name = ?", (volume.name,))

        await self._database.write(rows)
        for volume, new in made:
            driver = self._drivers.known(volume.driver)
            if new and driver:
                await driver.unmake(volume)

    async def _remove(self, name: str) -> None:
        async with self._lock:
            volume = self.find(name)
            store.refuse_used(self._database.read(), name)
            driver = await self._driver(volume, "remove")
            driver.refuse(volume)
            await self._database.write(lambda c: store.condemn(c, name))
            try:
                place = await self._discard(name, driver)
            except EngineError:
                await self._database.write(lambda c: store.spare(c, name))
                raise
        self._tell(volume, "destroy")
        await asyncio.to_thread(self._directories.delete, place)

    async def _discard(self, name: str, driver: Driver) -> str:
        """Row `removing` to no row, with the directory in the trash; returns its place there."""
        place = await driver.discard(name)
        await self._database.write(lambda c: store.drop(c, name), durable=False)
        return place

    async def _cleared(self, name: str, driver: str) -> str:
        """`_discard` where nobody waits for it: what stands in the way is told, and it is tried again at the next start."""
        try:
            return await self._discard(name, await self._drivers.of(driver))
        except EngineError as error:
            log.warning("%s", error.message)
            return ""

    def _told(self, volume: Volume, said: dict[str, Any]) -> dict[str, Any]:
        """A plug-in's volume, with what it says of it."""
        driver = self._drivers.known(volume.driver)
        return documents.told(volume, driver.scope if driver else "local", said)

    def _document(self, volume: Volume) -> dict[str, Any]:
        driver = self._drivers.known(volume.driver)
        path, scope = (driver.path(volume), driver.scope) if driver else ("", "local")
        return documents.document(volume, path, scope)

    async def _size(self, volume: Volume) -> int:
        """Its bytes; -1 if nobody knows them."""
        driver = self._drivers.known(volume.driver)
        return await driver.size(volume) if driver else -1


def _united(rows: list[Volume], plugged: Known) -> list[Volume]:
    """Our rows and what plug-ins have, by name. What a plug-in that answers does not list is not shown, as with Docker."""
    ours = {(one.driver, one.name): one for one in rows}
    kept = {key: one for key, one in ours.items() if one.driver not in plugged.answered or key in plugged.volumes}
    others = [Volume(name, 0, None, None, driver) for driver, name in plugged.volumes if (driver, name) not in kept]
    return sorted([*kept.values(), *others], key=lambda one: one.name)
