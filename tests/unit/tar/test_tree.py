"""Trees as tars and back: what Python's tarfile makes of ours, and ours of the same."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.base.errors import InvalidParameter
from dockwright.tar import writer
from dockwright.tar.extraction import Extraction
from dockwright.tar.tree import TreeTar, batches

MIB = 1 << 20


def packed(path: Path, shown: str = "top") -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return b"".join(batches(TreeTar().whole(fd, shown))) + writer.END
    finally:
        os.close(fd)


def unpacked(data: bytes, path: Path, keep_kinds: bool = False, folder: str = "") -> None:
    root = os.open(path, os.O_RDONLY)
    try:
        Extraction(root, folder, keep_kinds, None).all(io.BytesIO(data))
    finally:
        os.close(root)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "sub" / ("n" * 120)).mkdir(parents=True)
    (top / "b").write_bytes(b"b" * 1000)
    os.link(top / "b", top / "sub" / "c")
    (top / "link").symlink_to("x" * 150)
    os.mkfifo(top / "fifo")
    with open(top / "holes", "wb") as file:
        file.truncate(5 * MIB)
        file.seek(3 * MIB)
        file.write(b"middle")
    return top


def test_python_reads_it(tree: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(tree))) as tar:
        found = {member.name: member for member in tar}
        names = [name.replace("n" * 120, "N") for name in found]
        assert names == ["top", "top/b", "top/fifo", "top/holes", "top/link", "top/sub", "top/sub/c", "top/sub/N"]
        assert found["top/sub/c"].linkname == "top/b"
        assert found["top/link"].linkname == "x" * 150
        holes = tar.extractfile("top/holes")
        assert holes and holes.read() == bytes(3 * MIB) + b"middle" + bytes(2 * MIB - 6)


def test_the_same_tree_makes_the_same_bytes(tree: Path) -> None:
    assert packed(tree) == packed(tree)


def test_it_comes_back(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    unpacked(packed(tree), target)
    assert packed(target / "top") == packed(tree)
    assert os.stat(target / "top/holes").st_blocks * 512 <= 2 * MIB
    assert os.stat(target / "top/b").st_ino == os.stat(target / "top/sub/c").st_ino


@given(
    st.text("aé\n", min_size=1, max_size=400),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 31),
    st.integers(-(1 << 33), 1 << 36),
)
def test_headers_hold_anything(name: str, size: int, owner: int, seconds: int) -> None:
    info = os.stat_result(
        (0o100644, 1, 1, 1, owner, owner, size, 0, 0, 0, 0.0, float(seconds), 0.0, 0, seconds * 10**9, 0)
    )
    with tarfile.open(fileobj=io.BytesIO(writer.header(name, info) + bytes(1024))) as tar:
        member = tar.next()
    assert member and (member.name, member.size, member.uid, member.mtime) == (name, size, owner, seconds)


def test_a_file_that_shrinks_ends_in_zeros(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    assert b"".join(writer.data(fd, 1000)) == b"abc" + bytes(1024 - 3)
    os.close(fd)


def entry(name: str, kind: bytes, link: str = "", data: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, len(data), 0o755
    return info.tobuf() + data + writer.padding(len(data))


@pytest.mark.parametrize(
    "tar",
    [
        entry("out", tarfile.SYMTYPE, "/etc") + entry("out/planted", tarfile.REGTYPE, data=b"x"),
        entry("out", tarfile.SYMTYPE, "../..") + entry("out/planted", tarfile.REGTYPE, data=b"x"),
        entry("../planted", tarfile.REGTYPE, data=b"x"),
        entry("h", tarfile.LNKTYPE, "../secret") + entry("h", tarfile.REGTYPE, data=b"x"),
    ],
)
def test_hostile_archives_stay_inside(tar: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "in").mkdir()
    try:
        unpacked(tar + writer.END, tmp_path / "in")
    except Exception as error:  # noqa: BLE001 -- which one does not matter, only where files are
        assert type(error).__name__ in ("InvalidParameter", "Internal")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "secret"]
    assert (tmp_path / "secret").read_text() == "s"
    assert not os.path.exists("/etc/planted")


def test_kinds_are_kept_if_asked(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidParameter, match='cannot overwrite directory "/dir" with non-directory "/"'):
        unpacked(entry("dir", tarfile.REGTYPE) + writer.END, tmp_path, keep_kinds=True)
    with pytest.raises(InvalidParameter, match='cannot overwrite non-directory "/file" with directory "/"'):
        unpacked(entry("file", tarfile.DIRTYPE) + writer.END, tmp_path, keep_kinds=True)
    unpacked(entry("dir", tarfile.REGTYPE) + entry("file", tarfile.DIRTYPE) + writer.END, tmp_path)
    assert (tmp_path / "dir").is_file() and (tmp_path / "file").is_dir()
