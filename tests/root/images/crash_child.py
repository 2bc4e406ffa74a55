"""A process that does one thing to images and is killed at its n-th step: run by test_crash.py.

Steps are the calls by which the disk or the database changes. With n = 0 none kills; the number of steps is printed.
With a fifth argument the n-th step fails with that errno instead (commits always succeed), and the process goes on.
"""

import asyncio
import itertools
import os
import signal
import sys
import threading
from typing import Any

root, driver, what, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
fault = int(sys.argv[5]) if sys.argv[5:] else 0
small = what.startswith("small ")  # blobs are not kept
what = what.removeprefix("small ")
counter, lock = itertools.count(1), threading.Lock()
armed = False
last = 0


def step() -> None:
    global last
    if armed:
        with lock:
            last = next(counter)
            if last == limit and fault:
                raise OSError(fault, os.strerror(fault))
            if last == limit:
                os.kill(os.getpid(), signal.SIGKILL)


def counted(function: Any) -> Any:
    def wrapper(*arguments: Any, **options: Any) -> Any:
        step()
        return function(*arguments, **options)

    return wrapper


for name in ("mkdir", "rename", "symlink", "link", "unlink", "rmdir", "fsync", "mknod", "chmod", "pwrite"):
    setattr(os, name, counted(getattr(os, name)))

from dockwright.base.errors import EngineError  # noqa: E402
from dockwright.base.paths import Paths  # noqa: E402
from dockwright.events import EventBus  # noqa: E402
from dockwright.images.manager import ImageManager  # noqa: E402
from dockwright.images.registry.client import Caller  # noqa: E402
from dockwright.images.registry.settings import RegistrySettings  # noqa: E402
from dockwright.metadata import Database, identity  # noqa: E402

if not fault:
    Database._commit = counted(Database._commit)  # type: ignore[method-assign]


async def pieces(path: str) -> Any:
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


async def main() -> None:
    global armed
    paths = Paths(root, f"{root}/exec")
    database = Database.open(paths.database)
    _, trusted = identity.establish(database, paths.engine_id)
    settings = RegistrySettings(certificates=(), attempts=1)
    manager = ImageManager(database, paths, EventBus(), driver, trusted, settings, keep_blobs=not small)
    armed = True
    try:
        await work(manager)
    except (EngineError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
    armed = False
    await manager.close()
    await asyncio.sleep(0)
    database.close()
    print(last)


async def work(manager: ImageManager) -> None:
    if what.startswith("load:"):
        async for _ in manager.load(pieces(what[5:]), True):
            pass
    elif what.startswith("pull:"):
        async for _ in manager.pull(what[5:], "1", "", Caller()):
            pass
    elif what.startswith("push:"):
        async for _ in manager.push(what[5:], "1", None, Caller()):
            pass
    elif what == "save":
        async for _ in manager.save(["crash:1"]):
            pass
    elif what == "delete":
        await manager.delete("crash:1", False, False)
    elif what == "create":
        image = manager.resolve("crash:1")
        await manager.layers.create("c1", image.id, manager.chain_of(image))
    elif what == "remove":
        await manager.layers.remove("c1")


asyncio.run(main())
