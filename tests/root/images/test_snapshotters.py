"""The conformance suite of storage drivers: each passes all of it."""

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError, Internal, InvalidParameter
from dockwright.containers.rootfs import detached
from dockwright.images import snapshotters
from dockwright.images.differ import ADDED, DELETED, MODIFIED
from dockwright.images.snapshotters import Snapshotter, dmoptions, packed
from dockwright.images.unpack import Unpacker
from dockwright.kernel import btrfs, loop, quota
from dockwright.kernel import mount as m

FILE, DIR, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


Disk = Callable[[str], tuple[Path, dict[str, str]]]  # a driver's name to a data root for it, and its options


class Bench:
    """A driver, and what tests do with it."""

    def __init__(self, root: Path, name: str, options: dict[str, str]) -> None:
        self.root, self.trash = root, root / "trash"
        self.driver: Snapshotter = snapshotters.choose(name, lambda driver: str(root / driver), str(self.trash), options)
        self.views = 0

    def layer(self, key: str, parent: str, *entries: Any) -> int:
        """A committed layer of a tar's entries."""
        target = self.driver.prepare(key, parent)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, kind, content, *more in entries:
                info = tarfile.TarInfo(name)
                info.type, info.mode = kind, 0o755 if kind == DIR else 0o644
                info.linkname = content if isinstance(content, str) else ""
                data = content if isinstance(content, bytes) else b""
                info.size = len(data)
                for attributes in more:
                    for attribute, value in attributes.items():
                        setattr(info, attribute, value)
                tar.addfile(info, io.BytesIO(data))
        buffer.seek(0)
        with Unpacker(target, self.driver.aside(target), self.driver.whiteouts(target)) as unpacker:
            size = unpacker.all(buffer)
        self.driver.commit(key)
        return size

    @contextmanager
    def mounted(self, key: str) -> Iterator[Path]:
        """A snapshot, mounted as its driver says."""
        (mount,) = self.driver.mounts(key)
        point = self.root / f"mnt-{key}"
        point.mkdir()
        os.makedirs(self.driver.base, exist_ok=True)
        root = detached(mount, self.driver.base, str(self.root / "tmp"))
        m.move_mount(root, m.AT_FDCWD, str(point))
        os.close(root)
        try:
            yield point
        finally:
            subprocess.run(["umount", point], check=True)
            point.rmdir()

    def seen(self, key: str) -> dict[str, Any]:
        """Path to content, link target or kind of all in a committed snapshot, through a view."""
        self.views += 1
        self.driver.view(f"view{self.views}", key)
        with self.mounted(f"view{self.views}") as point:
            found: dict[str, Any] = {}
            for path in sorted(point.rglob("*")):
                content = os.readlink(path) if path.is_symlink() else "dir" if path.is_dir() else path.read_bytes()
                found[str(path.relative_to(point))] = content
            with pytest.raises(OSError, match="Read-only"):
                (point / "brand-new").write_text("x")
        self.driver.remove(f"view{self.views}")
        return found


