"""The plan of a run: what create and start would do, as data, with nothing done.

What a plan names (an address, host ports, the folder of a layer) is taken for a moment, by the same code as at a start, and
given back; no mount, namespace, cgroup, link or rule is made, no volume, no row of a container, no event.
"""

import os
import shutil
from typing import Any

from dockwright.base.paths import Paths
from dockwright.base.steps import Step
from dockwright.containers import links, networking, remap, starting, versions
from dockwright.containers.container import Container
from dockwright.containers.creation import Creation
from dockwright.containers.defaults import Defaults
from dockwright.containers.mounting import Mounting
from dockwright.containers.store import Store
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.supervisor import foresight
from dockwright.supervisor.placement import SYSTEMD, Placement
from dockwright.types.container import CreateRequest

KEYS = ("Actor", "Kind", "Text")


class Planning:
    """plan."""

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, networks: NetworkManager, mounting: Mounting,
        creation: Creation, placement: Placement, defaults: Defaults,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images, self._networks = store, paths, images, networks
        self._mounting, self._creation, self._placement, self._defaults = mounting, creation, placement, defaults

    async def plan(
        self, name: str, request: CreateRequest, platform: str, version: tuple[int, int]
    ) -> list[dict[str, Any]]:
        """POST /dockwright/v1/plan: the steps in order: actor, kind and text.

        Raises:
            EngineError: as create and start would.
        """
        container, _ = self._creation.planned(name, request, platform, version)
        try:
            await self._creation.make_layer(container)
            container.mounts = self._mounting.foreseen(container, versions.read_only_is_recursive(version))
            os.makedirs(self._paths.container(container.id), mode=0o710)
            found = await self._steps(container)
        finally:
            await self._networks.release(container.id)
            await self._images.layers.remove(container.id)
            for folder in (self._paths.container(container.id), self._paths.task(container.id)):
                shutil.rmtree(folder, ignore_errors=True)
        return [dict(zip(KEYS, step.record(), strict=False)) for step in found]

    async def _steps(self, container: Container) -> list[Step]:
        request = networking.for_start(container, self._store)
        if container.links:
            request.linked = links.linked(container, self._store, self._networks)
        attachment = await self._networks.attach(request)
        linked = links.environment(container, self._store, self._networks) if container.links else []
        task = starting.task_spec(
            container, self._paths, self._images.layers, attachment, self._store, self._defaults, linked
        )
        scoped: list[Step] = []
        if self._placement.driver == SYSTEMD:
            scoped.append(self._placement.scope_of(container.id, container.host.CgroupParent or "", 0))
        rules = self._networks.sandboxes.rules(container.id)
        sandbox = remap.owned(attachment.sandbox, container.host, self._defaults.remap)
        *steps, execve = foresight.steps(task, container.id, sandbox)
        return [*scoped, *steps, *rules, execve]
