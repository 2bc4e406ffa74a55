"""GET /system/df: what images, containers and volumes take."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.containers.manager import ContainerManager
from dockwright.images.manager import ImageManager
from dockwright.volumes.manager import VolumeManager

CONTAINER, IMAGE, VOLUME, BUILD_CACHE = "container", "image", "volume", "build-cache"
TYPES = (CONTAINER, IMAGE, VOLUME, BUILD_CACHE)
Rows = list[dict[str, Any]]


class Usage:
    """Measures; clients that ask at the same time share one measurement, for it walks every volume and container."""

    def __init__(self, images: ImageManager, containers: ContainerManager, volumes: VolumeManager) -> None:
        self._images, self._containers, self._volumes = images, containers, volumes
        self._measuring: dict[tuple[str, ...], asyncio.Task[dict[str, Any]]] = {}

    async def measure(self, types: Sequence[str] = ()) -> dict[str, Any]:
        """The document; parts that were not asked for are null.

        Args:
            types: of TYPES; none for all.

        Raises:
            InvalidParameter: a type that does not exist.
        """
        for name in types:
            if name not in TYPES:
                raise InvalidParameter(f"unknown object type: {name}")
        wanted = tuple(sorted(set(types or TYPES)))
        task = self._measuring.get(wanted)
        if task is None:
            task = self._measuring[wanted] = asyncio.create_task(self._measured(wanted))
            task.add_done_callback(lambda _: self._measuring.pop(wanted))
        return dict(await asyncio.shield(task))

    async def _measured(self, wanted: Sequence[str]) -> dict[str, Any]:
        images = IMAGE in wanted
        return {
            "LayersSize": self._images.layers_size() if images else 0,
            "Images": await self._of_images() if images else None,
            "Containers": await self._containers.list(True, 0, True, {}) if CONTAINER in wanted else None,
            "Volumes": await self._volumes.measured() if VOLUME in wanted else None,
            "BuildCache": [] if BUILD_CACHE in wanted else None,
        }

    async def _of_images(self) -> Rows:
        rows = await self._images.list(all=False, filters={}, shared_size=True)
        users = Counter(row["ImageID"] for row in await self._containers.list(True, 0, False, {}))
        nothing = ("RepoTags", "RepoDigests")  # here Docker says null for none, in whatever version
        return [{**row, "Containers": users[row["Id"]], **{key: row[key] or None for key in nothing}} for row in rows]
