"""A disk that is full: a clear text, everything undone, and the next load works."""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty file system of 48 MiB."""
    folder = Path(tempfile.mkdtemp(prefix="dwf"))
    point, image = folder / "disk", folder / "image"
    point.mkdir()
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=48m", "none", str(point)]
    else:
        with open(image, "wb") as file:
            file.truncate(48 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(point)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no loop devices here")
    yield point
    subprocess.run(["umount", "-l", point], check=True)
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture(params=["overlay2", "vfs"])
def rig(request: pytest.FixtureRequest, disk: Path, rig_class: Any) -> Any:
    root = disk / "data"
    root.mkdir()
    return rig_class(str(root), request.param)


def archive(images: Any, *sizes: int) -> bytes:
    """An image of layers with a file of random bytes each."""
    layers = [images.tar([(f"f{n}", tarfile.REGTYPE, os.urandom(size << 20), 0o644)]) for n, size in enumerate(sizes)]
    return bytes(images.docker_archive(layers, ["big:1"]))


@pytest.mark.parametrize("sizes", [(60,), (30,), (16, 8)], ids=["while receiving", "while unpacking", "at a later layer"])
def test_a_load_that_does_not_fit(rig: Any, images: Any, sizes: tuple[int, ...]) -> None:
    data = archive(images, *sizes)
    small = archive(images, 2)
    if rig.driver == "vfs" and sizes == (16, 8):
        data = archive(images, 14, 3)  # its second layer is a copy of the first
    for _ in range(3):
        before = rig.state()
        with pytest.raises(EngineError, match="no space left on device"):
            rig.load(data)
        assert rig.state() == before
        rig.consistent()
    assert rig.load(small) == ["Loaded image: big:1\n"]
    rig.consistent()


@pytest.mark.parametrize("sizes", [(60,), (30,), (16, 8)], ids=["while receiving", "while unpacking", "at a later layer"])
def test_a_pull_that_does_not_fit(rig: Any, images: Any, registry: Any, sizes: tuple[int, ...]) -> None:
    if rig.driver == "vfs" and sizes == (16, 8):
        sizes = (14, 3)  # its second layer is a copy of the first
    layers = [images.tar([(f"f{n}", tarfile.REGTYPE, os.urandom(size << 20), 0o644)]) for n, size in enumerate(sizes)]
    registry.image(layers, "1")
    registry.image([images.tar([("small", tarfile.REGTYPE, os.urandom(2 << 20), 0o644)])], "2")
    for _ in range(3):
        with pytest.raises(EngineError, match="no space left on device"):
            rig.pull(f"{registry.host}/a")
        rig.consistent(downloads=True)
    rig.pull(f"{registry.host}/a", "2")
    rig.consistent(downloads=True)


def test_a_push_that_does_not_fit(rig: Any, images: Any, registry: Any, disk: Path) -> None:
    """A plain layer is compressed into a file first; one that does not fit is no push, and nothing is left."""
    rig.load(archive(images, 12))
    rig.run(lambda manager: manager.tag("big:1", f"{registry.host}/a", "1"))
    before = rig.state()
    with open(disk / "filler", "wb", buffering=0) as file:
        file.write(b"x" * ((os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize) - (8 << 20)))
    with pytest.raises(EngineError, match="no space left on device"):
        rig.push(f"{registry.host}/a")
    assert rig.state() == before
    (disk / "filler").unlink()
    rig.push(f"{registry.host}/a")
    rig.consistent()


def test_an_import_that_does_not_fit(rig: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        async def body() -> Any:
            yield images.tar([("f", tarfile.REGTYPE, os.urandom(30 << 20), 0o644)])

        with pytest.raises(EngineError, match="no space left on device"):
            async for _ in manager.import_(body(), "a", "1", "", []):
                pass

    rig.run(work)
    rig.consistent()


def test_deleting_works_on_a_full_disk(rig: Any, images: Any, disk: Path) -> None:
    rig.load(archive(images, 8))
    with open(disk / "filler", "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * (1 << 20) if os.statvfs(disk).f_bavail > 600 else b"x" * 4096)
    freed = os.statvfs(disk).f_bavail

    async def remove(manager: Any) -> Any:
        return await manager.delete("big:1", False, False)

    rows = rig.run(remove)
    assert len(rows) == 3
    assert os.statvfs(disk).f_bavail > freed
    rig.consistent()
