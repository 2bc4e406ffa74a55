"""Images that were built on others here: shown, kept while they are needed, and gone with what was built on them."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import Conflict
from dockwright.grammar import reference
from dockwright.images.archive import Found


async def built(manager: Any, images: Any, count: int, name: str, parent: str = "", tag: str = "") -> list[str]:
    """A chain of images, each with a layer more than its parent; only the last one is called `name`."""
    layers = [images.tar([(f"{name}{n}", tarfile.REGTYPE, b"x" * (n + 1), 0o644)]) for n in range(count)]
    ids: list[str] = []
    content = manager._loader._content
    for number in range(count):
        ingest = content.ingest()
        blobs = [ingest.write([layer]) for layer in layers[: number + 1]]
        history = [{"created": f"2024-01-0{n + 1}T00:00:00Z", "created_by": f"step {n}"} for n in range(number + 1)]
        document = {
            "architecture": "amd64", "os": "linux", "created": history[-1]["created"], "history": history,
            "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in blobs]},
        }  # fmt: skip
        names = [reference.parse(f"{name}:1")] if number == count - 1 else []
        config = ingest.write([json.dumps(document).encode()])
        made = await manager._loader.make(Found(config, blobs, names, parent=ids[-1] if ids else parent))
        ingest.close()
        ids.append(made.id)
    return ids


async def listed(manager: Any, all: bool = False, **filters: list[str]) -> list[str]:
    return [row["Id"] for row in await manager.list(all=all, filters=filters, shared_size=False)]


def test_parents_are_shown_only_when_asked_for(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        one, two, three = await built(manager, images, 3, "a")
        assert await listed(manager) == [three]
        assert await listed(manager, True) == [three, two, one]
        assert await listed(manager, True, dangling=["true"]) == []
        rows = {row["Id"]: row["ParentId"] for row in await manager.list(all=True, filters={}, shared_size=False)}
        assert rows == {one: "", two: one, three: two}
        assert (await manager.inspect(three))["Parent"] == two
        history = await manager.history("a:1")
        assert [(row["Id"], row["Tags"], row["CreatedBy"]) for row in history] == [
            (three, ["a:1"], "step 2"), (two, None, "step 1"), (one, None, "step 0"),
        ]  # fmt: skip

    overlay.run(work)


def test_a_delete_takes_forsaken_parents_with_it(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        one, two, three = await built(manager, images, 3, "a")
        for ident in (one, two):
            with pytest.raises(Conflict, match=r"\(cannot be forced\) - image has dependent child images"):
                await manager.delete(ident, True, False)
        rows = await manager.delete("a:1", False, False)
        deleted = [row["Deleted"] for row in rows if "Deleted" in row]
        assert rows[0] == {"Untagged": "a:1"}
        assert [ident for ident in deleted if ident in (one, two, three)] == [three, two, one]
        assert len(deleted) == 6  # each with its own layer
        assert [deleted.index(ident) for ident in (three, two, one)] == [0, 2, 4]
        assert await listed(manager, True) == []

    overlay.run(work)
    overlay.consistent()
    assert not list(Path(overlay.root).glob("overlay2/*/committed"))


def test_noprune_keeps_parents_and_prune_takes_them_later(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        one, two, three = await built(manager, images, 3, "a")
        assert [row.get("Deleted") for row in await manager.delete("a:1", False, True)][1] == three
        assert await listed(manager, True) == [two, one]
        assert await listed(manager, dangling=["true"]) == [two]
        report = await manager.prune({})
        assert [row["Deleted"] for row in report["ImagesDeleted"] if row["Deleted"] in (one, two)] == [two, one]
        assert report["SpaceReclaimed"] == 3

    overlay.run(work)
    overlay.consistent()


def test_a_parent_with_a_name_or_another_child_stays(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        one, two, _ = await built(manager, images, 3, "a")
        await manager.tag(one, "base", "")
        (other,) = await built(manager, images, 1, "b", parent=two)
        await manager.delete("a:1", False, False)
        assert set(await listed(manager, True)) == {one, two, other}
        await manager.delete("b:1", False, False)
        assert await listed(manager, True) == [one]
        rows = await manager.delete("base", False, False)
        assert rows[1] == {"Deleted": one}

    overlay.run(work)
    overlay.consistent()


def test_a_name_of_a_parent_goes_and_the_parent_stays(overlay: Any, images: Any) -> None:
    async def work(manager: Any) -> None:
        one, two = await built(manager, images, 2, "a")
        await manager.tag(one, "base", "1")
        assert await manager.delete("base:1", False, False) == [{"Untagged": "base:1"}]
        assert await listed(manager, True) == [two, one]

    overlay.run(work)
