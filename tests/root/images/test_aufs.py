"""What aufs says by names, read and written by the layer code; a kernel with aufs is needed only to mount it."""

import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.images import snapshotters
from dockwright.images.differ import ADDED, DELETED, MODIFIED
from dockwright.images.merged import kind, read_file
from dockwright.images.snapshotters import aufs
from dockwright.images.snapshotters.aufs import Aufs, NameMarks
from dockwright.images.unpack import Unpacker

FILE, DIR = tarfile.REGTYPE, tarfile.DIRTYPE


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aufs:
    """The driver as on a kernel that has aufs: it mounts nothing by itself."""
    monkeypatch.setattr(aufs, "supported", lambda name: True)
    return Aufs(str(tmp_path / "aufs"), str(tmp_path / "trash"), {})


def layer(driver: Aufs, images: Any, key: str, parent: str, *entries: Any) -> None:
    target = driver.prepare(key, parent)
    path = Path(driver.root, "..", f"{key}.tar")
    path.write_bytes(images.tar([(name, kind_, content, 0o644) for name, kind_, content in entries]))
    with open(path, "rb") as file, Unpacker(target, driver.aside(target), driver.whiteouts(target)) as unpacker:
        unpacker.all(file)
    driver.commit(key)


@pytest.fixture
def stacked(driver: Aufs, images: Any) -> Aufs:
    layer(
        driver, images, "base", "", ("etc/a", FILE, b"1"), ("etc/b", FILE, b"22"), ("usr/bin/x", FILE, b"3"),
        ("old/deep/f", FILE, b"4"), ("keep", FILE, b"5"),
    )  # fmt: skip
    layer(
        driver, images, "top", "base", ("etc/.wh.b", FILE, b""), ("usr/.wh..wh..opq", FILE, b""), ("usr/y", FILE, b"6"),
        (".wh.old", FILE, b""), ("etc/a", FILE, b"new"), (".wh..wh.plnk", DIR, None),
    )  # fmt: skip
    return driver


def read(driver: Aufs, key: str, path: str) -> bytes:
    with driver.opened(key) as directories:
        return read_file(directories, path, 100, driver.marks)


def test_whiteouts_are_written_as_names(stacked: Aufs) -> None:
    names = sorted(str(path.relative_to(stacked.path("top"))) for path in Path(stacked.path("top")).rglob("*"))
    assert names == [".wh.old", "etc", "etc/.wh.b", "etc/a", "usr", "usr/.wh..wh..opq", "usr/y"]
    assert Path(stacked.root, "layers/top").read_text() == "base\n"
    layer_of_own = stacked.prepare("third", "top")
    assert Path(stacked.root, "layers/third").read_text() == "top\nbase\n"
    assert layer_of_own == stacked.path("third")


def test_names_are_read_as_whiteouts(stacked: Aufs) -> None:
    assert read(stacked, "base", "etc/b") == b"22"
    assert read(stacked, "top", "etc/b") == b""
    assert read(stacked, "top", "etc/a") == b"new"
    assert read(stacked, "top", "old/deep/f") == b""
    assert read(stacked, "top", "usr/bin/x") == b""
    assert read(stacked, "top", "usr/y") == b"6"
    assert read(stacked, "top", "keep") == b"5"
    with stacked.opened("top") as directories:
        assert kind(directories, "usr/bin", NameMarks()) == 0
        assert kind(directories, "etc", NameMarks()) != 0


def test_a_later_branch_brings_back(stacked: Aufs, images: Any) -> None:
    layer(stacked, images, "third", "top", ("etc/b", FILE, b"back"), ("old/f", FILE, b"7"))
    assert read(stacked, "third", "etc/b") == b"back"
    assert read(stacked, "third", "old/f") == b"7"
    assert read(stacked, "third", "old/deep/f") == b""


def test_what_a_container_has_changed(stacked: Aufs) -> None:
    """Its branch as aufs leaves it."""
    stacked.writable("own", "top", {})
    branch = Path(stacked.path("own"))
    for name in (".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk", "etc", "usr", "usr/bin"):
        (branch / name).mkdir() if name != ".wh..wh.aufs" else (branch / name).write_text("")
    os.link(branch / ".wh..wh.aufs", branch / ".wh.keep")
    os.link(branch / ".wh..wh.aufs", branch / "etc/.wh..wh..opq")
    os.link(branch / ".wh..wh.aufs", branch / "usr/.wh.nothing")
    (branch / "etc/c").write_text("new")
    (branch / "usr/y").write_text("other")
    changes = dict(stacked.changes("own"))
    assert changes["/keep"] == changes["/etc/a"] == DELETED
    assert changes["/etc/c"] == changes["/usr/bin"] == ADDED
    assert changes["/usr/y"] == MODIFIED
    assert not [path for path in changes if ".wh" in path or "nothing" in path]
    assert "/etc/b" not in changes, "it was gone before"


def test_branches_of_a_mount(stacked: Aufs) -> None:
    stacked.writable("own", "top", {})
    (mount,) = stacked.mounts("own")
    own, top, base = (stacked.path(key) for key in ("own", "top", "base"))
    fixed = ["dio", "xino=/dev/shm/aufs.xino", "dirperm1"]
    assert mount == {"type": "aufs", "source": "none", "options": [f"br:{own}=rw:{top}=ro+wh:{base}=ro+wh", *fixed]}
    stacked.view("look", "top")
    assert stacked.mounts("look")[0]["options"] == ["ro", f"br:{top}=ro+wh:{base}=ro+wh", *fixed]


def test_more_branches_than_a_page_names(driver: Aufs) -> None:
    parent = ""
    for number in range(127):
        driver.prepare(f"{number:064}", parent)
        driver.commit(f"{number:064}")
        parent = f"{number:064}"
    (mount,) = driver.mounts(parent)
    assert len(",".join(mount["options"])) < 4096
    named = mount["options"][1].count("=ro+wh")
    assert named + len(mount["remounts"]) == 127
    assert mount["remounts"][-1] == f"append:{driver.path(f'{0:064}')}=ro+wh"
    with pytest.raises(InvalidParameter, match="max depth exceeded"):
        driver.prepare("onemore", parent)


def test_removal_and_documents(stacked: Aufs) -> None:
    assert dict(stacked.status()) == {
        "Root Dir": stacked.root, "Backing Filesystem": dict(stacked.status())["Backing Filesystem"], "Dirs": "2",
        "Dirperm1 Supported": "true",
    }  # fmt: skip
    assert stacked.graph_driver("top") == {"Data": None, "Name": "aufs"}
    for key in ("top", "base", "never"):
        stacked.remove(key)
    assert stacked.keys() == []
    assert os.listdir(f"{stacked.root}/layers") == []


def test_a_kernel_without_it(tmp_path: Path) -> None:
    if snapshotters.supported("aufs"):
        pytest.skip("this kernel has aufs")
    for name, text in (("aufs", "driver not supported"), ("zfs", "prerequisites for driver not satisfied")):
        if name == "zfs" and os.path.exists("/dev/zfs"):
            continue
        with pytest.raises(EngineError, match=f"error initializing graphdriver: {text}"):
            snapshotters.choose(name, lambda driver: str(tmp_path / driver), str(tmp_path / "trash"), {})
    assert subprocess.run(["ls", tmp_path], capture_output=True, check=True).stdout == b"", "nothing was made"
