"""Removing a container with all that belongs to it."""

import shutil

from dockwright.base.errors import Conflict, NotSupported
from dockwright.base.paths import Paths
from dockwright.containers.container import Container
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor


class Removal:
    """rm."""

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, supervisor: Supervisor, stopping: Stopping,
        networks: NetworkManager,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images = store, paths, images
        self._supervisor, self._stopping, self._networks = supervisor, stopping, networks

    async def remove(self, ref: str, force: bool, volumes: bool, link: bool) -> None:
        """DELETE /containers/{id}."""
        if link:
            raise NotSupported("links are not implemented yet")
        container = self._store.find(ref)
        if container.state.removing:
            raise Conflict(f"removal of container {ref} is already in progress")
        if container.state.running and not force:
            why = (
                "container is paused and must be unpaused first"
                if container.state.paused
                else "container is running: stop the container before removing or force remove"
            )
            raise Conflict(f'cannot remove container "{ref}": {why}')
        container.state.removing = True
        if container.state.running:
            await self._stopping.kill_and_wait(container)
        await self.finish(container)

    async def finish(self, container: Container) -> None:
        """Remove a container that does not run (any more)."""
        container.state.removing = True
        if container.task:
            await container.task.delete()
            container.task = None
        await self._networks.release(container.id)
        self._supervisor.forget(container.id)
        await self._images.layers.remove(container.id)
        shutil.rmtree(self._paths.container(container.id), ignore_errors=True)
        await self._store.delete(container)
        self._store.forget(container)
        self._store.event(container, "destroy")
        container.wake_removals()
