"""POST /commit: an image of what a container has become."""

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

from dockwright.base.errors import EngineError
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.containers import archives, config, shown
from dockwright.containers.container import Container
from dockwright.containers.life import Life
from dockwright.containers.store import Store
from dockwright.images import changes as instructions
from dockwright.images.committing import Wanted
from dockwright.images.importing import target
from dockwright.images.manager import ImageManager
from dockwright.types.container import CreateRequest


class Commits:
    """commit."""

    def __init__(self, store: Store, images: ImageManager, life: Life) -> None:
        self._store, self._images, self._life = store, images, life

    @timed(CONTAINER_ACTIONS, "commit")
    async def commit(
        self, ref: str, request: CreateRequest | None, *, repo: str, tag: str, author: str, comment: str,
        changes: Sequence[str], pause: bool,
    ) -> str:  # fmt: skip
        """Make the image; returns its id.

        Args:
            request: the new image's configuration, None for the container's. changes: instructions of a Dockerfile.
            pause: let the container rest meanwhile, if it runs.

        Raises:
            EngineError: in Docker's words; nothing is left then.
        """
        container = self._store.find(ref)
        names = target(repo, tag)
        wanted = Wanted(
            container.id, self._images.resolve(container.image) if container.image else None,
            shown.config(_config(container, request, list(changes))), shown.config(container.config), author, comment, names,
        )  # fmt: skip
        archives.refuse_removed(self._store, container, f"You cannot commit container {container.id} which is ")
        paused = pause and await self._paused(container)
        try:
            ident = await self._images.commit(wanted)
            name = names[0].familiar if names else ""
            self._store.event(container, "commit", comment=comment, imageID=ident, imageRef=name)
            return ident
        finally:
            if paused:
                with contextlib.suppress(EngineError):  # it has ended: that was on its way to us while we paused nobody
                    await self._life.unpause(container.id)

    async def _paused(self, container: Container) -> bool:
        """Pause it, if it can be; whether it has been."""
        try:
            await self._life.pause(container.id)
        except EngineError:
            return False  # it does not run, or is paused by somebody else
        return True


def _config(container: Container, request: CreateRequest | None, changes: list[str]) -> dict[str, Any]:
    """The new image's configuration: what is given, changed, and completed by the container's own."""
    made = config.given(request) if request else copy.deepcopy(container.config)
    made = instructions.apply(made, changes)
    config.inherit(made, container.config)
    return made
