"""dockwright volume export, import, clone; volumes in image files."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
NONE = ("--network", "none")


@pytest.fixture(autouse=True)
def clean(daemon: Any) -> Iterator[None]:
    yield
    for name in daemon.docker("volume", "ls", "-q").stdout.decode().split():
        daemon.docker("volume", "rm", name)
    assert daemon.docker("volume", "ls", "-q").stdout == b""
    assert daemon.root not in Path("/proc/self/mountinfo").read_text()


def ours(daemon: Any, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    environment = {"DOCKER_HOST": daemon.host, "HOME": daemon.root, "PATH": os.environ["PATH"]}
    return subprocess.run(
        [OURS, *arguments], input=stdin, capture_output=True, timeout=60, check=False, env=environment
    )


def sh(daemon: Any, volume: str, script: str) -> str:
    done = daemon.docker("run", "--rm", *NONE, "-v", f"{volume}:/v", "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.decode())


FILL = (
    "mkdir -p /v/d && echo x >/v/d/f && ln /v/d/f /v/hard && ln -s d/f /v/link && chown 3:4 /v/d/f && chmod 4750 /v/d/f && "
    "chmod 1777 /v"
)
SEEN = "cd /v; find . | sort; stat -c '%n %a %u:%g %h' . d/f hard; readlink link"


def test_out_and_in_again(daemon: Any, tmp_path: Path) -> None:
    sh(daemon, "from", FILL)
    done = ours(daemon, "volume", "export", "from")
    assert done.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert {"./d/f", "./hard", "./link"} <= {
            name if name.startswith(".") else f"./{name}" for name in tar.getnames()
        }
    assert ours(daemon, "volume", "import", "into", stdin=done.stdout).stdout == b"into\n"
    assert sh(daemon, "into", SEEN) == sh(daemon, "from", SEEN)
    path = str(tmp_path / "v.tar")
    assert ours(daemon, "volume", "export", "-o", path, "from").returncode == 0
    subprocess.run(["gzip", path], check=True)
    assert ours(daemon, "volume", "import", "-i", f"{path}.gz", "packed").returncode == 0
    assert sh(daemon, "packed", SEEN) == sh(daemon, "from", SEEN)


def test_clone(daemon: Any) -> None:
    daemon.docker("volume", "create", "--label", "a=b", "from")
    sh(daemon, "from", FILL)
    assert ours(daemon, "volume", "clone", "from", "copy").stdout == b"copy\n"
    assert sh(daemon, "copy", SEEN) == sh(daemon, "from", SEEN)
    sh(daemon, "copy", "echo other >/v/d/f")
    assert sh(daemon, "from", "cat /v/d/f") == "x\n"
    assert daemon.docker("volume", "inspect", "-f", "{{.Labels}}", "copy").stdout == b"map[a:b]\n"
    again = ours(daemon, "volume", "clone", "from", "copy")
    assert again.returncode == 1 and b"exists already" in again.stderr
    assert b"no such volume" in ours(daemon, "volume", "clone", "nothing", "new").stderr
    assert b"invalid characters" in ours(daemon, "volume", "clone", "from", "a b").stderr


def test_what_is_no_tar_leaves_no_volume(daemon: Any) -> None:
    for data in (b"nonsense" * 200, b"\x1f\x8b broken", b"short"):
        failed = ours(daemon, "volume", "import", "bad", stdin=data)
        assert failed.returncode == 1 and failed.stderr.startswith(b"Error response from daemon: ")
    assert daemon.docker("volume", "ls", "-q").stdout == b""
    assert b"no such volume" in ours(daemon, "volume", "export", "nothing").stderr


def test_a_tar_leads_nowhere_else(daemon: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        info = tarfile.TarInfo("out/planted")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    ours(daemon, "volume", "import", "bad", stdin=buffer.getvalue())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["loop", "ro,loop", "noatime"])
def test_a_file_system_in_a_file(daemon: Any, tmp_path: Path, option: str) -> None:
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, 16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    daemon.docker("volume", "create", "-o", "type=ext4", "-o", f"device={image}", "-o", f"o={option}", "disk")
    if "ro" in option:
        done = daemon.docker("run", "--rm", *NONE, "-v", "disk:/v", "busybox", "touch", "/v/x")
        assert b"Read-only file system" in done.stderr
    else:
        sh(daemon, "disk", "echo kept >/v/file")
        assert sh(daemon, "disk", "cat /v/file; stat -f -c %T /v") == "kept\next2/ext3\n"
    assert str(image) not in subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
