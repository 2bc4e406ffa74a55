"""An image manager on a data root of its own, without a daemon around it."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.images.manager import ImageManager
from dockwright.images.registry.client import Caller
from dockwright.images.registry.settings import RegistrySettings
from dockwright.images.snapshotters import supported
from dockwright.kernel import devicemapper
from dockwright.metadata import Database, identity


def made(name: str = "images") -> Any:
    """tests/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(f"test_{name}", Path(__file__).parents[2] / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rig:
    """A data root; `run` opens its database, makes a manager and gives it to a coroutine."""

    def __init__(self, root: str, driver: str) -> None:
        self.root, self.driver = root, driver
        self.paths = Paths(root, f"{root}/exec")
        self.loaded, self.policy = loaded, ""
        self.settings = RegistrySettings(certificates=(), pause=0.05)
        self.run(lambda manager: manager.list(all=True, filters={}, shared_size=False))

    def run(self, work: Callable[[ImageManager], Any]) -> Any:
        async def inside() -> Any:
            async with self.manager() as manager:
                return await work(manager)

        return asyncio.run(inside())

    @contextlib.asynccontextmanager
    async def manager(self) -> AsyncIterator[ImageManager]:
        database = Database.open(self.paths.database)
        try:
            _, trusted = identity.establish(database, self.paths.engine_id)
            self.events = EventBus()
            manager = ImageManager(
                database, self.paths, self.events, self.driver, trusted, self.settings, policy=self.policy
            )
            try:
                yield manager
            finally:
                await manager.close()
        finally:
            database.close()

    def load(self, archive: bytes) -> list[str]:
        """The lines of a load."""
        return self.run(lambda manager: loaded(manager, archive))

    def pull(
        self, name: str, tag: str = "1", platform: str = "", caller: Caller | None = None, everything: bool = False
    ) -> list[dict[str, Any]]:
        """The lines of a pull."""

        async def pulled(manager: ImageManager) -> list[dict[str, Any]]:
            return [line async for line in manager.pull(name, tag, platform, caller or Caller(), everything)]

        found: list[dict[str, Any]] = self.run(pulled)
        return found

    def push(self, name: str, tag: str = "1", caller: Caller | None = None) -> list[dict[str, Any]]:
        """The lines of a push."""

        async def pushed(manager: ImageManager) -> list[dict[str, Any]]:
            return [line async for line in manager.push(name, tag, None, caller or Caller())]

        found: list[dict[str, Any]] = self.run(pushed)
        return found

    def refused(self, archive: bytes) -> str:
        """The text by which a load is refused, after a check that it has left nothing."""
        before = self.state()
        with pytest.raises(EngineError) as caught:
            self.load(archive)
        assert self.state() == before
        return caught.value.message

    def query(self, text: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.paths.database)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        """Everything there is of images, on disk and in rows."""
        folder = Path(self.root)
        found: dict[str, Any] = {
            "folders": sorted(str(p.relative_to(folder)) for p in folder.glob("overlay2/*"))
            + sorted(str(p.relative_to(folder)) for p in folder.glob("vfs/*/*")),
            "links": len(list(folder.glob("overlay2/l/*"))),
            "blobs": sorted(p.name for p in folder.glob("content/blobs/sha256/*")),
            "ingest": [p.name for p in folder.glob("content/ingest/*")],
            "trash": [p.name for p in folder.glob("trash/*")],
        }
        found["folders"] = [name for name in found["folders"] if name != "overlay2/l"]
        if Path(self.paths.database).exists():
            for table in ("image", "image_tag", "image_layer", "layer", "blob", "container_layer", "reference"):
                with contextlib.suppress(sqlite3.OperationalError):
                    found[table] = sorted(self.query(f"SELECT * FROM {table}"))
        return found

    def consistent(self, downloads: bool = False) -> None:
        """Every row has its files and every file its row; parts of downloads may wait for another try."""
        state = self.state()
        keys = {row[0] for row in state["layer"]} | {row[2] for row in state["container_layer"]}
        assert all(row[6] == "ready" for row in state["layer"]), state["layer"]
        if self.driver == "overlay2":
            assert state["links"] == len([name for name in state["folders"] if name.startswith("overlay2/")])
        on_disk = {Path(name).name.removesuffix("-init") for name in state["folders"]}
        assert on_disk == keys
        assert {row[0].partition(":")[2] for row in state["blob"]} == set(state["blobs"])
        assert all(row[2] == "ready" for row in state["blob"])
        assert [name for name in state["ingest"] if not (downloads and name.startswith("sha256-"))] == state["trash"] == []
        assert not [row for row in state["reference"] if row[0] == "lease"]
        used = {row[2] for row in state["image_layer"]}
        assert {row[2] for row in state["layer"]} == used


async def pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def loaded(manager: ImageManager, archive: bytes) -> list[str]:
    return [line.get("stream") or line["status"] async for line in manager.load(pieces(archive), True)]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """pytest's own is cleaned by code that a tree deeper than its stack would end."""
    path = Path(tempfile.mkdtemp(prefix="dwi"))
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


PACKERS = {"erofs": "mkfs.erofs", "squashfs": "mksquashfs"}
SMALL_POOL = {"dm.fs": "ext4", "dm.basesize": "64m", "dm.loopdatasize": "1g", "dm.loopmetadatasize": "32m"}


@pytest.fixture
def disk(tmp_path: Path, peer: Callable[[str], str]) -> Iterator[Callable[[str], tuple[Path, dict[str, str]]]]:
    """What a storage driver stands on: a data root for it, and options. A driver that cannot be had here skips the test."""
    with contextlib.ExitStack() as stack:
        yield lambda driver: stands_on(driver, tmp_path, peer, stack)


def stands_on(
    driver: str, place: Path, peer: Callable[[str], str], stack: contextlib.ExitStack
) -> tuple[Path, dict[str, str]]:
    if driver == "btrfs":
        return formatted(place, [peer("mkfs.btrfs"), "-q"], 512, stack), {}
    if driver == "devicemapper":
        if not devicemapper.have_control() or not devicemapper.has_target("thin-pool"):
            pytest.skip("needs a kernel with thin pools")
        return place, SMALL_POOL
    if driver == "aufs" and not supported("aufs"):
        pytest.skip("needs a kernel with aufs")
    if driver == "zfs":
        return zfs_pool(place, peer, stack)
    if driver in PACKERS:
        peer(PACKERS[driver])
    return place, {}


def zfs_pool(
    place: Path, peer: Callable[[str], str], stack: contextlib.ExitStack
) -> tuple[Path, dict[str, str]]:  # fmt: skip
    """A pool of its own on a file."""
    if not os.path.exists("/dev/zfs"):
        pytest.skip("needs a kernel with zfs")
    zpool = peer("zpool")
    with open(place / "vdev", "wb") as file:
        file.truncate(512 << 20)
    name, point = f"dw{place.name}", place / "pool"
    subprocess.run([zpool, "create", "-m", str(point), name, str(place / "vdev")], check=True)
    stack.callback(subprocess.run, [zpool, "destroy", "-f", name], check=True)
    return point, {}


def formatted(place: Path, mkfs: list[str], megabytes: int, stack: contextlib.ExitStack) -> Path:
    """A file system of its own on a loop device, mounted until the test ends."""
    image, point = place / "image", place / "disk"
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([*mkfs, str(image)], check=True, capture_output=True)
    point.mkdir()
    if subprocess.run(["mount", "-o", "loop", image, point], check=False, capture_output=True).returncode:
        pytest.skip(f"needs a kernel with {Path(mkfs[0]).name.partition('.')[2]} and loop devices")
    stack.callback(subprocess.run, ["umount", point], check=True)
    return point


@pytest.fixture(params=["overlay2", "vfs"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    root = tempfile.mkdtemp(prefix="dwi")
    yield Rig(root, request.param)
    shutil.rmtree(root)


@pytest.fixture
def registry() -> Iterator[Any]:
    """A registry of tests/hostile.py."""
    registry = made("hostile").Registry()
    yield registry
    registry.close()


@pytest.fixture
def rig_class() -> type[Rig]:
    return Rig


@pytest.fixture
def overlay() -> Iterator[Rig]:
    root = tempfile.mkdtemp(prefix="dwi")
    yield Rig(root, "overlay2")
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def busybox() -> bytes:
    images = made()
    return bytes(images.docker_archive([images.busybox_layer()], ["busybox:latest"]))


@pytest.fixture(scope="session")
def images() -> Any:
    return made()
