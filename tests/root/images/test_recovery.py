"""What a start does: it finishes, it sets aside, and without its own database it touches nothing."""

import os
import time
from pathlib import Path
from typing import Any

from dockwright.images.trash import Trash


def everything(rig: Any) -> list[str]:
    """All paths below the data root, but for the database's and the marks of a start."""
    skipped = ("metadata.db", "engine-id")
    return sorted(str(path) for path in Path(rig.root).rglob("*") if not path.name.startswith(skipped))


def start(rig: Any) -> None:
    rig.run(lambda manager: manager.list(all=True, filters={}, shared_size=False))


def strangers(rig: Any) -> list[Path]:
    """A folder and a blob that no row knows."""
    folder = Path(rig.root, "overlay2/stranger" if rig.driver == "overlay2" else "vfs/dir/stranger")
    folder.mkdir()
    (folder / "precious").write_text("data")
    blob = Path(rig.root, "content/blobs/sha256", "0" * 64)
    blob.write_text("precious")
    return [folder / "precious", blob]


def test_without_the_database_nothing_is_lost(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)
    before = everything(rig)
    for name in ("metadata.db", "metadata.db-wal", "metadata.db-shm"):
        Path(rig.root, name).unlink(missing_ok=True)
    for _ in range(3):  # not at the first start, nor at a later one, when the database is no longer new
        start(rig)
        assert everything(rig) == before
    assert rig.load(busybox) == ["Loaded image: busybox:latest\n"]


def test_a_broken_database_sweeps_nothing(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)
    before = everything(rig)
    for name in ("metadata.db-wal", "metadata.db-shm"):
        Path(rig.root, name).unlink(missing_ok=True)
    Path(rig.root, "metadata.db").write_bytes(b"no database" * 1000)
    start(rig)
    assert everything(rig) == before


def test_a_database_from_elsewhere_sweeps_nothing(rig: Any) -> None:
    kept = strangers(rig)
    Path(rig.root, "engine-id").write_text("f" * 64)
    start(rig)
    assert all(path.exists() for path in kept)


def test_what_nobody_owns_is_set_aside_and_goes_after_a_week(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)
    whole = everything(rig)
    kept = strangers(rig)
    start(rig)
    assert not any(path.exists() for path in kept)
    aside = sorted(Path(rig.root, "trash").iterdir())
    assert len(aside) == 2
    texts = [path.read_text() for item in aside for path in [item, *item.rglob("*")] if path.is_file()]
    assert sorted(texts) == ["data", "precious"]
    start(rig)
    assert sorted(Path(rig.root, "trash").iterdir()) == aside
    for path in aside:
        old = path.name.replace(path.name.split(".")[1], str(int(time.time()) - Trash.PATIENCE - 60))
        os.rename(path, path.with_name(old))
    start(rig)
    assert everything(rig) == whole


def test_only_ingests_of_our_own_are_cleaned(rig: Any, busybox: bytes) -> None:
    rig.load(busybox)
    whole = everything(rig)
    ingest = Path(rig.root, "content/ingest/0123456789abcdef")
    ingest.mkdir()
    (ingest / "1").write_text("half a layer")
    start(rig)
    assert everything(rig) == whole
