"""Removing a container with all that belongs to it."""

import asyncio
import logging
import sqlite3

from dockwright.base.caller import NOBODY, Caller
from dockwright.base.errors import Conflict, EngineError, InvalidParameter, NotFound
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.base.paths import Paths
from dockwright.base.trees import remove_tree
from dockwright.containers import groups
from dockwright.containers.blame import Cause
from dockwright.containers.container import Container
from dockwright.containers.execs import Execs
from dockwright.containers.mounting import Mounting
from dockwright.containers.noting import noted
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor

log = logging.getLogger("dockwright.containers")


class Removal:
    """rm."""

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, supervisor: Supervisor, stopping: Stopping,
        networks: NetworkManager, mounting: Mounting, execs: Execs,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images, self._execs = store, paths, images, execs
        self._supervisor, self._stopping, self._networks = supervisor, stopping, networks
        self._mounting = mounting
        self._cleaning: set[asyncio.Task[None]] = set()

    async def remove(self, ref: str, force: bool, volumes: bool, link: bool, caller: Caller = NOBODY) -> None:
        """DELETE /containers/{id}."""
        if link:
            return await self._remove_link(ref)
        container = self._store.find(ref)
        if container.state.removing:
            raise Conflict(f"removal of container {ref} is already in progress")
        async with container.lock:  # a start that is under way first comes to its end
            _refuse(container, ref, force)
            container.state.removing, container.state.remove_volumes = True, volumes
        try:
            if container.state.running:
                await self._stopping.kill_and_wait(container, Cause("remove", str(caller)))
            await self.finish(container)
        except EngineError as error:
            container.state.removing = False
            raise error.prefixed(f'cannot remove container "/{container.name}": could not kill: ') from None

    async def _remove_link(self, ref: str) -> None:
        """`docker rm --link box/alias`: the other container stays, it is only called so no more.

        Raises:
            InvalidParameter, NotFound: in Docker's words.
        """
        name, _, alias = ref.removeprefix("/").partition("/")
        if not alias:
            raise InvalidParameter("Conflict, cannot remove the default link name of the container")
        holder = self._store.find(name)
        target = holder.links.pop(alias, None)
        if target is None:
            raise NotFound(f"Could not get container for /{name}/{alias}")
        self._store.unlink(holder, target)
        await self._store.update(holder)

    @timed(CONTAINER_ACTIONS, "delete")
    async def finish(self, container: Container) -> None:
        """Remove a container that does not run (any more).

        The answer goes out as soon as its row says `removing` and uses nothing: the row is the journal of what is left to
        clean up, which a later daemon goes on with (DECISIONS 27).
        """
        container.state.removing = True
        container.state.remove_volumes |= bool(container.host.AutoRemove)
        written = await noted(container, self._store.retire(container))
        self._store.forget(container)
        self._execs.forget(container)
        written = await noted(container, self._mounting.remove(container)) and written
        self._store.event(container, "destroy")
        container.wake_removals()
        cleaning = asyncio.get_running_loop().create_task(self.clean(container, written))
        self._cleaning.add(cleaning)
        cleaning.add_done_callback(self._cleaning.discard)

    async def clean(self, container: Container, written: bool = True) -> None:
        """Take away what else a retired container leaves: shim, network, layers, files, and last its row.

        Args:
            written: its row says that it is being removed.
        """
        try:
            if not (written and await noted(container, self._clean(container))):
                await self._make_room(container)
                await self._clean(container)
        except (EngineError, OSError, sqlite3.Error) as error:
            log.error("container %s is not wholly removed, the next daemon tries again: %s", container.id, error)

    async def _make_room(self, container: Container) -> None:
        """On a full disk a container's files go before anything is written about them; then about its volumes."""
        await self._images.layers.make_room(container.id)
        await asyncio.to_thread(self._unlink, container.id)
        await self._mounting.remove(container)

    async def _clean(self, container: Container) -> None:
        await container.end_task()
        await self._networks.release(container.id)
        await groups.remove(container)
        await asyncio.to_thread(self._unlink, container.id)
        await self._images.layers.remove(container.id)
        await self._store.delete(container)

    def _unlink(self, ident: str) -> None:
        self._supervisor.forget(ident)
        remove_tree(self._paths.container(ident))  # a rotated log may still be being compressed in there

    async def settle(self) -> None:
        """Wait for all cleaning that is under way."""
        while self._cleaning:
            await asyncio.gather(*self._cleaning, return_exceptions=True)


def _refuse(container: Container, ref: str, force: bool) -> None:
    """Raises Conflict, in Docker's words, for a container that cannot be removed as it is."""
    if container.state.removing:
        raise Conflict(f"removal of container {ref} is already in progress")
    if not container.state.running or force:
        return
    why = f"container is {container.state.status}: stop the container before removing or force remove"
    if container.state.paused:
        why = "container is paused and must be unpaused first"
    raise Conflict(f'cannot remove container "/{container.name}": {why}')
