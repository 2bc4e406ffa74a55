"""The root of a container that does not run, mounted for the time of one call where nobody else sees it.

It is put together by a thread in a mount namespace of its own, whose end takes everything that was mounted there; what is
kept is a detached copy, which lives as long as its descriptor. So a daemon that is killed leaves nothing mounted.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dockwright.kernel import mount as m
from dockwright.kernel.process import CLONE_NEWNS, unshare
from dockwright.runtime import tree
from dockwright.runtime.mounts import Mount

T = TypeVar("T")
Document = dict[str, Any]


class _Root:
    """What `runtime.mounts` must know of the container."""

    bundle = ""

    def __init__(self, root: int) -> None:
        self.root = root


async def in_root(mount: Document, base: str, temporary: str, work: Callable[[int], T]) -> T:
    """Run `work(descriptor of the root)` in a thread; see `detached`.

    Raises:
        OSError: it cannot be mounted; and what `work` raises.
    """

    def call() -> T:
        root = detached(mount, base, temporary)
        try:
            return work(root)
        finally:
            os.close(root)

    return await asyncio.to_thread(call)


def detached(
    mount: Document, base: str, temporary: str, binds: Sequence[Document] = (), read_only: bool = False
) -> int:  # fmt: skip
    """A descriptor of the root, which is mounted until that is closed. To be called in a worker thread.

    Args:
        mount: type and options, as `images.layers.mount` gives them; base: the directory its names are relative to.
        temporary: a directory of the engine's own.
        binds: mounts in it, in the runtime's terms. read_only: nothing but they can be written.

    Raises:
        OSError: something cannot be mounted.
    """
    os.makedirs(temporary, 0o700, exist_ok=True)
    result: list[int | BaseException] = []

    def make() -> None:
        try:
            result.append(_assembled(mount, base, temporary, binds, read_only))
        except BaseException as error:  # noqa: BLE001 -- raised again by whoever waits for this thread
            result.append(error)

    thread = threading.Thread(target=make, name="rootfs")
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _assembled(mount: Document, base: str, temporary: str, binds: Sequence[Document], read_only: bool) -> int:
    """In a thread that ends afterwards: its mount namespace and working directory are its own."""
    unshare(CLONE_NEWNS)
    m.mount("", "/", "", m.MS_REC | m.MS_SLAVE)
    point = tempfile.mkdtemp(prefix="root-", dir=temporary)
    try:
        tree.mount_at(mount, base, point)
        root = os.open(point, m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _attach(root, binds)
            if read_only:
                m.mount_setattr(root, m.MOUNT_ATTR_RDONLY)
        finally:
            os.close(root)
        copy = m.open_tree(m.AT_FDCWD, point, m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC | m.AT_RECURSIVE)
        m.mount_setattr(copy, propagation=m.MS_PRIVATE, recursive=True)
        m.umount2(point, m.MNT_DETACH)
        return copy
    finally:
        os.rmdir(point)


def _attach(root: int, binds: Sequence[Document]) -> None:
    """Outer ones first; a source that has vanished is left out, as nothing can be seen in it."""
    for entry in sorted(binds, key=lambda entry: str(entry["destination"]).count("/")):
        if entry.get("snapshot") or os.path.exists(entry["source"]):
            step = Mount(entry, _Root(root))
            step.prepare()
            step.execute()
