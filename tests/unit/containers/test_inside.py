"""Paths inside a container's root."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockwright.containers import inside


@pytest.mark.parametrize(
    ("path", "wanted", "name"),
    [
        ("/", "/", "/"),
        ("/.", "/.", "."),
        ("d", "/d", "d"),
        ("/d/", "/d/", "d"),
        ("/d/.", "/d/.", "."),
        ("/d/../../e", "/e", "e"),
        ("//d//e", "/d/e", "e"),
    ],
)
def test_the_end_of_a_path_is_kept(path: str, wanted: str, name: str) -> None:
    assert inside.absolute(path) == wanted
    assert inside.base(wanted) == name


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "abs").symlink_to("/d/sub")
    (tmp_path / "d/out").symlink_to("../../../etc/passwd")
    (tmp_path / "dangling").symlink_to("d/nowhere/x")
    (tmp_path / "loop").symlink_to("loop")
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/abs/x", "/d/sub/x"),
        ("/d/out", "/etc/passwd"),
        ("/dangling", "/d/nowhere/x"),
        ("/d/./sub/..", "/d"),
        ("/", "/"),
        ("/..", "/"),
    ],
)
def test_links_end_inside(root: int, path: str, wanted: str) -> None:
    assert inside.resolved(root, path) == wanted


def test_a_loop_is_an_error(root: int) -> None:
    with pytest.raises(OSError):
        inside.resolved(root, "/loop/x")


def test_modes_in_gos_bits() -> None:
    assert inside.go_mode(stat.S_IFDIR | 0o1777) == 2148532735
    assert inside.go_mode(stat.S_IFREG | 0o4755) == 8389101
    assert inside.go_mode(stat.S_IFCHR | 0o644) == 69206436
    assert inside.go_mode(stat.S_IFLNK | 0o777) == 134218239
