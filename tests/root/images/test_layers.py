"""The layers of containers: made, read, measured, compared, removed."""

import os
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import NotFound
from dockwright.images.layers import fill_init
from dockwright.images.merged import read_file

FILE, DIR, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE


def image(images: Any, *layers: Any) -> bytes:
    return bytes(images.docker_archive([images.tar(list(layer)) for layer in layers], ["test:1"]))


@pytest.fixture
def two(images: Any) -> bytes:
    return image(
        images,
        [("usr/etc", DIR, None, 0o755), ("usr/etc/passwd", FILE, b"lower", 0o644), ("secret", FILE, b"inside", 0o644),
         ("real", DIR, None, 0o755), ("real/group", FILE, b"groups", 0o644), ("gone", DIR, None, 0o755),
         ("gone/file", FILE, b"hidden", 0o644)],
        [("alias", LINK, "real", 0o777), ("usr/etc/passwd", FILE, b"upper", 0o644), ("out", LINK, "../../../../secret", 0o777),
         ("abs", LINK, "/real/group", 0o777), ("loop", LINK, "loop", 0o777), (".wh.gone", FILE, b"", 0o644)],
    )  # fmt: skip


async def contained(manager: Any, archive: bytes, loaded: Any) -> str:
    await loaded(manager, archive)
    found = manager.resolve("test:1")
    await manager.layers.create("c1", found.id, manager.chain_of(found))
    return str(found.id)


def test_reading_without_mounting(rig: Any, two: bytes) -> None:
    async def work(manager: Any) -> None:
        await contained(manager, two, rig.loaded)
        read = manager.layers.read_file
        assert read("c1", "usr/etc/passwd") == b"upper"
        assert read("c1", "/usr/etc/../etc/passwd", 3) == b"upp"
        assert read("c1", "alias/group") == b"groups"  # a link of the upper layer to a directory of the lower
        assert read("c1", "abs") == b"groups"
        assert read("c1", "out") == b"inside"  # never above the container's root
        assert read("c1", "gone/file") == b""
        assert read("c1", "loop") == read("c1", "nothing") == read("c1", "real") == read("c1", "usr/etc/passwd/x") == b""
        with pytest.raises(NotFound):
            read("c2", "x")

    rig.run(work)


def test_a_container_that_changes_its_links_while_it_is_read(tmp_path: Path) -> None:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for folder in (upper, lower):
        (folder / "etc").mkdir(parents=True)
    (tmp_path / "outside").write_text("host")
    (lower / "etc/passwd").write_text("image")
    (upper / "etc/passwd").symlink_to(tmp_path / "outside")
    assert read_file([str(upper), str(lower)], "etc/passwd", 100) == b""
    (upper / "etc/passwd").unlink()
    os.mkfifo(upper / "etc/passwd")
    assert read_file([str(upper), str(lower)], "etc/passwd", 100) == b""
    (upper / "etc/passwd").unlink()
    os.setxattr(upper / "etc", "trusted.overlay.opaque", b"y")
    assert read_file([str(upper), str(lower)], "etc/passwd", 100) == b""
    before = len(os.listdir("/proc/self/fd"))
    read_file([str(upper), str(lower)], "etc/passwd", 100)
    assert len(os.listdir("/proc/self/fd")) == before


def test_sizes_and_changes(rig: Any, two: bytes) -> None:
    async def work(manager: Any) -> None:
        await contained(manager, two, rig.loaded)
        whole = (await manager.inspect("test:1"))["Size"]
        assert await manager.layers.size("c1") == (0, whole)
        assert await manager.layers.changes("c1") == []
        driver, key = manager.layers._existing("c1")
        with driver.opened(key) as directories:
            own = directories[0]
        Path(own, "new").write_bytes(b"12345")
        assert await manager.layers.size("c1") == (5, whole + 5)
        assert ("/new", 1) in await manager.layers.changes("c1")
        await manager.layers.remove("c1")
        await manager.layers.remove("c1")

    rig.run(work)
    rig.consistent()


def test_the_layers_of_a_deleted_image_live_on_for_a_container(rig: Any, two: bytes) -> None:
    async def work(manager: Any) -> None:
        found = await contained(manager, two, rig.loaded)
        rows = await manager.delete("test:1", False, False)  # no row of `reference` says that the container uses it
        assert rows == [{"Untagged": "test:1"}, {"Deleted": found}]
        assert manager.layers.read_file("c1", "usr/etc/passwd") == b"upper"
        assert len(rig.query("SELECT * FROM layer WHERE state = 'ready'")) == 2
        await manager.layers.remove("c1")

    rig.run(work)
    rig.consistent()
    assert rig.state()["folders"] == []


