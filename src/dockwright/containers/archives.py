"""Files in and out of a container: HEAD, GET and PUT of /containers/{id}/archive, changes and export.

A running container's files are seen through its own mounts, by a descriptor of its root; nothing is mounted for that. One that
does not run is mounted for the time of the call, under its lock.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, TypeVar

from dockwright.base.errors import Conflict, EngineError, Internal, InvalidParameter, NotFound
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.containers import inside, remap
from dockwright.containers.container import Container
from dockwright.containers.mounting import Mounting
from dockwright.containers.remap import Remap
from dockwright.containers.store import Store
from dockwright.grammar.mounts import clean
from dockwright.images.bridge import across
from dockwright.images.inflate import opened
from dockwright.images.layers import Layers
from dockwright.kernel.mount import O_PATH
from dockwright.kernel.process import set_fs_ids
from dockwright.runtime.paths import open_in_root
from dockwright.spec.users import identify
from dockwright.tar.extraction import Extraction
from dockwright.tar.tree import TreeTar, batches, same_owner
from dockwright.tar.writer import END

AT_ONCE = 16  # uploads; more wait, and their clients with them
Pieces = AsyncGenerator[bytes, None]
T = TypeVar("T")


class Archives:
    """stat, get, put, export, changes."""

    def __init__(self, store: Store, layers: Layers, mounting: Mounting, remap: Remap | None) -> None:
        self._store, self._layers, self._mounting, self._remap = store, layers, mounting, remap
        self._pool = ThreadPoolExecutor(AT_ONCE, "extract")

    async def stat(self, ref: str, path: str) -> dict[str, Any]:
        """HEAD /containers/{id}/archive: what the path is, in the form of X-Docker-Container-Path-Stat."""
        container = self._store.find(ref)
        async with self._root(container) as root:
            return await asyncio.to_thread(_stat, root, path, ref)

    @asynccontextmanager
    async def get(self, ref: str, path: str) -> AsyncIterator[tuple[dict[str, Any], Pieces]]:
        """GET /containers/{id}/archive: what the path is, and the pieces of a tar of it."""
        container = self._store.find(ref)
        async with self._root(container) as root:
            found = await asyncio.to_thread(_stat, root, path, ref)
            tar = await asyncio.to_thread(self._tar, container, root, inside.absolute(path))
            self._store.event(container, "archive-path")
            async with aclosing(pulled(tar)) as pieces:
                yield found, pieces

    def _tar(self, container: Container, root: int, path: str) -> Iterator[bytes]:
        """The tar of one path; what the engine has mounted for the container itself (/proc, /dev ...) is not entered."""
        mounted = [inside.resolved(root, point.destination) for point in container.mounts]
        mounted += [inside.resolved(root, destination) for destination in container.host.Tmpfs or ()]
        shown = inside.base(path)
        above = inside.resolved(root, path if _is_directory(root, path) else path.rpartition("/")[0])
        skip = len(f"{shown.rstrip('/')}/")

        def enters(name: str) -> bool:
            whole = f"{above.rstrip('/')}/{name[skip:]}"
            return any(whole == point or whole.startswith(f"{point}/") for point in mounted)

        mapped = self._mapped(container)
        return _pieces(root, path, shown, TreeTar(mapped.back(same_owner) if mapped else same_owner, enters))

    def _mapped(self, container: Container) -> Remap | None:
        """How owners in a container's root differ from those seen inside; one that does not run is seen as it is on the disk."""
        return remap.of(container.host, self._remap) if container.state.running else None

    async def put(self, ref: str, path: str, body: AsyncIterator[bytes], keep_kinds: bool, copy_owner: bool) -> None:
        """PUT /containers/{id}/archive: unpack a tar of any compression into a directory.

        Args:
            keep_kinds: noOverwriteDirNonDir. copy_owner: everything gets the container's user as its owner.

        Raises:
            EngineError: in Docker's words.
        """
        container = self._store.find(ref)
        owners = self._owners(container) if copy_owner and container.config["User"] else same_owner
        async with self._root(container) as root:
            folder = await asyncio.to_thread(_destination, container, root, path, ref)
            mapped = self._mapped(container)
            work = Extraction(root, folder, keep_kinds, mapped.out(owners) if mapped else owners)
            await across(self._pool, body, lambda bridge: _as(mapped, lambda: work.all(opened(bridge))))
        self._store.event(container, "extract-to-dir")

    def _owners(self, container: Container) -> Callable[[int, int], tuple[int, int]]:
        """The container's user, as it finds itself in its own passwd file."""
        read = self._layers.read_file
        passwd, group = read(container.id, "etc/passwd"), read(container.id, "etc/group")
        user = identify(container.config["User"], [], passwd, group)
        return lambda _uid, _gid: (user.uid, user.gid)

    @asynccontextmanager
    async def export(self, ref: str) -> AsyncIterator[Pieces]:
        """GET /containers/{id}/export: a tar of the container's own root, without what is mounted in it."""
        container = self._store.find(ref)
        refuse_removed(self._store, container, f"You cannot export container {container.id} which is ")
        async with self._mounting.bare(container) as root, aclosing(pulled(_exported(root))) as pieces:
            self._store.event(container, "export")
            yield pieces

    @timed(CONTAINER_ACTIONS, "changes")
    async def changes(self, ref: str) -> list[dict[str, Any]] | None:
        """GET /containers/{id}/changes: None if there are none."""
        container = self._store.find(ref)
        found = await self._layers.changes(container.id)
        return [{"Path": path, "Kind": kind} for path, kind in found] or None

    @asynccontextmanager
    async def _root(self, container: Container) -> AsyncIterator[int]:
        """A descriptor of the container's root, closed at the end."""
        async with AsyncExitStack() as stack:
            root = await _running(container)
            if root < 0:
                await stack.enter_async_context(container.lock)
                root = await _running(container)  # perhaps it was being started
                if root < 0:
                    refuse_removed(self._store, container, f"container {container.id} is ")
                    yield await stack.enter_async_context(self._mounting.detached(container))
                    return
                await stack.aclose()
            try:
                yield root
            finally:
                os.close(root)


