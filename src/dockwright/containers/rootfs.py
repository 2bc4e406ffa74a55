"""The root of a container that does not run, opened for the time of one call."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dockwright.kernel import mount as m
from dockwright.kernel.process import CLONE_FS, unshare

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
        root = _mounted(mount, base, temporary)
        try:
            return work(root)
        finally:
            os.close(root)

    return await asyncio.get_running_loop().run_in_executor(_threads, call)


def _mounted(mount: dict[str, Any], base: str, temporary: str) -> int:
    """A detached mount; it goes with the last descriptor of it."""
    os.makedirs(temporary, 0o700, exist_ok=True)
    point = tempfile.mkdtemp(prefix="root-", dir=temporary)
    try:
        os.chdir(base)
        kind = mount["type"]
        flags = 0 if kind == "overlay" else m.MS_BIND
        m.mount(mount["source"], point, kind, flags, ",".join(mount["options"]) if kind == "overlay" else "")
        try:
            flags = m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC
            tree = m.open_tree(m.AT_FDCWD, point, flags)
            m.mount_setattr(tree, propagation=m.MS_PRIVATE)
            return tree
        finally:
            m.umount2(point, m.MNT_DETACH)
    finally:
        os.chdir("/")
        os.rmdir(point)
