"""What the paths of `cp` mean."""

import pytest

from dockwright.cli import copypaths
from dockwright.cli.copypaths import CopyError, Place, placed


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("c:/x", ("c", "/x")),
        ("c:", ("c", "")),
        ("/a:b", ("", "/a:b")),
        ("./a:b", ("", "./a:b")),
        ("plain", ("", "plain")),
        ("-", ("", "-")),
    ],
)
def test_arguments(argument: str, wanted: tuple[str, str]) -> None:
    assert copypaths.split_argument(argument) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/a/b", ("/a", "b")),
        ("/a/b/", ("/a", "b")),
        ("/a/b/.", ("/a/b", ".")),
        ("/", ("/", "/")),
        ("a", (".", "a")),
        ("/a/../b", ("/", "b")),
    ],
)
def test_directory_and_entry(path: str, wanted: tuple[str, str]) -> None:
    assert copypaths.split(path) == wanted


@pytest.mark.parametrize(
    ("source", "destination", "wanted"),
    [
        (Place("/s/f", True), Place("/d", True, True), ("/d", "f")),
        (Place("/s/f", True), Place("/d/g", True), ("/d", "g")),
        (Place("/s/f", True), Place("/d/new"), ("/d", "new")),
        (Place("/s/dir", True, True), Place("/d/new"), ("/d", "new")),
        (Place("/s/dir/.", True, True), Place("/d", True, True), ("/d", ".")),
        (Place("/s/dir", True, True, "asked"), Place("/d", True, True), ("/d", "asked")),
    ],
)
def test_where_it_goes(source: Place, destination: Place, wanted: tuple[str, str]) -> None:
    assert placed(source, destination) == wanted


@pytest.mark.parametrize(
    ("source", "destination", "text"),
    [
        (Place("/s/dir", True, True), Place("/d/f", True), "cannot copy directory"),
        (Place("/s/f", True), Place("/d/new/"), "no such directory"),
        (Place("/s/f", True), Place("/d/new/."), "no such directory"),
    ],
)
def test_what_cannot_be(source: Place, destination: Place, text: str) -> None:
    with pytest.raises(CopyError, match=text):
        placed(source, destination)


def test_links_keep_the_name_that_was_asked_for() -> None:
    assert copypaths.renamed("/a/link", "/b/file") == ("/b/file", "link")
    assert copypaths.renamed("/a/link/.", "/b/dir") == ("/b/dir/.", "")
    assert copypaths.renamed("/a/link/", "/b/dir") == ("/b/dir/", "link")