def test_another_driver_unpacks_what_is_stored(rig: Any, two: bytes) -> None:
    rig.load(two)
    rig.driver = "vfs" if rig.driver == "overlay2" else "overlay2"

    async def work(manager: Any) -> None:
        found = manager.resolve("test:1")
        assert (await manager.inspect("test:1"))["GraphDriver"] == {"Data": None, "Name": rig.driver}
        await manager.layers.create("c1", found.id, manager.chain_of(found))
        assert manager.layers.read_file("c1", "usr/etc/passwd") == b"upper"
        await manager.layers.remove("c1")

    rig.run(work)
    rig.consistent()


def test_a_container_keeps_the_driver_it_was_made_with(rig: Any, two: bytes) -> None:
    async def make(manager: Any) -> Any:
        await contained(manager, two, rig.loaded)
        return manager.layers.mount("c1"), manager.layers.graph_driver("c1"), await manager.layers.size("c1")

    async def look(manager: Any) -> Any:
        seen = manager.layers.mount("c1"), manager.layers.graph_driver("c1"), await manager.layers.size("c1")
        assert manager.layers.read_file("c1", "abs") == b"groups"
        await manager.layers.remove("c1")
        return seen

    made = rig.run(make)
    rig.driver = "vfs" if rig.driver == "overlay2" else "overlay2"
    assert rig.run(look) == made
    assert rig.query("SELECT * FROM container_layer") == []


def test_a_create_that_fails_leaves_nothing(rig: Any, two: bytes) -> None:
    rig.load(two)
    before = rig.state()

    async def work(manager: Any) -> None:
        found = manager.resolve("test:1")
        with pytest.raises(NotFound):
            await manager.layers.create("c1", "sha256:" + "0" * 64, "sha256:" + "0" * 64)
        manager._driver.prepare = lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        with pytest.raises(OSError):
            await manager.layers.create("c1", found.id, manager.chain_of(found))

    rig.run(work)
    assert rig.state() == before


def test_an_image_deleted_while_its_container_is_made(rig: Any, two: bytes) -> None:
    rig.load(two)

    async def work(manager: Any) -> None:
        found, make = manager.resolve("test:1"), manager.layers._make

        def too_late(key: str, parent: str, options: dict[str, str]) -> None:
            make(key, parent, options)
            with sqlite3.connect(rig.paths.database, timeout=10) as connection:
                connection.execute("UPDATE layer SET state = 'removing'")

        manager.layers._make = too_late
        with pytest.raises(NotFound, match="No such image"):
            await manager.layers.create("c1", found.id, manager.chain_of(found))
        assert rig.query("SELECT * FROM container_layer") == []
        assert len(rig.state()["folders"]) == (3 if rig.driver == "overlay2" else 4)

    rig.run(work)


def test_layers_of_containers_that_were_never_stored(rig: Any, two: bytes) -> None:
    async def work(manager: Any) -> None:
        await contained(manager, two, rig.loaded)
        await manager.layers.create("c2", "", "")
        await manager.layers.forget_strangers({"c1"})
        assert [row[0] for row in rig.query("SELECT container FROM container_layer")] == ["c1"]
        await manager.layers.remove("c1")

    rig.run(work)
    rig.consistent()


def test_mount_points_on_a_hostile_copy(tmp_path: Path) -> None:
    tree, canary = tmp_path / "tree", tmp_path / "canary"
    tree.mkdir()
    canary.mkdir()
    (tree / "etc").symlink_to(canary)
    (tree / "dev").symlink_to("/dev")
    (tree / ".dockerenv").symlink_to(canary / "made")
    fill_init(str(tree))
    assert list(canary.iterdir()) == []
    assert sorted(os.listdir(tree / "etc")) == ["hostname", "hosts", "mtab", "resolv.conf"]
    assert sorted(os.listdir(tree / "dev")) == ["console", "pts", "shm"]
    fill_init(str(tree))  # once more, over what is there


def test_an_image_with_directories_in_the_way(tmp_path: Path) -> None:
    for name in ("etc/hosts", "etc/mtab", ".dockerenv"):
        (tmp_path / name).mkdir(parents=True)
    fill_init(str(tmp_path))
    assert (tmp_path / "etc/hosts").is_dir()
