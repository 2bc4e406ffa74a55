"""Images without their compressed layers (`content-retention: unpacked-only`): the very tars come back when they are wanted."""

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockwright.base.errors import Internal
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.grammar import reference
from dockwright.images.archive import Found
from dockwright.images.arrival import Arrival, Remote
from dockwright.images.manager import ImageManager
from dockwright.images.recipe import Recorder, rebuilt
from dockwright.images.snapshotters.stacking import Nothing
from dockwright.images.unpack import Unpacker
from dockwright.metadata import Database, identity


def layer(*files: tuple[str, bytes], form: int = tarfile.GNU_FORMAT, tail: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(content), 1_700_000_000.5 if form == tarfile.PAX_FORMAT else 5, "somebody"
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.LNKTYPE, files[0][0]
        tar.addfile(link)
    return buffer.getvalue() + tail


TOP = layer(("top", b"t" * 3000), ("x" * 180, b"long name"), form=tarfile.PAX_FORMAT, tail=b"behind the end, and no zeros")
LAYERS = [layer(("d/a", os.urandom(900_000)), ("d/b", b"")), TOP]


@pytest.fixture(params=["overlay2", "vfs"])
def small(request: pytest.FixtureRequest, rig_class: Any) -> Iterator[Any]:
    """A data root whose managers drop blobs."""
    root = tempfile.mkdtemp(prefix="dwi")
    rig = rig_class(root, request.param)

    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[ImageManager]:
        database = Database.open(rig.paths.database)
        try:
            _, trusted = identity.establish(database, rig.paths.engine_id)
            yield ImageManager(database, Paths(root, f"{root}/exec"), EventBus(), rig.driver, trusted, keep_blobs=False)
        finally:
            database.close()

    rig.manager = manager
    yield rig
    shutil.rmtree(root)


async def saved(manager: Any, name: str) -> bytes:
    return b"".join([piece async for piece in manager.save([name])])


def blobs(rig: Any) -> list[str]:
    return sorted(rig.state()["blobs"])


def recipes(rig: Any) -> list[str]:
    return sorted(os.listdir(f"{rig.root}/content/recipes"))


def members(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive if info.isfile()}  # type: ignore[union-attr]


def test_only_documents_stay_and_the_tars_come_back(small: Any, images: Any) -> None:
    small.load(images.docker_archive(LAYERS, ["small:1"], packed=lambda data: gzip.compress(data, 1)))
    assert len(blobs(small)) == 1 and len(recipes(small)) == 2
    before = small.state()
    found = members(small.run(lambda manager: saved(manager, "small:1")))
    for data in LAYERS:
        assert found[f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"] == data
    entry = json.loads(found["manifest.json"])[0]
    assert [found[name] for name in entry["Layers"]] == LAYERS
    assert small.state() == before  # what was made again has gone again
    small.run(lambda manager: manager.delete("small:1", False, False))
    assert blobs(small) == recipes(small) == []


def test_what_was_saved_is_the_same_image_elsewhere(small: Any, overlay: Any, images: Any) -> None:
    small.load(images.docker_archive(LAYERS, ["small:1"], packed=lambda data: gzip.compress(data, 1)))
    archive = small.run(lambda manager: saved(manager, "small:1"))
    assert overlay.load(archive) == ["Loaded image: small:1\n"]
    assert [row[0] for row in overlay.state()["image"]] == [row[0] for row in small.state()["image"]]
    assert small.load(archive) == ["Loaded image: small:1\n"]  # known already
    assert len(blobs(small)) == 1
    small.run(lambda manager: asyncio.gather(*(saved(manager, "small:1") for _ in range(3))))
    assert len(blobs(small)) == 1


def test_a_layer_that_cannot_be_made_again_keeps_its_blob(small: Any, images: Any) -> None:
    twice = layer(("f", b"first"), ("f", b"second"))
    small.load(images.docker_archive([twice, TOP], ["odd:1"]))
    assert hashlib.sha256(twice).hexdigest() in blobs(small) and len(recipes(small)) == 1
    found = members(small.run(lambda manager: saved(manager, "odd:1")))
    assert found[f"blobs/sha256/{hashlib.sha256(twice).hexdigest()}"] == twice


def test_a_layer_that_was_changed_on_disk_is_told(small: Any, images: Any) -> None:
    small.load(images.docker_archive(LAYERS, ["small:1"]))
    place = next(Path(small.root).glob("overlay2/*/diff/d/a" if small.driver == "overlay2" else "vfs/dir/*/top"))
    before = small.state()
    place.write_bytes(b"!" * place.stat().st_size)
    with pytest.raises(Internal, match="cannot be made again: its files have changed"):
        small.run(lambda manager: saved(manager, "small:1"))
    place.unlink()
    with pytest.raises(Internal, match=r"cannot be made again: [a-z/]+: no such file"):
        small.run(lambda manager: saved(manager, "small:1"))
    assert small.state() == before


def test_a_recipe_without_its_layer_goes_at_start(small: Any) -> None:
    Path(small.root, "content/recipes/stray").write_bytes(b"")
    small.run(lambda manager: manager.list(all=True, filters={}, shared_size=False))
    assert recipes(small) == []


def test_a_pull_leaves_nothing_of_its_downloads(small: Any) -> None:
    packed = gzip.compress(TOP, 1, mtime=0)

    async def fetch(arrival: Arrival) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield packed[arrival.offset :]

        await arrival.fill(pieces())

    async def work(manager: Any) -> None:
        diff = f"sha256:{hashlib.sha256(TOP).hexdigest()}"
        document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
        ingest = manager._loader._content.ingest()
        config = ingest.write([json.dumps(document).encode()])
        remote = Remote(f"sha256:{hashlib.sha256(packed).hexdigest()}", len(packed), fetch)
        await manager._loader.make(Found(config, [remote], [reference.parse("pulled:1")]))
        ingest.close()
        found = members(await saved(manager, "pulled:1"))
        assert found[f"blobs/sha256/{diff[7:]}"] == TOP

    small.run(work)
    small.consistent()
    assert len(blobs(small)) == len(recipes(small)) == 1


names = st.sampled_from(["a", "b/c", "b/d", "e" * 120, "f/" * 60 + "g"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(names, st.binary(max_size=1500)), min_size=1, max_size=5, unique_by=lambda file: file[0]),
       st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.binary(max_size=700))
def test_any_tar_comes_back_as_it_was(files: list[tuple[str, bytes]], form: int, tail: bytes) -> None:
    data = layer(*files, form=form, tail=tail)
    place = Path(tempfile.mkdtemp(prefix="dwr"))
    try:
        (place / "layer").mkdir()
        with Recorder(str(place / "recipe")) as recorder, Unpacker(
            str(place / "layer"), str(place), Nothing(), recorder
        ) as unpacker:
            unpacker.all(io.BytesIO(data))
        assert recorder.whole
        assert b"".join(rebuilt(str(place / "recipe"), str(place / "layer"))) == data
    finally:
        shutil.rmtree(place)
