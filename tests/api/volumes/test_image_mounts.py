"""--mount type=image."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
NONE = ("--network", "none")


def ours(daemon: Any, *arguments: str) -> tuple[int, str, str]:
    environment = {"DOCKER_HOST": daemon.host, "HOME": daemon.root, "PATH": os.environ["PATH"]}
    done = subprocess.run([OURS, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def made(daemon: Any) -> Iterator[str]:
    """An image of several layers."""
    for number, script in enumerate(
        ("mkdir -p /data/deep; echo one >/data/file", "echo two >/data/deep/file; rm /etc/group")
    ):
        daemon.docker(
            "run", "--name", f"made{number}", *NONE, "busybox" if not number else "made:0", "sh", "-c", script
        )
        daemon.docker("commit", f"made{number}", f"made:{number}")
    yield "made:1"
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)
    daemon.docker("rmi", "-f", "made:1", "made:0")


def test_an_image_is_seen_and_cannot_be_written(daemon: Any, made: str) -> None:
    script = "cat /x/data/file /x/data/deep/file; ls /x/etc/group; touch /x/new; echo $?"
    code, out, error = ours(
        daemon, "run", "--rm", *NONE, "--mount", f"type=image,src={made},dst=/x", "busybox", "sh", "-c", script
    )
    assert (code, out.split()) == (0, ["one", "two", "1"])
    assert "Read-only file system" in error and "No such file or directory" in error


def test_a_part_of_an_image(daemon: Any, made: str) -> None:
    mount = f"type=image,src={made},dst=/x,image-subpath=data/deep"
    assert ours(daemon, "run", "--rm", *NONE, "--mount", mount, "busybox", "ls", "/x")[:2] == (0, "file\n")
    bad = f"type=image,src={made},dst=/x,image-subpath=../etc"
    assert "subpath must be a relative path within the image" in ours(daemon, "create", "--mount", bad, "busybox")[2]
    missing = f"type=image,src={made},dst=/x,image-subpath=nothing"
    assert ours(daemon, "run", "--rm", *NONE, "--mount", missing, "busybox", "true")[0] in (125, 127)


def test_an_image_with_one_layer(daemon: Any) -> None:
    assert (
        ours(daemon, "run", "--rm", *NONE, "--mount", "type=image,src=busybox,dst=/x", "busybox", "ls", "/x/bin/sh")[0]
        == 0
    )


def test_it_is_in_use_and_shown(daemon: Any, made: str) -> None:
    daemon.docker("rm", "made0", "made1")
    code, ident, _ = ours(
        daemon,
        "create",
        *NONE,
        "--name",
        "cc",
        "--mount",
        f"type=image,src={made},dst=/x",
        "busybox",
        "cat",
        "/x/data/file",
    )
    assert code == 0
    point = json.loads(daemon.docker("inspect", "-f", "{{json .Mounts}}", "cc").stdout)[0]
    assert (point["Type"], point["Source"], point["Destination"], point["RW"]) == ("image", made, "/x", False)
    refused = daemon.docker("rmi", made)
    assert refused.returncode == 1 and ident[:12].encode() in refused.stderr
    assert ours(daemon, "cp", "cc:/x/data/file", "-")[::2] == (0, ""), "also while it does not run"
    assert daemon.docker("start", "-a", "cc").stdout == b"one\n"
    daemon.docker("rm", "cc")
    assert daemon.docker("rmi", made).returncode == 0


def test_what_cannot_be(daemon: Any) -> None:
    for mount, text in (
        ("type=image,src=nothing:1,dst=/x", "No such image: nothing:1"),
        ("type=image,dst=/x", "field Source must not be empty"),
        ("type=image,src=busybox,dst=x", "mount path must be absolute"),
    ):
        code, _, error = ours(daemon, "create", "--mount", mount, "busybox", "true")
        assert code in (1, 125) and text in error, error
    assert daemon.docker("ps", "-aq").stdout == b""