def refuse_removed(store: Store, container: Container, text: str) -> None:
    """Raises Conflict, in Docker's words, if a container is being removed."""
    if container.state.removing or container not in store:
        raise Conflict(f"{text}being removed")


async def _running(container: Container) -> int:
    """A descriptor of a running container's root as its own processes see it; -1 if it does not run.

    Its shim, which alone reaps it, says afterwards that it still ran: so the process id was not somebody else's.
    """
    task, pid = container.task, container.state.pid
    if not task or not pid:
        return -1
    try:
        root = os.open(f"/proc/{pid}/root", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1  # it has just ended
    try:
        said = await task.state()
    except BaseException:
        os.close(root)
        raise
    if said.get("pid") == pid and said.get("running"):
        return root
    os.close(root)
    return -1


def _stat(root: int, path: str, ref: str) -> dict[str, Any]:
    if not path:
        raise InvalidParameter("bad parameter: path cannot be empty")
    whole = inside.absolute(path)
    try:
        return inside.document(root, whole, inside.lstat(root, whole))
    except OSError as error:
        raise _missing(error, whole, path, ref) from None


def _missing(error: OSError, whole: str, path: str, ref: str) -> EngineError:
    if error.errno == errno.ENOENT:
        return NotFound(f"Could not find the file {path} in container {ref}")
    return Internal(f"lstat {whole}: {(error.strerror or '').lower()}")


def _as(mapped: Remap | None, work: Callable[[], T]) -> T:
    """Do `work` in this thread as the container's root, for whom alone its layers take new files."""
    if mapped is None:
        return work()
    set_fs_ids(*mapped.root)
    try:
        return work()
    finally:
        set_fs_ids(0, 0)


def _is_directory(root: int, path: str) -> bool:
    return stat.S_ISDIR(inside.lstat(root, path).st_mode)


def _pieces(root: int, path: str, shown: str, tar: TreeTar) -> Iterator[bytes]:
    if _is_directory(root, path):
        fd = open_in_root(root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from tar.whole(fd, shown)
        finally:
            os.close(fd)
    else:
        fd = open_in_root(root, path.rpartition("/")[0], O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from tar.one(fd, shown, shown, os.stat(shown, dir_fd=fd, follow_symlinks=False))
        finally:
            os.close(fd)
    yield END


def _exported(root: int) -> Iterator[bytes]:
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    try:
        yield from TreeTar().below(fd)
    finally:
        os.close(fd)
    yield END


async def pulled(pieces: Iterator[bytes]) -> Pieces:
    """Pieces made in worker threads, one batch ahead of whoever takes them; closing this closes them."""
    batched = batches(pieces)
    ahead = asyncio.ensure_future(asyncio.to_thread(next, batched, b""))
    try:
        while piece := await asyncio.shield(ahead):
            ahead = asyncio.ensure_future(asyncio.to_thread(next, batched, b""))
            yield piece
    finally:
        await asyncio.wait([ahead])
        if not ahead.cancelled():
            ahead.exception()  # nobody is there to hear it
        await asyncio.to_thread(_close, batched, pieces)


def _close(*generators: Any) -> None:
    for generator in generators:
        generator.close()


def _destination(container: Container, root: int, path: str, ref: str) -> str:
    """The directory that is meant, links followed.

    Raises:
        EngineError: it is none, or cannot be written to.
    """
    if not path:
        raise InvalidParameter("bad parameter: path cannot be empty")
    whole = inside.absolute(path)
    try:
        folder = inside.resolved(root, whole)
        info = inside.lstat(root, folder)
    except OSError as error:
        raise _missing(error, whole, path, ref) from None
    if not stat.S_ISDIR(info.st_mode):
        raise InvalidParameter("extraction point is not a directory")
    _refuse_read_only(container, root, folder)
    return folder


def _refuse_read_only(container: Container, root: int, folder: str) -> None:
    """By the innermost mount that holds the folder; the kernel has the last word."""
    points = [(inside.resolved(root, point.destination), point.writable) for point in container.mounts]
    points += [(inside.resolved(root, clean(path)), True) for path in container.host.Tmpfs or ()]
    holding = [(len(path), writable) for path, writable in points if f"{folder}/".startswith(f"{path.rstrip('/')}/")]
    if holding and not max(holding)[1]:
        raise InvalidParameter("mounted volume is marked read-only")
    if not holding and container.host.ReadonlyRootfs:
        raise InvalidParameter("container rootfs is marked read-only")
