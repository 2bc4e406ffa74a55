"""The root of a container that does not run, opened for the time of one call."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dockwright.kernel import mount as m
from dockwright.kernel.process import CLONE_FS, unshare
from dockwright.runtime import tree

T = TypeVar("T")


def _own_directory() -> None:
    """A working directory of this thread's own: an overlay's lower names are relative, to fit mount(2)'s one page."""
    unshare(CLONE_FS)


_threads = ThreadPoolExecutor(2, "rootfs", initializer=_own_directory)


async def in_root(mount: dict[str, Any], base: str, temporary: str, work: Callable[[int], T]) -> T:
    """Run `work(descriptor of the root)` in a thread, with the root mounted where nobody else sees it.

    Args:
        mount: type and options, as `images.layers.mount` gives them; base: the directory its names are relative to.
        temporary: a directory of the engine's own.

    Raises:
        OSError: it cannot be mounted; and what `work` raises.
    """
    import asyncio

    def call() -> T:
        root = mounted(mount, base, temporary)
        try:
            return work(root)
        finally:
            os.close(root)

    return await asyncio.get_running_loop().run_in_executor(_threads, call)


def mounted(mount: dict[str, Any], base: str, temporary: str) -> int:
    """A detached mount; it goes with the last descriptor of it."""
    if not tree.plain(mount):
        root = tree.mounted(mount, base)
        m.mount_setattr(root, propagation=m.MS_PRIVATE, recursive=True)
        return root
    os.makedirs(temporary, 0o700, exist_ok=True)
    point = tempfile.mkdtemp(prefix="root-", dir=temporary)
    try:
        os.chdir(base)
        m.mount("overlay", point, "overlay", 0, ",".join(mount["options"]))
        try:
            root = m.open_tree(m.AT_FDCWD, point, m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC)
            m.mount_setattr(root, propagation=m.MS_PRIVATE)
            return root
        finally:
            m.umount2(point, m.MNT_DETACH)
    finally:
        os.chdir("/")
        os.rmdir(point)