@pytest.fixture(params=sorted(snapshotters.DRIVERS))
def bench(request: pytest.FixtureRequest, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Each driver where it can be had, on what it needs."""
    monkeypatch.setattr(packed, "SMALL", 0)
    root, options = disk(request.param)
    bench = Bench(root, request.param, options)
    yield bench
    for key in sorted(bench.driver.keys(), reverse=True):
        bench.driver.remove(key)
    bench.driver.close()


def base(bench: Bench) -> int:
    return bench.layer(
        "base", "", ("etc", DIR, None), ("etc/a", FILE, b"1"), ("etc/b", FILE, b"22"), ("usr/bin/x", FILE, b"333"),
        ("bin", LINK, "usr/bin"), ("hard", HARD, "etc/b"), ("old/deep/f", FILE, b"4"),
    )  # fmt: skip


BASE = {
    "etc": "dir", "etc/a": b"1", "etc/b": b"22", "usr": "dir", "usr/bin": "dir", "usr/bin/x": b"333", "bin": "usr/bin",
    "hard": b"22", "old": "dir", "old/deep": "dir", "old/deep/f": b"4",
}  # fmt: skip


def test_a_layer_is_what_its_tar_says(bench: Bench) -> None:
    size = base(bench)
    assert bench.seen("base") == BASE
    assert size == 1 + 2 + 3 + len("usr/bin") + 1
    assert bench.driver.usage("base").size == size


def test_layers_add_replace_and_take_away(bench: Bench) -> None:
    base(bench)
    bench.layer(
        "top", "base", ("etc/a", FILE, b"new"), ("etc/.wh.b", FILE, b""), (".wh.hard", FILE, b""), ("usr", DIR, None),
        ("usr/.wh..wh..opq", FILE, b""), ("usr/y", FILE, b"5"), ("old", FILE, b"no directory"),
    )  # fmt: skip
    assert bench.seen("top") == {
        "etc": "dir", "etc/a": b"new", "usr": "dir", "usr/y": b"5", "bin": "usr/bin", "old": b"no directory",
    }  # fmt: skip
    assert bench.seen("base") == BASE
    bench.layer("third", "top", ("usr/bin/x", FILE, b"back"), ("etc/b", FILE, b"back"))
    assert bench.seen("third")["usr/bin/x"] == bench.seen("third")["etc/b"] == b"back"
    assert bench.seen("third")["usr/y"] == b"5"


def test_a_whiteout_of_nothing_is_fine(bench: Bench) -> None:
    bench.layer("only", "", (".wh.nothing", FILE, b""), ("d/.wh..wh..opq", FILE, b""), ("d/f", FILE, b"1"))
    assert bench.seen("only") == {"d": "dir", "d/f": b"1"}


def test_an_active_snapshot_is_written_and_leaves_its_parent_alone(bench: Bench) -> None:
    base(bench)
    bench.driver.prepare("own", "base")
    with bench.mounted("own") as point:
        (point / "etc/a").write_bytes(b"changed")
        (point / "etc/b").unlink()
        (point / "new").mkdir()
        (point / "new/f").write_bytes(b"12345")
        subprocess.run(["rm", "-r", point / "old"], check=True)
    assert bench.seen("base") == BASE
    changes = dict(bench.driver.changes("own"))
    assert changes["/etc/a"] == MODIFIED
    assert changes["/etc/b"] == changes["/old"] == DELETED
    assert changes["/new"] == changes["/new/f"] == ADDED
    assert changes["/etc"] == MODIFIED
    assert "/usr" not in changes
    assert "/bin" not in changes
    assert bench.driver.usage("own").size == len(b"changed") + 5
    bench.driver.commit("own")
    assert bench.seen("own")["etc/a"] == b"changed"


def test_a_directory_made_anew_hides_the_old_one(bench: Bench) -> None:
    base(bench)
    bench.driver.prepare("own", "base")
    with bench.mounted("own") as point:
        subprocess.run(["rm", "-r", point / "etc"], check=True)
        (point / "etc").mkdir()
        (point / "etc/c").write_bytes(b"c")
    changes = dict(bench.driver.changes("own"))
    assert changes["/etc/a"] == changes["/etc/b"] == DELETED
    assert changes["/etc/c"] == ADDED
    assert changes["/etc"] == MODIFIED


def test_nothing_changed(bench: Bench) -> None:
    base(bench)
    bench.driver.prepare("own", "base")
    with bench.mounted("own") as point:
        (point / "etc/a").read_bytes()
    assert bench.driver.changes("own") == []
    assert bench.driver.usage("own").size == 0


def test_all_kinds_and_attributes_reach_a_child(bench: Bench) -> None:
    bench.layer(
        "kinds", "", ("su", FILE, b"x", {"mode": 0o4755, "uid": 1, "gid": 2, "mtime": 1000}),
        ("null", tarfile.CHRTYPE, None, {"devmajor": 1, "devminor": 3}), ("pipe", tarfile.FIFOTYPE, None),
        ("cap", FILE, b"y", {"pax_headers": {"SCHILY.xattr.user.k": "v"}}), ("d", DIR, None, {"mode": 0o1777, "mtime": 2000}),
        ("l", LINK, "/nowhere", {"mtime": 3000}),
    )  # fmt: skip
    bench.driver.prepare("child", "kinds")
    with bench.mounted("child") as point:
        info = os.stat(point / "su")
        assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime) == (0o4755, 1, 2, 1000)
        assert os.stat(point / "null").st_rdev == os.makedev(1, 3)
        assert stat.S_ISFIFO(os.stat(point / "pipe").st_mode)
        assert os.getxattr(point / "cap", "user.k") == b"v"
        assert (stat.S_IMODE(os.stat(point / "d").st_mode), os.stat(point / "d").st_mtime) == (0o1777, 2000)
        assert (os.readlink(point / "l"), os.lstat(point / "l").st_mtime) == ("/nowhere", 3000)
    assert bench.driver.changes("child") == []


def test_hard_links_and_holes_reach_a_child(bench: Bench) -> None:
    target = bench.driver.prepare("holes")
    with open(f"{target}/hole", "wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    os.link(f"{target}/hole", f"{target}/again")
    bench.driver.commit("holes")
    bench.driver.prepare("child", "holes")
    with bench.mounted("child") as point:
        assert os.stat(point / "hole").st_ino == os.stat(point / "again").st_ino
        whole = Path(bench.driver.path("holes")) / "image"  # erofs tells blocks by a file's size, holes and all
        assert os.stat(whole if bench.driver.name == "erofs" else point / "hole").st_blocks < 2048
        with open(point / "again", "rb") as file:
            file.seek(32 << 20)
            assert file.read(6) == b"middle"


def test_a_snapshot_that_cannot_be_made_leaves_nothing(bench: Bench) -> None:
    before = bench.driver.keys()
    with pytest.raises(OSError):
        bench.driver.prepare("orphan", "nosuchparent")
    with pytest.raises(OSError):
        bench.driver.view("orphan", "nosuchparent/x") if bench.driver.name == "overlay2" else bench.driver.prepare("a/b")
    assert bench.driver.keys() == before


def test_a_key_is_taken_once(bench: Bench) -> None:
    base(bench)
    with pytest.raises(FileExistsError):
        bench.driver.prepare("base")
    assert bench.seen("base") == BASE


def test_committed_and_not(bench: Bench) -> None:
    bench.driver.prepare("one")
    assert not bench.driver.committed("one")
    assert not bench.driver.committed("nosuch")
    bench.driver.commit("one")
    assert bench.driver.committed("one")


def test_removal_is_complete_and_repeatable(bench: Bench) -> None:
    there = sorted(Path(bench.driver.root).rglob("*"))
    base(bench)
    bench.driver.prepare("own", "base")
    bench.driver.view("look", "base")
    with bench.driver.opened("own") as directories:
        fd = os.open(directories[0], os.O_RDONLY)
    for _ in range(3000):  # deeper than a path can name, and than a stack is high
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    assert bench.driver.usage("own").inodes > 1000
    for key in ("own", "own", "look", "base", "never"):
        bench.driver.remove(key)
    assert bench.driver.keys() == []
    assert os.listdir(bench.trash) == []
    assert sorted(Path(bench.driver.root).rglob("*")) == there


def test_many_layers(bench: Bench) -> None:
    parent = ""
    for number in range(126):
        bench.layer(f"layer{number}-{'k' * 50}", parent, (f"f{number}", FILE, b"x"))
        parent = f"layer{number}-{'k' * 50}"
    bench.driver.prepare("own", parent)
    with bench.mounted("own") as point:
        assert len(list(point.iterdir())) == 126
        (point / "new").write_text("x")


def test_more_layers_than_one_page_has_names_for_below_a_long_root(tmp_path: Path) -> None:
    """mount(2) takes 128 or so; an old kernel says that it does not know `lowerdir+`."""
    long = tmp_path / ("deep" * 40) / ("with:colon,comma" * 5)
    long.mkdir(parents=True)
    bench = Bench(long, "overlay2", {})
    parent = ""
    for number in range(200):
        bench.layer(f"layer{number}", parent, (f"f{number}", FILE, b"x"))
        parent = f"layer{number}"
    bench.driver.writable("own", parent, {})
    with bench.mounted("own") as point:
        assert len(list(point.iterdir())) == 200
        (point / "new").write_text("x")
        (point / "f7").unlink()
    assert dict(bench.driver.changes("own")) == {"/new": ADDED, "/f7": DELETED}
    for number in range(200, 500):
        bench.driver.prepare(f"layer{number}", parent)
        bench.driver.commit(f"layer{number}")
        parent = f"layer{number}"
    with pytest.raises(InvalidParameter, match="max depth exceeded"):
        bench.driver.prepare("onemore", parent)
    assert len(bench.driver.keys()) == 501


def test_documents(bench: Bench) -> None:
    base(bench)
    bench.driver.prepare("own", "base")
    assert bench.driver.graph_driver("own")["Name"] == bench.driver.name
    assert all(len(row) == 2 for row in bench.driver.status())


def test_an_unknown_driver(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="error initializing graphdriver: driver not supported: nosuch"):
        snapshotters.choose("nosuch", lambda name: str(tmp_path / name), str(tmp_path / "trash"), {})


def test_the_driver_that_was_used_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "vfs/dir").mkdir(parents=True)
    assert snapshotters.choose("", lambda name: str(tmp_path / name), str(tmp_path / "trash"), {}).name == "vfs"


def test_two_drivers_were_used(tmp_path: Path) -> None:
    for name in ("overlay2/l", "btrfs/subvolumes", "vfs/dir"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(InvalidParameter) as caught:
        snapshotters.choose("", lambda name: str(tmp_path / name), str(tmp_path / "trash"), {})
    assert caught.value.message == (
        f"error initializing graphdriver: {tmp_path} contains several valid graphdrivers: btrfs, overlay2; "
        "cleanup or explicitly choose storage driver (-s <DRIVER>)"
    )
    assert snapshotters.choose("vfs", lambda name: str(tmp_path / name), str(tmp_path / "trash"), {}).name == "vfs"


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("overlay2", {"overlay2.foo": "1"}, "overlay2: unknown option overlay2.foo"),
        ("overlay2", {"overlay2.size": "x"}, "invalid size: 'x'"),
        ("overlay2", {"overlay2.size": "1G"}, "Storage Option overlay2.size only supported for backingFS XFS. Found "),
        ("vfs", {"foo": "1"}, "unknown option foo for vfs"),
        ("btrfs", {}, "prerequisites for driver not satisfied (wrong filesystem?)"),
        ("vfs", {"size": "1G"}, "Filesystem does not support, or has not enabled quotas"),
    ],
)
def test_options_of_the_daemon(tmp_path: Path, driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(EngineError) as caught:
        snapshotters.choose(driver, lambda name: str(tmp_path / name), str(tmp_path / "trash"), options)
    assert caught.value.message.startswith(f"error initializing graphdriver: {text}")


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("overlay2", {"size": "1G"}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        ("overlay2", {"foo": "1"}, "Unknown option foo"),
        ("overlay2", {"size": "x"}, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        ("vfs", {"size": "1G"}, "Filesystem does not support, or has not enabled quotas"),
        ("vfs", {"foo": "1"}, "Storage opt foo not supported"),
        ("vfs", {"size": "big"}, "invalid size: 'big'"),
    ],
)
def test_options_of_a_container(tmp_path: Path, driver: str, options: dict[str, str], text: str) -> None:
    bench = Bench(tmp_path, driver, {})
    base(bench)
    before = bench.driver.keys()
    with pytest.raises(EngineError) as caught:
        bench.driver.writable("own", "base", options)
    assert caught.value.message == text
    assert bench.driver.keys() == before


@pytest.fixture(params=["xfs", "ext4"])
def limited(request: pytest.FixtureRequest, tmp_path: Path, peer: Callable[[str], str]) -> Iterator[Path]:
    """A file system of 400 MiB with project quotas."""
    image, point = tmp_path / "image", tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    options = {"xfs": ["-q"], "ext4": ["-q", "-O", "quota,project"]}[request.param]
    subprocess.run([peer(f"mkfs.{request.param}"), *options, str(image)], check=True)
    point.mkdir()
    done = subprocess.run(["mount", "-o", "loop,prjquota", image, point], check=False, capture_output=True)
    if done.returncode or not quota.enforced(str(point)):
        if not done.returncode:
            subprocess.run(["umount", point], check=True)
        pytest.skip(f"needs a kernel with project quotas on {request.param}")
    yield point
    subprocess.run(["umount", point], check=True)


def test_a_limit_of_btrfs(tmp_path: Path, disk: Disk) -> None:
    root, _ = disk("btrfs")
    bench = Bench(root, "btrfs", {"btrfs.min_space": "4m"})
    base(bench)
    with pytest.raises(InvalidParameter, match="btrfs: storage size cannot be less than 4194304"):
        bench.driver.writable("own", "base", {"size": "1m"})
    bench.driver.writable("own", "base", {"size": "16m"})
    assert 8 << 20 < most_written(bench, "own", 32) <= 16 << 20
    bench.driver.writable("free", "base", {})
    assert most_written(bench, "free", 20) == 20 << 20
    for key in ("own", "free", "base"):
        bench.driver.remove(key)
    assert bench.driver.keys() == []


def test_subvolumes_made_inside_go_too(disk: Disk) -> None:
    root, _ = disk("btrfs")
    bench = Bench(root, "btrfs", {})
    tree = bench.driver.prepare("own")
    os.mkdir(f"{tree}/d")
    btrfs.create(f"{tree}/d", "inner")
    btrfs.create(f"{tree}/d/inner", "innermost")
    Path(f"{tree}/d/inner/innermost/f").write_text("x")
    bench.driver.remove("own")
    assert bench.driver.keys() == []


@pytest.mark.parametrize("driver", ["overlay2", "vfs"])
def test_a_container_writes_no_more_than_its_size(limited: Path, driver: str) -> None:
    bench = Bench(limited, driver, {})
    base(bench)
    for key in ("own", "other"):
        bench.driver.writable(key, "base", {"size": "16m"})
        assert 12 << 20 < most_written(bench, key, 32) <= 16 << 20
    again = Bench(limited, driver, {"overlay2.size" if driver == "overlay2" else "size": "8m"})
    again.driver.writable("third", "base", {})
    assert 4 << 20 < most_written(again, "third", 16) <= 8 << 20
    again.driver.writable("free", "base", {"size": "100m"})
    assert most_written(again, "free", 20) == 20 << 20
    for key in ("own", "other", "third", "free", "base"):
        again.driver.remove(key)
    assert again.driver.keys() == []


def most_written(bench: Bench, key: str, most: int) -> int:
    """How much of `most` MiB a container could write: without the capability that ext4 lets write beyond quotas."""
    with bench.mounted(key) as point:
        plain = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
        subprocess.run([*plain, "dd", "if=/dev/zero", f"of={point}/big", "bs=1M", f"count={most}"], check=False)
        return os.path.getsize(point / "big")


def test_a_thin_device_grows_and_is_found_again(disk: Disk) -> None:
    root, options = disk("devicemapper")
    bench = Bench(root, "devicemapper", options)
    base(bench)
    with pytest.raises(Internal, match=r"devmapper: Container size cannot be smaller than 67\.11MB"):
        bench.driver.writable("small", "base", {"size": "1m"})
    bench.driver.writable("own", "base", {"size": "128m"})
    assert 80 << 20 < most_written(bench, "own", 160) < 128 << 20
    bench.driver.writable("other", "base", {})
    assert 30 << 20 < most_written(bench, "other", 160) < 64 << 20
    rows = dict(bench.driver.status())
    assert rows["Base Device Size"] == "67.11MB"
    assert rows["Backing Filesystem"] == "ext4"
    assert rows["Data Space Total"] == "1.074GB"
    assert rows["Data loop file"] == f"{root}/devicemapper/devicemapper/data"
    assert rows["Data file"].startswith("/dev/loop")
    taken = os.stat(rows["Data loop file"]).st_blocks
    bench.driver.remove("own")
    assert os.stat(rows["Data loop file"]).st_blocks < taken - (64 << 20) // 512, "blocks go back to the file"
    bench.driver.commit("other")
    bench.driver.close()
    assert not [name for name in os.listdir("/sys/block") if name.startswith("dm-")], "nothing is active"
    again = Bench(root, "devicemapper", options)
    assert again.seen("base") == BASE
    again.driver.prepare("more", "other")
    assert sorted(again.driver.keys()) == ["base", "more", "other"]
    for key in ("more", "other", "base"):
        again.driver.remove(key)
    again.driver.close()


def test_thin_devices_with_xfs(disk: Disk, peer: Callable[[str], str]) -> None:
    root, options = disk("devicemapper")
    peer("mkfs.xfs")
    bench = Bench(root, "devicemapper", {**options, "dm.fs": "xfs", "dm.basesize": "320m", "dm.loopdatasize": "2g"})
    base(bench)
    assert dict(bench.driver.status())["Backing Filesystem"] == "xfs"
    bench.layer("top", "base", ("etc/a", FILE, b"new"), ("etc/.wh.b", FILE, b""))
    bench.driver.writable("own", "top", {"size": "480m"})
    assert 350 << 20 < most_written(bench, "own", 500) < 480 << 20
    assert bench.seen("top")["etc/a"] == b"new"
    assert dict(bench.driver.changes("top")) == {"/etc/a": MODIFIED, "/etc/b": DELETED, "/etc": MODIFIED}
    for key in ("own", "top", "base"):
        bench.driver.remove(key)
    bench.driver.close()


def test_a_thin_pool_that_is_nearly_full(disk: Disk) -> None:
    root, options = disk("devicemapper")
    bench = Bench(root, "devicemapper", {**options, "dm.loopdatasize": "128m", "dm.min_free_space": "60%"})
    base(bench)
    bench.driver.writable("own", "base", {})
    most_written(bench, "own", 50)
    with pytest.raises(Internal, match=r"devmapper: Thin Pool has .* which is less than minimum required 1228"):
        bench.driver.writable("other", "base", {})
    for key in ("own", "base"):
        bench.driver.remove(key)
    bench.driver.close()


def test_a_thin_device_nobody_owns_waits(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    root, options = disk("devicemapper")
    bench = Bench(root, "devicemapper", options)
    base(bench)
    bench.driver.disown("base")
    assert bench.driver.keys() == []
    assert Bench(root, "devicemapper", options).driver.keys() == []
    (waiting,) = (root / "devicemapper/unowned").iterdir()
    waiting.rename(waiting.with_name("1000000000.base"))
    Bench(root, "devicemapper", options).driver.close()
    assert not list((root / "devicemapper/unowned").iterdir())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dm.foo": "1"}, "devmapper: Unknown option dm.foo"),
        ({"dm.fs": "btrfs"}, "devmapper: Unsupported filesystem btrfs"),
        ({"dm.basesize": "x"}, "invalid size: 'x'"),
        ({"dm.min_free_space": "10"}, "devmapper: Invalid value 10 for option dm.min_free_space"),
        ({"dm.blkdiscard": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ({"dm.datadev": "/dev/x"}, "devmapper: dm.datadev and dm.metadatadev belong together"),
        ({"dm.thinpooldev": "a", "dm.datadev": "b", "dm.metadatadev": "c"}, "dm.thinpooldev and dm.datadev exclude"),
    ],
)
def test_bad_options_of_devicemapper(options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        dmoptions.settings(options)
    assert text in caught.value.message


def test_a_pool_of_somebody_elses(disk: Disk) -> None:
    """On two devices of ours first; then its devices are used by the pool's name alone."""
    root, _ = disk("devicemapper")
    for name, size in (("one", 256), ("two", 16)):
        with open(root / name, "wb") as file:
            file.truncate(size << 20)
    devices = [loop.attach(str(root / name), readonly=False) for name in ("one", "two")]
    common = {"dm.fs": "ext4", "dm.basesize": "32m"}
    bench = Bench(root, "devicemapper", {**common, "dm.datadev": devices[0].path, "dm.metadatadev": devices[1].path})
    pool = dict(bench.driver.status())["Pool Name"]
    for device in devices:
        device.close()
    other = Bench(root / "other", "devicemapper", {**common, "dm.thinpooldev": f"/dev/mapper/{pool}"})
    base(other)
    assert other.seen("base") == BASE
    other.driver.remove("base")
    other.driver.close()
    assert dict(bench.driver.status())["Pool Name"] == pool, "it is left alone"
    bench.driver.close()
    with pytest.raises(InvalidParameter, match="devmapper: Non existing device nopool"):
        Bench(root / "third", "devicemapper", {**common, "dm.thinpooldev": "nopool"})


@pytest.mark.parametrize("driver", ["erofs", "squashfs"])
def test_small_layers_stay_directories(disk: Disk, driver: str) -> None:
    root, _ = disk(driver)
    bench = Bench(root, driver, {})
    base(bench)
    bench.layer("top", "base", ("big", FILE, b"x" * (1 << 20)), ("etc/.wh.b", FILE, b""))
    assert not os.path.exists(f"{bench.driver.path('base')}/image")
    assert sorted(os.listdir(bench.driver.path("top"))) == ["committed", "image", "lower", "work"]
    assert bench.seen("top")["big"] == b"x" * (1 << 20)
    assert "etc/b" not in bench.seen("top")
    assert dict(bench.driver.changes("top")) == {"/big": ADDED, "/etc/b": DELETED, "/etc": MODIFIED}
    with pytest.raises(EngineError, match="--storage-opt is supported only for"):
        bench.driver.writable("own", "base", {"size": "1g"})
    with pytest.raises(InvalidParameter, match=f"{driver}: unknown option foo"):
        Bench(root, driver, {"foo": "1"})
