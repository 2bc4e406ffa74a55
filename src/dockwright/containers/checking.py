"""Whether containers, their folders and their layers agree."""

import asyncio
import os
from functools import partial

from dockwright.base.findings import Finding, Place
from dockwright.base.paths import Paths
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager

KIND = "Containers' logs and files"


class Checker:
    """Looks at the room's part of a data root."""

    def __init__(self, store: Store, paths: Paths, images: ImageManager) -> None:
        self._store, self._paths, self._images = store, paths, images

    def owned(self) -> list[Place]:
        """Every folder of a container that is known: path, kind, id; others without kind and id."""
        root = self._paths.container("").rstrip("/")
        known = {container.id for container in self._store}
        return [(f"{root}/{name}", *((KIND, name) if name in known else ("", ""))) for name in os.listdir(root)]

    async def findings(self) -> list[Finding]:
        """What is wrong."""
        strangers = [path for path, kind, _ in self.owned() if not kind]
        found = [Finding("container folder without a row", path) for path in strangers]
        layered = set(self._images.layers.containers())
        for container in self._store:
            folder = self._paths.container(container.id)
            if not os.path.isdir(folder):
                repair = partial(asyncio.to_thread, os.makedirs, folder, 0o710, True)
                found.append(Finding("container without its folder", container.name, "make an empty folder", repair))
            if container.id not in layered and not container.state.removing:
                found.append(Finding("container without its layer", container.id))
        for ident in sorted(layered - {container.id for container in self._store}):
            repair = partial(self._images.layers.remove, ident)
            found.append(Finding("layer of a container that is gone", ident, "remove it", repair))
        return found
