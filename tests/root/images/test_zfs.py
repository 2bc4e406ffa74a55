"""What the zfs driver asks of zfs(8); where the kernel has zfs, test_snapshotters.py runs it for real."""

import os
from pathlib import Path

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images.snapshotters import zfs
from dockwright.images.snapshotters.mounted import Mounted
from dockwright.images.snapshotters.zfs import Zfs


class Program:
    """zfs(8) and zpool(8) as the driver calls them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.there = {"tank/d"}

    def __call__(self, argv: list[str], deadline: float) -> tuple[int, bytes, bytes]:
        assert argv[0].startswith("/")
        self.calls.append(" ".join([os.path.basename(argv[0]), *argv[1:]]))
        verb, name = argv[1], argv[-1]
        if verb == "get":
            return 0, b"1024\n4096\n0\nlz4\n", b""
        if argv[0].endswith("zpool"):
            return 0, b"ONLINE\n", b""
        if verb in ("create", "clone"):
            self.there.add(name)
        elif name.partition("@")[0] not in self.there:
            return 1, b"", f"cannot open '{name}': dataset does not exist\n".encode()
        elif verb == "destroy":
            self.there.discard(name)
        return 0, b"", b""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    program, exists = Program(), os.path.exists
    monkeypatch.setattr(zfs.spawner, "find", lambda name: f"/sbin/{name}")
    monkeypatch.setattr(zfs.spawner, "run_now", program)
    monkeypatch.setattr(zfs.os.path, "exists", lambda path: path == "/dev/zfs" or exists(path))
    monkeypatch.setattr(Mounted, "_place", lambda self, key: f"/mounted/{key}")
    return program


def test_datasets_and_clones(program: Program, tmp_path: Path) -> None:
    driver = Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {"zfs.fsname": "tank/d"})
    assert driver.prepare("base") == "/mounted/base"
    driver.commit("base")
    driver.writable("own", "base", {"size": "1g"})
    driver.view("look", "base")
    assert driver.mounts("own") == [{"type": "zfs", "source": "tank/d/own", "options": ["rw"]}]
    assert driver.mounts("look") == driver.mounts("base") == [{"type": "zfs", "source": "tank/d/base", "options": ["ro"]}]
    assert driver.graph_driver("own") == {"Data": {"Dataset": "tank/d/own", "Mountpoint": ""}, "Name": "zfs"}
    for key in ("own", "look", "base", "base"):
        driver.remove(key)
    assert driver.keys() == []
    assert program.calls == [
        "zfs list -H -o name tank/d",
        "zfs create -o mountpoint=legacy tank/d/base",
        "zfs snapshot tank/d/base@layer",
        "zfs clone -o mountpoint=legacy -o quota=1073741824 tank/d/base@layer tank/d/own",
        "zfs destroy -r tank/d/own", "zfs destroy -r tank/d/look", "zfs destroy -r tank/d/base", "zfs destroy -r tank/d/base",
    ]  # fmt: skip


def test_status(program: Program, tmp_path: Path) -> None:
    driver = Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {"zfs.fsname": "tank/d"})
    assert driver.status() == [
        ["Zpool", "tank"], ["Zpool Health", "ONLINE"], ["Parent Dataset", "tank/d"], ["Space Used By Parent", "1024"],
        ["Space Available", "4096"], ["Parent Quota", "no"], ["Compression", "lz4"],
    ]  # fmt: skip


def test_failures(program: Program, tmp_path: Path) -> None:
    with pytest.raises(Internal, match="zfs list -H -o name tank/none: cannot open 'tank/none': dataset does not exist"):
        Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {"zfs.fsname": "tank/none"})
    with pytest.raises(InvalidParameter, match=r"prerequisites for driver not satisfied \(wrong filesystem\?\)"):
        Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {})
    with pytest.raises(InvalidParameter, match=r"Unknown option zfs\.foo"):
        Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {"zfs.foo": "1"})
    driver = Zfs(str(tmp_path / "zfs"), str(tmp_path / "trash"), {"zfs.fsname": "tank/d"})
    program.there.clear()
    with pytest.raises(Internal, match="does not exist"):
        driver.commit("nothing")
