"""Making a container, and giving it another name."""

import os
import shutil
from typing import Any

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.base.ids import new_id
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.base.paths import Paths
from dockwright.base.times import now
from dockwright.containers import config as configs
from dockwright.containers import groups, hostconfig, links, logopts, names, networking, platforms, versions
from dockwright.containers.container import Container, State
from dockwright.containers.defaults import Defaults
from dockwright.containers.mounting import Mounting
from dockwright.containers.store import Store
from dockwright.host.limits import read as read_limits
from dockwright.images.manager import ImageManager
from dockwright.networks import NetworkManager
from dockwright.supervisor.placement import Placement, check_parent
from dockwright.types.container import CreateRequest


class Creation:
    """create and rename.

    Args:
        defaults: of the daemon.
    """

    def __init__(
        self, store: Store, paths: Paths, images: ImageManager, mounting: Mounting, networks: NetworkManager,
        placement: Placement, defaults: Defaults,
    ) -> None:  # fmt: skip
        self._store, self._paths, self._images, self._defaults = store, paths, images, defaults
        self._mounting, self._networks, self._placement, self._limits = mounting, networks, placement, read_limits()

    @timed(CONTAINER_ACTIONS, "create")
    async def create(
        self, name: str, request: CreateRequest, platform: str, version: tuple[int, int]
    ) -> dict[str, Any]:
        """POST /containers/create; an error leaves nothing behind."""
        container, warnings = self.planned(name, request, platform, version)
        self._store.add(container)
        try:
            await self._make(container, version)
        except BaseException:
            await self._unmake(container)
            raise
        self._store.event(container, "create")
        groups.make_ahead(container)
        return {"Id": container.id, "Warnings": warnings}

    def planned(
        self, name: str, request: CreateRequest, platform: str, version: tuple[int, int]
    ) -> tuple[Container, list[str]]:  # fmt: skip
        """The container as it will be, and warnings; every check of the request is made here."""
        versions.adapt(request, version)
        assert request.HostConfig
        request.HostConfig.LogConfig = logopts.merged(request.HostConfig.LogConfig, self._defaults.log)
        host, warnings = hostconfig.completed(request, self._limits, self._store, self._defaults)
        if host.CgroupParent:
            check_parent(self._placement.driver, host.CgroupParent)
        warnings += networking.check(request, host, self._store)
        if host.NetworkMode != "host" and (passed_by := self._networks.publish_warning(networking.bindings(host))):
            warnings.append(passed_by)
        linked = links.registered(host, self._store)
        networks = networking.joined(request, host, self._networks, version)
        image = self._images.resolve(request.Image) if request.Image else None
        warnings += platforms.check(platform, request.Image or "", image)
        ident = new_id()
        wanted = names.checked(name) if name else names.made_up(self._store.names(), ident)
        self._store.refuse_taken(wanted)
        host_name = os.uname().nodename if host.NetworkMode == "host" else ""
        config = configs.merged(request, image, ident, host_name)
        if mac := next((each.MacAddress for each in networks.values() if each.MacAddress), ""):
            config["MacAddress"] = mac
        state = State(cgroup=self._placement.cgroup(ident, host.CgroupParent or ""))
        found = Container(
            ident, wanted, now(), image.id if image else "", config, host, state, networks=networks, links=linked,
            chain=self._images.chain_of(image) if image else "",
        )  # fmt: skip
        return found, warnings

    async def _make(self, container: Container, version: tuple[int, int]) -> None:
        await self.make_layer(container)
        await self._mounting.create(container, versions.read_only_is_recursive(version))
        await self._store.insert(container)
        os.makedirs(self._paths.container(container.id), mode=0o710)

    async def make_layer(self, container: Container) -> None:
        """Its writable layer. Raises EngineError; nothing is left then."""
        options = container.host.StorageOpt
        await self._images.layers.create(container.id, container.image, container.chain, container.durable, options)

    async def _unmake(self, container: Container) -> None:
        self._store.forget(container)
        await self._mounting.unmake(container)
        await self._images.layers.remove(container.id)
        shutil.rmtree(self._paths.container(container.id), ignore_errors=True)
        await self._store.delete(container)
        self._store.event(container, "destroy")  # as Docker says of a container that was never created

    async def rename(self, ref: str, name: str) -> None:
        """POST /containers/{id}/rename."""
        container = self._store.find(ref)
        if not name:
            raise InvalidParameter("Neither old nor new names may be empty")
        old = container.name
        if name.removeprefix("/") == old:
            raise InvalidParameter("Renaming a container with the same name as its current name")
        try:
            wanted = names.checked(f"/{name.removeprefix('/')}")
            self._store.refuse_taken(wanted)
        except EngineError as error:
            raise error.prefixed("Error when allocating new name: ") from None
        await self._store.rename(container, wanted)
        await self._networks.rename(container.id, wanted)
        self._store.event(container, "rename", oldName=f"/{old}")
