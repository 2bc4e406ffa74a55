"""Layers that come from elsewhere: unpacked as they come, shared, resumed, refused when they are something else."""

import asyncio
import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.grammar import reference
from dockwright.images.archive import Found
from dockwright.images.arrival import Arrival, Remote
from dockwright.images.assembly import WrongDiff

STEP = 60_000


class Broken(Exception):
    """A connection that broke."""


class Registry:
    """Serves blobs, in pieces; `cuts` are the offsets at which a connection breaks, once each."""

    def __init__(self, *layers: bytes) -> None:
        self.layers = list(layers)
        self.packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
        self.cuts: list[int] = []
        self.asked: list[int] = []
        self.gate: asyncio.Event | None = None

    async def _pieces(self, data: bytes, offset: int) -> AsyncIterator[bytes]:
        self.asked.append(offset)
        for at in range(offset, len(data), STEP):
            if self.cuts and at >= self.cuts[0]:
                self.cuts.pop(0)
                raise Broken
            if self.gate:
                await self.gate.wait()
            yield data[at : min(at + STEP, len(data))]

    def remote(self, number: int, sent: bytes | None = None) -> Remote:
        data = self.packed[number]

        async def fetch(arrival: Arrival) -> None:
            while True:
                try:
                    return await arrival.fill(self._pieces(sent or data, arrival.offset))
                except Broken:
                    continue

        return Remote(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), fetch)

    def found(self, manager: Any, name: str, *sent: bytes | None) -> Found:
        diffs = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in self.layers]
        document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}, "x": name}
        ingest = manager._loader._content.ingest()
        config = ingest.write([json.dumps(document).encode()])
        remotes = [self.remote(n, sent[n] if sent else None) for n in range(len(self.layers))]
        return Found(config, remotes, [reference.parse(f"{name}:1")])


@pytest.fixture
def registry(images: Any) -> Registry:
    layers = [images.tar([(f"f{n}", tarfile.REGTYPE, os.urandom(700_000), 0o644)]) for n in range(2)]
    return Registry(*layers)


def statuses() -> tuple[list[tuple[int, str]], Any]:
    seen: list[tuple[int, str]] = []
    return seen, lambda index, status, current, total: seen.append((index, status))


async def make(manager: Any, found: Found, report: Any = lambda *_: None) -> str:
    try:
        return str((await manager._loader.make(found, report)).id)
    finally:
        ingest = Path(found.config.path).parent
        manager._loader._content._trash.remove(str(ingest))


def test_layers_are_unpacked_as_they_come(rig: Any, registry: Registry) -> None:
    seen, report = statuses()

    async def work(manager: Any) -> None:
        await make(manager, registry.found(manager, "a"), report)
        again, report_again = statuses()
        await make(manager, registry.found(manager, "b"), report_again)
        assert again == [(0, "Already exists"), (1, "Already exists")]

    rig.run(work)
    rig.consistent()
    assert registry.asked == [0, 0]
    for index in (0, 1):
        told = [status for number, status in seen if number == index]
        order = ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"]
        assert set(told) == set(order) and [told[0], told[-1]] == [order[0], order[-1]]
    assert sorted(row[0] for row in rig.state()["image_tag"]) == ["docker.io/library/a:1", "docker.io/library/b:1"]
    key = rig.query("SELECT key FROM layer WHERE parent = ''")[0][0]
    assert next(Path(rig.root).glob(f"*/**/{key}/**/f0")).stat().st_size == 700_000


def test_a_broken_connection_goes_on_where_it_was(rig: Any, registry: Registry) -> None:
    registry.cuts = [STEP * 3, STEP * 5]
    rig.run(lambda manager: make(manager, registry.found(manager, "a")))
    assert sum(offset > 0 for offset in registry.asked) == 2
    rig.consistent()


def test_two_that_want_a_layer_share_it_and_the_first_may_leave(overlay: Any, registry: Registry) -> None:
    async def work(manager: Any) -> str:
        registry.gate = asyncio.Event()
        first = asyncio.create_task(make(manager, registry.found(manager, "a")))
        second = asyncio.create_task(make(manager, registry.found(manager, "b")))
        await asyncio.sleep(0.2)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled() and not second.done()
        registry.gate.set()
        return await second

    ident = overlay.run(work)
    assert registry.asked == [0, 0]
    assert [row[0] for row in overlay.state()["image"]] == [ident]
    overlay.consistent()


def test_what_came_before_everybody_left_is_used_by_the_next_try(overlay: Any, registry: Registry) -> None:
    ingests = Path(overlay.root, "content/ingest")

    async def given_up(manager: Any) -> None:
        registry.cuts = [STEP * 4]
        task = asyncio.create_task(make(manager, registry.found(manager, "a")))
        while registry.cuts or not any(file.stat().st_size for file in ingests.iterdir()):
            await asyncio.sleep(0.01)
        registry.gate = asyncio.Event()
        task.cancel()
        await asyncio.wait([task])
        registry.gate = None

    overlay.run(given_up)
    state = overlay.state()
    assert state["image"] == state["layer"] == state["blob"] == state["folders"] == [] and state["ingest"]
    registry.asked.clear()
    overlay.run(lambda manager: make(manager, registry.found(manager, "a")))
    assert any(registry.asked) or len(registry.asked) < 2
    overlay.consistent()


def test_bytes_that_are_something_else_are_refused_and_forgotten(rig: Any, registry: Registry) -> None:
    data = registry.packed[1]
    wrong = [data[:-1] + bytes([data[-1] ^ 1]), data[:-9], data + b"x", b"x" * len(data)]

    async def work(manager: Any) -> None:
        for sent in wrong:
            with pytest.raises(InvalidParameter, match=registry.remote(1).digest):
                await make(manager, registry.found(manager, "a", None, sent))
            manager._assembler.arrivals.clean(everything=True)

    rig.run(work)
    rig.consistent()
    rig.run(lambda manager: make(manager, registry.found(manager, "a")))
    rig.consistent()


def test_a_layer_that_is_not_the_configs_is_refused(rig: Any, registry: Registry) -> None:
    async def work(manager: Any) -> None:
        registry.layers[1] = b"another"
        with pytest.raises(WrongDiff, match="invalid diffID for layer 1"):
            await make(manager, registry.found(manager, "a"))
        manager._assembler.arrivals.clean(everything=True)

    rig.run(work)
    rig.consistent()


def test_the_same_blob_twice_in_an_image_comes_once(overlay: Any, registry: Registry) -> None:
    twice = Registry(registry.layers[0], registry.layers[0])
    overlay.run(lambda manager: make(manager, twice.found(manager, "a")))
    assert twice.asked == [0]
    overlay.consistent()
