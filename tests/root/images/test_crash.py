"""A process killed with -9 at every step of a load, a delete, and of making and removing a container's layers."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("crash_child.py")
SOURCE = Path(__file__).parents[3] / "src"
MOST = 400  # steps: more would mean that something grows with the size of an image


def child(rig: Any, what: str, step: int, *fault: str) -> int:
    """The number of steps of a whole run, 0 for one that was killed."""
    command = [sys.executable, str(CHILD), rig.root, rig.driver, what, str(step), *fault]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return int(done.stdout) if done.returncode == 0 else 0


def steps(rig: Any, what: str, *fault: str) -> range:
    """Of 1 .. N, where N is how many steps `what` takes, all for kills of loads and deletes, else some, to save time."""
    count = child(rig, what, 0, *fault)
    assert 5 < count < MOST
    stride = 3 if what.startswith(("pull", "push")) else 2 if fault or what in ("create", "remove") else 1
    return range(1, count + 1, stride if rig.driver == "overlay2" else stride + 2)


def fresh(rig: Any, saved: str) -> None:
    """The data root as it was saved."""
    shutil.rmtree(rig.root)
    subprocess.run(["cp", "-a", saved, rig.root], check=True)


def save(rig: Any, tmp_path: Path) -> str:
    """A copy of the data root as it is."""
    subprocess.run(["cp", "-a", rig.root, tmp_path / "saved"], check=True)
    return str(tmp_path / "saved")


@pytest.fixture
def archive(images: Any, tmp_path: Path) -> str:
    layers = [images.tar([("d", tarfile.DIRTYPE, None, 0o755), ("d/f", tarfile.REGTYPE, b"x" * number, 0o644),
                          (f"d/.wh.g{number}", tarfile.REGTYPE, b"", 0o644)]) for number in (1, 2)]  # fmt: skip
    path = tmp_path / "crash.tar"
    path.write_bytes(images.docker_archive(layers, ["crash:1"]))
    return str(path)


async def names(manager: Any) -> list[str]:
    rows = await manager.list(all=True, filters={}, shared_size=False)
    return [tag for row in rows for tag in row["RepoTags"]]


def recovered(rig: Any) -> list[str]:
    """Start again; what is there must be whole, and nothing else may be."""
    found = rig.run(names)
    rig.consistent()
    return list(found)


def test_a_load_killed_at_every_step(rig: Any, archive: str, tmp_path: Path) -> None:
    saved = save(rig, tmp_path)
    seen = set()
    for step in steps(rig, f"load:{archive}"):
        fresh(rig, saved)
        assert child(rig, f"load:{archive}", step) == 0
        tags = recovered(rig)
        seen.add(bool(tags))
        if step % 5 == 0:
            assert rig.load(Path(archive).read_bytes()) == ["Loaded image: crash:1\n"]
            rig.consistent()
    assert seen == {False, True}  # it was killed before it counted, and after


@pytest.mark.parametrize("what", ["load", "save", "delete"])
def test_without_blobs_killed_at_every_step_of(overlay: Any, archive: str, tmp_path: Path, what: str) -> None:
    """Nothing is left of blobs that were made again, and every recipe has its layer."""
    told = f"small load:{archive}" if what == "load" else f"small {what}"
    if what != "load":
        assert child(overlay, f"small load:{archive}", 0)
    saved = save(overlay, tmp_path)
    for step in steps(overlay, told)[::2]:
        fresh(overlay, saved)
        assert child(overlay, told, step) == 0
        tags = recovered(overlay)
        state = overlay.state()
        keys = {row[0] for row in state["layer"]}
        assert set(os.listdir(f"{overlay.root}/content/recipes")) == keys
        assert len(state["blobs"]) == len(state["image"]) == len(tags)
        if tags and step % 5 == 0:
            assert child(overlay, "small save", 0) and overlay.state() == state


def test_a_pull_killed_at_every_step(rig: Any, registry: Any, archive: str, images: Any, tmp_path: Path) -> None:
    """The next start finds whole things only, the next pull fetches no more than what had not come."""
    layers = [images.tar([(f"f{number}", tarfile.REGTYPE, os.urandom(200_000), 0o644)]) for number in (1, 2)]
    registry.image(layers, "1")
    name, saved = f"{registry.host}/a", save(rig, tmp_path)
    seen, continued = set(), 0
    for step in steps(rig, f"pull:{name}"):
        fresh(rig, saved)
        child(rig, f"pull:{name}", step)  # layers come at once, so one run has a step more than the next
        tags = rig.run(names)
        rig.consistent(downloads=True)
        seen.add(bool(tags))
        if step % 4 == 0:
            before = registry.count("GET .*/blobs/")
            rig.pull(name)
            continued += registry.count("GET .*/blobs/") - before < 3
            rig.consistent(downloads=True)
            assert rig.run(names) == [f"{name}:1"]
    assert seen == {False, True} and continued


def test_a_push_killed_at_every_step(overlay: Any, registry: Any, archive: str, tmp_path: Path) -> None:
    overlay.load(Path(archive).read_bytes())
    name = f"{registry.host}/a"
    overlay.run(lambda manager: manager.tag("crash:1", name, "1"))
    saved = save(overlay, tmp_path)
    for step in steps(overlay, f"push:{name}"):
        fresh(overlay, saved)
        assert child(overlay, f"push:{name}", step) == 0
        assert sorted(overlay.run(names)) == sorted([f"{name}:1", "crash:1"])
        overlay.consistent()
    overlay.push(name)
    overlay.consistent()


@pytest.mark.parametrize("what", ["pull", "push"])
def test_an_error_of_the_disk_at_every_step_of(
    overlay: Any, registry: Any, archive: str, images: Any, tmp_path: Path, what: str
) -> None:
    name = f"{registry.host}/a"
    if what == "push":
        overlay.load(Path(archive).read_bytes())
        overlay.run(lambda manager: manager.tag("crash:1", name, "1"))
    registry.image([images.tar([("f", tarfile.REGTYPE, os.urandom(200_000), 0o644)])], "1")
    saved = save(overlay, tmp_path)
    for step in steps(overlay, f"{what}:{name}", str(errno.EIO)):
        fresh(overlay, saved)
        assert child(overlay, f"{what}:{name}", step, str(errno.EIO)) > 0
        overlay.run(names)
        overlay.consistent(downloads=True)
        if step % 5 == 1:
            getattr(overlay, what)(name)
            overlay.consistent(downloads=True)


def test_a_delete_killed_at_every_step(rig: Any, archive: str, tmp_path: Path) -> None:
    rig.load(Path(archive).read_bytes())
    saved = save(rig, tmp_path)
    seen = set()
    for step in steps(rig, "delete"):
        fresh(rig, saved)
        assert child(rig, "delete", step) == 0
        tags = recovered(rig)
        seen.add(bool(tags))
        if not tags:
            assert rig.state()["folders"] == rig.state()["blobs"] == []
    assert seen == {False, True}


@pytest.mark.parametrize("what", ["load", "delete"])
def test_an_error_of_the_disk_at_every_step(rig: Any, archive: str, tmp_path: Path, what: str) -> None:
    """EIO once: what was asked for is done or undone; the next start finds whole things only, and it works again."""
    if what == "delete":
        rig.load(Path(archive).read_bytes())
    saved, work = save(rig, tmp_path), f"load:{archive}" if what == "load" else what
    for step in steps(rig, work, str(errno.EIO)):
        fresh(rig, saved)
        assert child(rig, work, step, str(errno.EIO)) > 0
        recovered(rig)
        if step % 7 == 1:
            assert rig.load(Path(archive).read_bytes()) == ["Loaded image: crash:1\n"]
            rig.consistent()


@pytest.mark.parametrize("what", ["create", "remove"])
def test_the_layers_of_a_container_killed_at_every_step(rig: Any, archive: str, tmp_path: Path, what: str) -> None:
    rig.load(Path(archive).read_bytes())
    if what == "remove":
        child(rig, "create", 0)
    saved = save(rig, tmp_path)
    for step in steps(rig, what):
        fresh(rig, saved)
        assert child(rig, what, step) == 0
        rig.run(lambda manager: manager.layers.forget_strangers(set()))  # as the container manager's rows lack it
        for path in Path(rig.root, "trash").glob("unowned.*"):  # killed before the row was there
            subprocess.run(["rm", "-r", path], check=True)
        rig.consistent()
        assert rig.query("SELECT * FROM container_layer") == []
