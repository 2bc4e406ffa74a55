"""Copying a directory with all that belongs to it."""

import os

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
