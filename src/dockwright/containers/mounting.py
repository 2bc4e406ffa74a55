"""A container's mounts over its life: made with it, ready at its start, let go at its end, gone with it."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from dockwright.base.errors import EngineError, Internal, InvalidParameter, NotFound
from dockwright.base.ids import new_id
from dockwright.base.paths import Paths
from dockwright.containers import imagemounts, mountplan
from dockwright.containers.container import Container
from dockwright.containers.mountplan import Planned
from dockwright.containers.mountpoint import MountPoint
from dockwright.containers.rootfs import detached, in_root
from dockwright.containers.store import Store
from dockwright.host.mountinfo import mount_of
from dockwright.images.manager import ImageManager
from dockwright.runtime import paths as inside
from dockwright.volumes.copying import fill
from dockwright.volumes.manager import VolumeManager


class Mounting:
    """Binds, volumes and tmpfs of all containers."""

    def __init__(self, store: Store, paths: Paths, images: ImageManager, volumes: VolumeManager) -> None:
        self._store, self._paths, self._images, self._volumes = store, paths, images, volumes
        self._layers = images.layers
        self._filling = asyncio.Lock()  # two containers may be made with the same new volume

    # create

    async def create(self, container: Container, ro_recursive: bool) -> None:
        """Plan the mounts, make the volumes, fill the empty ones, make the working directory. Its layer is there already.

        Args:
            ro_recursive: see `mountplan.planned`.

        Raises:
            EngineError: in Docker's words; nothing is left then.
        """
        root, donor = self._paths.data_root, self._mounts_of
        plan = mountplan.planned(container.host, container.config, root, donor, ro_recursive)
        for entry in plan:
            if entry.volume:
                self._volumes.check(entry.volume)
        await self._find_images(plan)
        made = await self._acquire(container, plan)
        try:
            container.mounts = [entry.point for entry in plan]
            await self._furnish(container)
        except BaseException:
            await self._volumes.release(container.id, made)
            raise

    def foreseen(self, container: Container, ro_recursive: bool) -> list[MountPoint]:
        """The mounts that `create` would give it. No volume is made: new ones without a name have one of the same kind.

        Raises:
            EngineError: in Docker's words.
        """
        plan = mountplan.planned(container.host, container.config, self._paths.data_root, self._mounts_of, ro_recursive)
        for entry in plan:
            if entry.volume:
                self._volumes.check(entry.volume)
                entry.point.name = entry.point.name or entry.volume.name or new_id()
                entry.point.source = self._volumes.mountpoint(entry.point.name)
        return [entry.point for entry in plan]

    async def _find_images(self, plan: list[Planned]) -> None:
        """The images that are mounted.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        for point in (entry.point for entry in plan if entry.point.type == "image"):
            try:
                image = self._images.resolve(point.source)
            except NotFound as error:  # as a 404 it would make clients pull the container's own image
                raise InvalidParameter(f'invalid mount config for type "image": {error.message}') from None
            point.image, point.chain = image.id, self._images.chain_of(image)
            if not point.chain:
                raise InvalidParameter(f"image {point.source} has no files that could be mounted")
            await self._layers.image_there(point.image, point.chain)

    def _mounts_of(self, ref: str) -> list[MountPoint]:
        return self._store.find(ref).mounts

    async def _acquire(self, container: Container, plan: list[Planned]) -> list[str]:
        """Make or find the volumes; returns the names of the new ones."""
        inherited = [e.point.name for e in plan if e.volume is None and e.point.name]
        wanted = [entry for entry in plan if entry.volume]
        requests = [entry.volume for entry in wanted if entry.volume]
        if not requests and not inherited:
            return []
        found = await self._volumes.acquire(container.id, requests, container.durable, inherited)
        for entry, (volume, _) in zip(wanted, found, strict=True):
            entry.point.name, entry.point.driver = volume.name, volume.driver
            entry.point.source = self._volumes.mountpoint(volume.name)
        return [volume.name for volume, new in found if new]

    async def unmake(self, container: Container) -> None:
        """Undo `create`: the container is not made after all."""
        anonymous = [point.name for point in container.mounts if point.anonymous]
        if any(point.name for point in container.mounts):
            await self._volumes.let_go(container.id, anonymous)

    async def _furnish(self, container: Container) -> None:
        """What needs the container's root: files in the way of volumes, the working directory, copies into volumes.

        The root is mounted only if there is something to do.
        """
        kind, directory = self._layers.kind, container.config["WorkingDir"]
        volumes = [point for point in container.mounts if point.copy and kind(container.id, point.destination)]
        if directory in ("", "/") or kind(container.id, directory) == stat.S_IFDIR:
            directory = ""
        if not volumes and not directory:
            return
        async with self._filling:
            await self._in_root(container, directory, volumes)

    async def _in_root(self, container: Container, directory: str, volumes: list[MountPoint]) -> None:
        user = f"create {container.id}"
        for point in volumes:
            point.source = await self._volumes.activate(point.name, user)
        try:
            alone = {point.name for point in volumes if self._volumes.exclusive(point.name, user)}
            merged = (self._layers.graph_driver(container.id)["Data"] or {}).get("MergedDir", "")  # vfs has none
            await in_root(
                self._layers.mount(container.id), self._layers.base, self._paths.temporary,
                lambda root: _furnish(root, directory, volumes, alone, merged),
            )  # fmt: skip
        finally:
            for point in volumes:
                await self._volumes.deactivate(point.name, user)

    # start and end

    async def start(self, container: Container) -> None:
        """Make everything ready for the shim; `ended` undoes it.

        Raises:
            EngineError: in Docker's words.
        """
        for point in container.mounts:
            if point.destination == "/":
                raise InvalidParameter("invalid specification: destination can't be '/'")  # a VOLUME may say so
            if point.type == "volume":
                await self._activate(point, container.id)
                self._check_subpath(point)
            elif point.type == "bind":
                _prepare_bind(point)
            elif point.type == "image":
                await self._layers.image_there(point.image, point.chain)
        self._tell_mounted(container)

    def _tell_mounted(self, container: Container) -> None:
        for point in container.mounts:
            if point.type == "volume":
                self._volumes.publish(
                    point.name, "mount", container=container.id, destination=point.destination,
                    propagation=point.propagation, **{"read/write": str(point.writable).lower()},
                )  # fmt: skip

    async def _activate(self, point: MountPoint, user: str) -> None:
        try:
            point.source = await self._volumes.activate(point.name, user)
        except OSError as error:
            text = f"error while mounting volume '{point.source}': {os.strerror(error.errno or 0).lower()}"
            raise Internal(text) from None

    def _check_subpath(self, point: MountPoint) -> None:
        """A subpath must be there; where it leads is looked up again, inside the volume, by the shim.

        Raises:
            NotFound: in Docker's words.
        """
        if not point.subpath:
            return
        volume = os.open(point.source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(inside.open_in_root(volume, point.subpath))
        except OSError as error:
            path = f"{point.source}/{point.subpath}"
            text = os.strerror(error.errno or 0).lower()
            raise NotFound(f"cannot access path {path}: lstat {path}: {text}") from None
        finally:
            os.close(volume)

    async def ended(self, container: Container) -> None:
        """The container's process has ended, or did not start."""
        await self._let_go(container, container.id)

    async def _let_go(self, container: Container, user: str) -> None:
        for point in container.mounts:
            if point.type == "volume" and await self._volumes.deactivate(point.name, user):
                self._volumes.publish(point.name, "unmount", container=container.id)

    # a look at the files of one that does not run

    @asynccontextmanager
    async def detached(self, container: Container) -> AsyncIterator[int]:
        """A descriptor of the root with everything mounted in it but tmpfs, for the time of one call.

        Raises:
            EngineError: in Docker's words.
        """
        user = f"files {container.id}"
        try:
            for point in container.mounts:
                if point.type == "volume":
                    await self._activate(point, user)
            self._tell_mounted(container)
            points = [point for point in container.mounts if point.type != "tmpfs"]
            binds = [imagemounts.entry(point, self._layers, self._paths) for point in points] + self._engine_files(container)
            async with self._opened(
                self._layers.mount(container.id), binds, bool(container.host.ReadonlyRootfs)
            ) as root:
                yield root
        finally:
            await self._let_go(container, user)

    def bare(self, container: Container) -> AbstractAsyncContextManager[int]:
        """A descriptor of the root alone, to be read; the container may run meanwhile."""
        return self._opened(self._layers.view(container.id), [], True)

    @asynccontextmanager
    async def _opened(self, mount: dict[str, Any], binds: list[dict[str, Any]], read_only: bool) -> AsyncIterator[int]:
        base = self._layers.base
        root = await asyncio.to_thread(detached, mount, base, self._paths.temporary, binds, read_only)
        try:
            yield root
        finally:
            await asyncio.to_thread(os.close, root)  # which unmounts

    def _engine_files(self, container: Container) -> list[dict[str, Any]]:
        """hostname, hosts and resolv.conf, once they have been written by a start."""
        folder, taken = self._paths.container(container.id), {point.destination for point in container.mounts}
        wanted = {f"/etc/{name}": f"{folder}/{name}" for name in ("hostname", "hosts", "resolv.conf")}
        return [
            {"destination": target, "type": "bind", "source": source, "options": ["bind", "rprivate"]}
            for target, source in wanted.items()
            if target not in taken and os.path.exists(source)
        ]

    async def restore(self) -> None:
        """At the daemon's start: volumes of containers that run are in use, those of containers that never were made are not."""
        await self._volumes.forget_strangers({container.id for container in self._store})
        for container in self._store:
            if container.state.running or container.state.pid:
                self.adopt(container)

    def adopt(self, container: Container) -> None:
        """A container runs that an earlier daemon has started: its volumes are in use."""
        for point in container.mounts:
            if point.type == "volume":
                self._volumes.note_active(point.name, container.id)

    # removal

    async def remove(self, container: Container) -> None:
        """A container that is being removed lets go of its volumes; those that nobody gave a name and nobody else uses go too,
        if its state says so."""
        names = [point.name for point in container.mounts if point.name]
        if names:
            gone = [point.name for point in container.mounts if point.anonymous and container.state.remove_volumes]
            await self._volumes.let_go(container.id, gone)


def _furnish(root: int, directory: str, volumes: list[MountPoint], alone: set[str], merged: str) -> None:
    """In a thread, on the container's root. alone: the volumes that nobody else has open."""
    if directory:
        _make_working_directory(root, directory)
    for point in volumes:
        _fill(root, point, point.name not in alone, merged)


def _make_working_directory(root: int, directory: str) -> None:
    """Raises Internal, in Docker's words, where a file is in the way."""
    try:
        os.close(inside.make_directory(root, directory))
    except (NotADirectoryError, FileExistsError):
        raise Internal(f"Cannot mkdir: {directory} is not a directory") from None


def _fill(root: int, point: MountPoint, in_place: bool, merged: str) -> None:
    """Copy what the image has at the destination into an empty volume.

    Raises:
        Internal: in Docker's words, when that is a file.
    """
    try:
        source = inside.open_in_root(root, point.destination, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return  # the image has nothing there
    try:
        if not stat.S_ISDIR(os.fstat(source).st_mode):
            raise Internal(
                f"cannot mount volume over existing file, file exists {merged}/{point.destination.lstrip('/')}"
            )
        fill(point.source, source, in_place)
    finally:
        os.close(source)


def _prepare_bind(point: MountPoint) -> None:
    """Make a missing source, and see that it can propagate as asked.

    Raises:
        EngineError: in Docker's words.
    """
    if not os.path.exists(point.source):
        if not point.create_source:
            raise mountplan.missing_source(point.source)
        try:
            os.makedirs(point.source, 0o755)
        except NotADirectoryError:
            return  # the runtime says it better
        except OSError as error:
            text = f"mkdir {error.filename}: {os.strerror(error.errno or 0).lower()}"
            raise Internal(f"error while creating mount source path '{point.source}': {text}") from None
    _check_propagation(point)


def _check_propagation(point: MountPoint) -> None:
    kind = point.propagation.removeprefix("r")
    if kind == "private" or not kind:
        return
    source = os.path.realpath(point.source)
    mount = mount_of(source)
    if kind == "shared" and not mount.shared:
        raise _not_propagating(point, mount.point, "shared")
    if kind == "slave" and not (mount.shared or mount.slave) and not point.implied:
        raise _not_propagating(point, mount.point, "shared or slave")


def _not_propagating(point: MountPoint, where: str, wanted: str) -> EngineError:
    return Internal(f"path {point.source} is mounted on {where} but it is not a {wanted} mount")
