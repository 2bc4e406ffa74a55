"""docker commit: the layer is what the container has changed, whatever that is, and can be made again."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NONE = ("--network", "none")
CHANGES = """
mkdir -p /new/deep && echo 1 >/new/deep/file && ln /new/deep/file /new/hard && ln -s nowhere /new/link && mkfifo /new/fifo
chown 3:4 /new/hard; chmod 4711 /new/deep/file; rm /etc/group; rm -r /home && mkdir -p /home/other; rm -r /opt && echo file >/opt
touch -d '2001-02-03 04:05:06' /etc/passwd
"""


@pytest.fixture(autouse=True)
def no_images_left(daemon: Any) -> Iterator[None]:
    yield
    for ident in daemon.docker("ps", "-aq").stdout.decode().split():
        daemon.docker("rm", "-f", ident)
    for name in daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.decode().split():
        if name.startswith("made"):
            daemon.docker("rmi", "-f", name)
    daemon.docker("image", "prune", "-f")


@pytest.fixture
def base(daemon: Any) -> str:
    """An image with something to take away."""
    script = "mkdir -p /opt/a/b /home/gone/deep && touch /opt/a/b/c /home/gone/deep/x /home/kept"
    daemon.docker("run", *NONE, "--name", "base", "busybox", "sh", "-c", script)
    assert daemon.docker("commit", "base", "made:base").returncode == 0
    return "made:base"


def layers(daemon: Any, image: str) -> list[str]:
    return list(json.loads(daemon.docker("inspect", image).stdout)[0]["RootFS"]["Layers"])


def names(daemon: Any, image: str) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(daemon.docker("save", image).stdout)) as archive:
        blob = archive.extractfile(f"blobs/sha256/{layers(daemon, image)[-1].removeprefix('sha256:')}")
        assert blob
        with tarfile.open(fileobj=blob) as layer:
            return set(layer.getnames())


def test_the_layer_holds_exactly_the_changes(tidy: Any, base: str) -> None:
    tidy.docker("run", *NONE, "--name", "cc", base, "sh", "-c", CHANGES)
    assert tidy.docker("commit", "cc", "made:1").returncode == 0
    assert names(tidy, "made:1") == {
        "etc", "etc/passwd", "etc/.wh.group", "home", "home/.wh.gone", "home/.wh.kept", "home/other", "new", "new/deep",
        "new/deep/file", "new/fifo", "new/hard", "new/link", "opt",
    }  # fmt: skip
    script = "stat -c '%a %u:%g %h' /new/deep/file; stat -c %Y /etc/passwd; ls /home; cat /opt; ls /etc/group; cat /new/hard"
    seen = tidy.docker("run", "--rm", *NONE, "made:1", "sh", "-c", script).stdout.decode().splitlines()
    assert seen == ["4711 3:4 2", "981173106", "other", "file", "1"]


def test_the_same_container_makes_the_same_layer(tidy: Any, base: str) -> None:
    tidy.docker("run", *NONE, "--name", "cc", base, "sh", "-c", CHANGES)
    for number in (1, 2):
        assert tidy.docker("commit", "cc", f"made:{number}").returncode == 0
    assert layers(tidy, "made:1") == layers(tidy, "made:2")


def test_what_was_below_an_opaque_directory_does_not_come_back(tidy: Any, base: str) -> None:
    tidy.docker("run", *NONE, "--name", "cc", base, "sh", "-c", "rm -rf /opt; mkdir -p /opt/a/b; touch /opt/a/b/mine")
    tidy.docker("commit", "cc", "made:1")
    found = tidy.docker("run", "--rm", *NONE, "made:1", "find", "/opt").stdout.decode().split()
    assert sorted(found) == ["/opt", "/opt/a", "/opt/a/b", "/opt/a/b/mine"]


@pytest.mark.parametrize("driver", ["vfs", "overlay2"])
def test_with_each_storage_driver(tidy: Any, driver: str) -> None:
    daemon = type(tidy)("--storage-driver", driver)
    daemon.start()
    try:
        daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
        script = "mkdir -p /a/b && touch /a/b/c && rm /etc/group && chmod 700 /root"
        daemon.docker("run", *NONE, "--name", "cc", "busybox", "sh", "-c", script)
        assert daemon.docker("commit", "cc", "made:1").returncode == 0
        shown = "ls /etc/group; find /a; stat -c %a /root"
        seen = daemon.docker("run", "--rm", *NONE, "made:1", "sh", "-c", shown).stdout.decode().split()
        assert seen == ["/a", "/a/b", "/a/b/c", "700"]
        assert {"a", "a/b", "a/b/c", "etc/.wh.group", "root"} <= names(daemon, "made:1")
        assert not [name for name in names(daemon, "made:1") if name.startswith(("bin/", "dev", "proc"))]
    finally:
        daemon.close()


def test_a_full_disk_leaves_no_image(tidy: Any, tmp_path: Path) -> None:
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.touch()
    os.truncate(disk, 192 << 20)
    data.mkdir()
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, data], check=True)
    try:
        daemon = type(tidy)("--data-root", str(data))
        daemon.start()
        daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
        daemon.docker("run", *NONE, "--name", "cc", "busybox", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=80")
        failed = daemon.docker("commit", "cc", "made:1")
        assert failed.returncode == 1 and b"no space left on device" in failed.stderr
        assert daemon.docker("images", "-aq").stdout.split() == daemon.docker("images", "-q", "busybox").stdout.split()
        assert os.listdir(data / "content/ingest") == []
        daemon.close()
    finally:
        subprocess.run(["umount", data], check=True)


def test_a_running_container_rests_meanwhile_and_goes_on(tidy: Any) -> None:
    tidy.docker("run", *NONE, "-d", "--name", "cc", "busybox", "sh", "-c", "while :; do date >/now; done")
    for number in range(3):
        assert tidy.docker("commit", "cc", f"made:{number}").returncode == 0
    assert tidy.docker("inspect", "-f", "{{.State.Status}}", "cc").stdout == b"running\n"
    bad = tidy.docker("commit", "-c", "NOPE x", "cc")
    assert bad.returncode == 1
    assert tidy.docker("inspect", "-f", "{{.State.Status}}", "cc").stdout == b"running\n"


def test_a_container_whose_image_was_removed(tidy: Any, base: str) -> None:
    tidy.docker("create", *NONE, "--name", "cc", base, "true")
    tidy.docker("rm", "base")
    assert tidy.docker("rmi", "-f", base).returncode == 0
    failed = tidy.docker("commit", "cc", "made:1")
    assert failed.returncode == 1 and b"No such image: sha256:" in failed.stderr
