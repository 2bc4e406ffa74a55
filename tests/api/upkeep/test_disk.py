"""What is on the disk: `system df`, whose every block is, `system check` and what it repairs, `system prune`."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")


@pytest.fixture
def own(daemon: Any, images: Any) -> Iterator[Any]:
    """A daemon of the test's own, with an image of two layers and a container."""
    found = type(daemon)()
    found.start()
    layers = [images.busybox_layer(), images.tar([("x", tarfile.REGTYPE, b"hello", 0o644)])]
    assert found.docker("load", stdin=images.docker_archive(layers, ["two:1"])).returncode == 0
    yield found
    found.close()


def ask(daemon: Any, path: str, method: str = "GET") -> Any:
    command = ["curl", "-sS", "-X", method, "--unix-socket", daemon.host.removeprefix("unix://"), f"http://x{path}"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def check(daemon: Any, *flags: str) -> tuple[int, list[str]]:
    done = subprocess.run([OURS, "-H", daemon.host, "system", "check", *flags], capture_output=True, text=True, check=False)
    assert not done.stderr or "Run 'dockwright system check --repair'" in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


CLEAN = (0, ["Everything on the disk is as it should be."])


def data(daemon: Any) -> Path:
    return Path(daemon.root, "data")


def layer(daemon: Any, parent: bool) -> Path:
    """The folder of the image's upper or lower layer."""
    for folder in data(daemon).glob("overlay2/*"):
        if folder.name != "l" and (folder / "committed").exists() and (folder / "diff/x").exists() != parent:
            return folder
    raise AssertionError("no such layer")


def test_the_document(own: Any) -> None:
    own.docker("create", "--name", "c1", "-v", "v1:/v", "two:1")
    own.docker("run", "--network", "none", "--name", "c2", "two:1", "sh", "-c", "echo hi > /f; echo abc > /g")
    whole = ask(own, "/v1.47/system/df")
    size = own.docker("image", "inspect", "-f", "{{.Size}}", "two:1").stdout
    assert whole["LayersSize"] == int(size) and whole["BuildCache"] == []
    assert [(row["Containers"], row["SharedSize"], row["RepoDigests"]) for row in whole["Images"]] == [(2, 0, None)]
    assert {row["Names"][0]: row.get("SizeRw") for row in whole["Containers"]} == {"/c1": None, "/c2": 7}
    assert [(row["Name"], row["UsageData"]) for row in whole["Volumes"]] == [("v1", {"RefCount": 1, "Size": 0})]
    assert ask(own, "/v1.43/system/df")["Images"][0]["VirtualSize"] == int(size)
    some = ask(own, "/v1.47/system/df?type=volume&type=build-cache")
    assert [some[key] for key in ("LayersSize", "Images", "Containers", "BuildCache")] == [0, None, None, []]
    assert ask(own, "/v1.47/system/df?type=x")["message"] == "unknown object type: x"
    assert ask(own, "/v1.41/system/df?type=x")["Images"]


def test_every_block_is_somebodys(own: Any) -> None:
    script = "head -c 300000 /dev/zero > /v/f; echo x"
    own.docker("run", "--network", "none", "--name", "c1", "-v", "v1:/v", "two:1", "sh", "-c", script)
    stray = data(own) / "stray"
    stray.mkdir()
    (stray / "f").write_bytes(b"x" * 100_000)
    found = ask(own, "/dockwright/v1/system/disk")
    total = int(subprocess.run(["du", "-sxB1", data(own)], capture_output=True, check=True).stdout.split()[0])
    assert found["Total"] == total == sum(row["Size"] for row in found["Kinds"])
    kinds = {row["Kind"]: row["Size"] for row in found["Kinds"]}
    assert kinds["Volumes"] > 300_000 and kinds["Containers' logs and files"] > 0 and kinds["Unowned"] > 100_000
    assert [row["Path"] for row in found["Unowned"]] == [str(stray)]
    shown = subprocess.run([OURS, "-H", own.host, "system", "df", "-v"], capture_output=True, text=True, check=True).stdout
    assert str(stray) in shown and f"Disk usage of {data(own)}" in shown
    assert check(own, "--quick") == (1, [f"path that is nobody's: {stray}"])


def test_what_no_row_knows_is_set_aside_or_adopted(own: Any) -> None:
    assert check(own) == CLEAN
    (data(own) / "overlay2/strange/diff").mkdir(parents=True)
    (data(own) / "content/blobs/sha256" / ("1" * 64)).write_bytes(b"x")
    (data(own) / "volumes/lost/_data").mkdir(parents=True)
    (data(own) / "volumes/lost/_data/precious").write_bytes(b"gold")
    code, lines = check(own)
    assert code == 1 and sum(line.startswith("  repair: ") for line in lines) == 3
    code, lines = check(own, "--repair")
    assert code == 0 and sum(line.startswith("  repaired: ") for line in lines) == 3
    assert check(own) == CLEAN
    assert own.docker("run", "--rm", "--network", "none", "-v", "lost:/v", "two:1", "cat", "/v/precious").stdout == b"gold"
    assert len([name for name in os.listdir(data(own) / "trash") if name.startswith("unowned.")]) == 2


@pytest.mark.parametrize("parent", [False, True], ids=["upper", "lower"])
def test_a_lost_layer_is_unpacked_again(own: Any, parent: bool) -> None:
    shutil.rmtree(layer(own, parent))
    code, lines = check(own)
    assert code == 1 and any(line.startswith("layer without its folder: sha256:") for line in lines)
    assert check(own, "--repair")[0] == 0
    assert check(own) == CLEAN
    assert own.docker("run", "--rm", "--network", "none", "two:1", "cat", "/x").stdout == b"hello"


def test_a_lost_layer_under_a_container_is_only_told(own: Any) -> None:
    own.docker("create", "--name", "c1", "two:1")
    shutil.rmtree(layer(own, False))
    code, lines = check(own, "--repair")
    assert code == 1 and len(lines) == 1 and lines[0].startswith("layer without its folder: ")


@pytest.mark.parametrize("harm", ["bytes", "size", "gone"])
def test_a_bad_blob_is_forgotten_and_comes_back(own: Any, images: Any, harm: str) -> None:
    blob = max((data(own) / "content/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    content = blob.read_bytes()
    blob.unlink()
    if harm != "gone":
        blob.write_bytes(content[:-1] + b"!" if harm == "bytes" else content[:-1])
    assert check(own, "--quick")[0] == (0 if harm == "bytes" else 1)
    assert check(own, "--repair")[0] == 0
    assert check(own) == CLEAN
    assert own.docker("run", "--rm", "--network", "none", "two:1", "cat", "/x").stdout == b"hello"
    layers = [images.busybox_layer(), images.tar([("x", tarfile.REGTYPE, b"hello", 0o644)])]
    own.docker("load", stdin=images.docker_archive(layers, ["two:1"]))
    assert blob.read_bytes() == content and check(own) == CLEAN


def test_lost_folders_of_containers_and_volumes(own: Any) -> None:
    own.docker("create", "--name", "c1", "-v", "v1:/v", "two:1")
    ident = own.docker("inspect", "-f", "{{.Id}}", "c1").stdout.decode().strip()
    shutil.rmtree(data(own) / "containers" / ident)
    shutil.rmtree(data(own) / "volumes/v1")
    assert check(own)[1] == [
        "container without its folder: c1", "  repair: make an empty folder",
        "volume without its directory: v1", "  repair: make an empty directory",
    ]  # fmt: skip
    assert check(own, "--repair")[0] == 0
    assert check(own) == CLEAN
    assert own.docker("start", "-a", "c1").returncode == 0
