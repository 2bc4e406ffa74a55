"""What can be seen inside images: `image layers` and `image diff`, by each driver."""

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OURS = str(Path(__file__).parents[3] / ".venv/bin/dockwright")
FILE, DIRECTORY, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE


@pytest.fixture(scope="module", params=["overlay2", "vfs"])
def own(daemon: Any, images: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    found = type(daemon)("--storage-driver", request.param)
    found.start()
    base = images.tar([
        ("d", DIRECTORY, None, 0o755), ("d/a", FILE, b"a" * 100, 0o644), ("d/b", FILE, b"b" * 20, 0o644),
        ("keep", FILE, b"k" * 7, 0o644), ("old", DIRECTORY, None, 0o755), ("old/x", FILE, b"x" * 1000, 0o644),
        ("l", LINK, "keep", 0o777),
    ])  # fmt: skip
    middle = images.tar([("d/a", FILE, b"A" * 50, 0o644), ("d/.wh.b", FILE, b"", 0o644), ("new", FILE, b"n" * 5, 0o644)])
    top = images.tar([(".wh.old", FILE, b"", 0o644), ("d/.wh.a", FILE, b"", 0o644), ("old2", FILE, b"", 0o600)])
    for name, layers, config in (
        ("seen:1", [base, middle, top], {"Cmd": ["sh"], "Env": ["A=1", "B=2"], "Labels": {"x": "1"}}),
        ("seen:2", [base, middle], {"Cmd": ["sh"], "Env": ["A=1", "B=3"], "User": "me"}),
        ("seen:0", [], {"Cmd": ["sh"]}),
    ):
        loaded = found.docker("load", stdin=images.docker_archive(layers, [name], config))
        assert loaded.returncode == 0, loaded
    yield found
    found.close()


def dockwright(daemon: Any, *words: str) -> str:
    done = subprocess.run([OURS, "-H", daemon.host, "image", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_layers_and_what_they_hide(own: Any) -> None:
    form = "{{.Layer}} {{.Size}} {{.Added}} {{.Changed}} {{.Removed}} {{.Wasted}}"
    assert dockwright(own, "layers", "--format", form, "seen:1").splitlines() == [
        "1 1.131kB 5 0 0 1.12kB", "2 55B 1 1 1 50B", "3 0B 1 0 2 0B",
    ]  # fmt: skip
    text = dockwright(own, "layers", "--wasted", "seen:1")
    assert [line.split() for line in text.partition("HIDDEN FILE\n")[2].splitlines()] == [
        ["1kB", "1", "/old/x"], ["100B", "1", "/d/a"], ["50B", "2", "/d/a"], ["20B", "1", "/d/b"],
    ]  # fmt: skip
    assert "ADD layer" in text
    assert dockwright(own, "layers", "seen:1").splitlines()[-1] == "1.186kB in 3 layers, of which later layers hide 1.17kB (98%)"
    assert "in 0 layers" in dockwright(own, "layers", "seen:0")


def test_the_difference_of_two_images(own: Any) -> None:
    assert dockwright(own, "diff", "--files", "seen:2", "seen:1").splitlines() == [
        "D /d/a", "D /old", "D /old/x", "A /old2",
    ]  # fmt: skip
    assert dockwright(own, "diff", "--config", "seen:2", "seen:1").splitlines() == [
        "config.Env:", "- B=3", "+ B=2", "config.Labels:", "+ x=1", "config.User:", "- me",
    ]  # fmt: skip
    assert dockwright(own, "diff", "seen:1", "seen:1") == ""
    sizes = dockwright(own, "diff", "--files", "-s", "seen:0", "seen:2").splitlines()
    assert sizes[:2] == ["A /d\t0B -> 0B", "A /d/a\t0B -> 50B"]
    both = dockwright(own, "diff", "--files", "seen:1", "seen:2").splitlines()
    assert both == ["A /d/a", "A /old", "A /old/x", "D /old2"]


def test_images_that_are_not_there(own: Any) -> None:
    for words in (["layers", "nope"], ["diff", "seen:1", "nope"], ["diff", "nope", "seen:1"]):
        done = subprocess.run([OURS, "-H", own.host, "image", *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, "Error response from daemon: No such image: nope:latest\n")
