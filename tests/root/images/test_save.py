"""Saving while others are at it, and who may look at what is kept."""

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import NotFound


async def gathered(pieces: Any) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_an_image_deleted_while_it_is_saved(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)

    async def work(manager: Any) -> bytes:
        saving = manager.save(["busybox"])
        first = [await anext(saving) for _ in range(4)]
        await manager.delete("busybox", False, False)
        assert rig.state()["blobs"]  # the save still reads them
        assert rig.state()["folders"] == []
        return b"".join(first) + await gathered(saving)

    archive = rig.run(work)
    assert rig.state()["blobs"] == []
    rig.consistent()
    assert rig.load(archive) == ["Loaded image: busybox:latest\n"]


def test_a_client_that_leaves_a_save(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)

    async def work(manager: Any) -> None:
        saving = manager.save(["busybox"])
        await anext(saving)
        await saving.aclose()

    rig.run(work)
    rig.consistent()


def test_a_save_is_a_tar_whatever_its_members(rig: Any, images: Any) -> None:
    rig.load(images.docker_archive([], ["none:1"]))
    rig.load(images.docker_archive([images.tar([("f", tarfile.REGTYPE, b"x", 0o644)])] * 3, ["same:1"]))
    data = rig.run(lambda manager: gathered(manager.save(["none:1", "same:1"])))
    assert len(data) % 10240 == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {member.mtime for member in members} == {0}
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
    assert {member.mode for member in members} == {0o644, 0o755}


def test_a_blob_that_is_gone_is_said_before_the_first_byte(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)
    for path in Path(rig.root, "content/blobs/sha256").iterdir():
        path.unlink()

    async def work(manager: Any) -> None:
        with pytest.raises(NotFound, match="content digest sha256:"):
            await anext(manager.save(["busybox"]))

    rig.run(work)


def test_nobody_else_gets_at_layers_and_blobs(rig: Any, busybox: bytes) -> None:
    old = os.umask(0)
    try:
        rig.load(busybox)
    finally:
        os.umask(old)
    for name in ("overlay2", "overlay2/l", "vfs", "vfs/dir", "content", "content/blobs", "content/blobs/sha256", "trash"):
        path = Path(rig.root, name)
        assert not path.exists() or not stat.S_IMODE(path.stat().st_mode) & 0o007
