"""Copying a directory with all that belongs to it."""

import os

import pytest

from dockwright.volumes import copying
from dockwright.volumes.copying import copy_tree, is_empty


def opened(path):
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def test_everything_comes_along(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub").mkdir(parents=True)
    target.mkdir()
    (source / "sub/file").write_bytes(b"x" * 100_000)
    os.chmod(source / "sub/file", 0o4711)
    os.link(source / "sub/file", source / "twin")
    os.symlink("/etc/passwd", source / "link")
    os.mkfifo(source / "fifo", 0o600)
    os.setxattr(source / "sub/file", "user.note", b"kept")
    os.utime(source / "sub/file", ns=(1_000_000_001, 2_000_000_002))
    os.chmod(source, 0o1770)
    os.utime(source, ns=(5, 7))
    ends = opened(source), opened(target)
    assert is_empty(ends[1]) and not is_empty(ends[0])
    copy_tree(*ends)
    copied = os.stat(target / "sub/file")
    assert (target / "sub/file").read_bytes() == b"x" * 100_000
    assert (copied.st_mode & 0o7777, copied.st_mtime_ns, copied.st_nlink) == (0o4711, 2_000_000_002, 2)
    assert os.path.samefile(target / "sub/file", target / "twin")
    assert os.readlink(target / "link") == "/etc/passwd"
    assert os.getxattr(target / "twin", "user.note") == b"kept"
    assert (os.stat(target).st_mode & 0o7777, os.stat(target).st_mtime_ns) == (0o1770, 7)
    for end in ends:
        os.close(end)


def test_fill_takes_the_place_of_an_empty_directory_wholly_or_not_at_all(tmp_path, monkeypatch):
    source, volume = tmp_path / "source", tmp_path / "volume/_data"
    source.mkdir(mode=0o700)
    (source / "file").write_text("new")
    volume.mkdir(parents=True)
    (tmp_path / "volume/_copy").mkdir()
    (tmp_path / "volume/_copy/half").write_text("of a daemon that was killed")
    fd = opened(source)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(copying, "_copy_file", full)
        copying.fill(str(volume), fd, in_place=False)
    assert os.listdir(tmp_path / "volume") == ["_data"] and os.listdir(volume) == []
    copying.fill(str(volume), fd, in_place=False)
    assert os.listdir(tmp_path / "volume") == ["_data"] and (volume / "file").read_text() == "new"
    (source / "file").write_text("newer")
    copying.fill(str(volume), fd, in_place=False)
    assert (volume / "file").read_text() == "new", "it was not empty"
    os.close(fd)


def test_fill_in_place_keeps_the_directory(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("new")
    (tmp_path / "data").mkdir()
    before, fd = os.stat(tmp_path / "data").st_ino, opened(tmp_path / "source")
    copying.fill(str(tmp_path / "data"), fd, in_place=True)
    assert os.stat(tmp_path / "data").st_ino == before and (tmp_path / "data/file").exists()
    os.close(fd)


def full(*_arguments):
    raise OSError(28, "disk full")
