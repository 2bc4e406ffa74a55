"""Whatever goes wrong, nothing is left: bodies that cannot be, starts that fail, clients that hang up, things that vanish."""

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime.cgroups.layout import layout

ROOT = Path(__file__).parents[3]
LINES = (ROOT / "tests/sidebyside/script/bodies.txt").read_text().splitlines()
BODIES = [shlex.split(line.partition(": ")[2])[1] for line in LINES if re.match(r"[a-z0-9-]+: (body|begin) ", line)]
NONE = ("--network", "none")


@pytest.fixture
def own(tidy: Any) -> Iterator[Any]:
    """A daemon that nobody else uses, so that everything it has can be counted."""
    daemon = type(tidy)()
    daemon.start()
    daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
    yield daemon
    daemon.close()


def counted(daemon: Any) -> dict[str, Any]:
    """All that a container may leave."""
    pid = Path(daemon.root, "pid").read_text().strip()
    children = subprocess.run(["pgrep", "-f", daemon.root], capture_output=True, text=True, check=False).stdout.split()
    links = subprocess.run(
        [*daemon.inside, "ip", "-br", "link"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    where = layout()
    groups = [path for top in {*where.v1.values(), where.unified} if top for path in Path(f"{top}/docker").glob("*")]
    listed = set(json.loads(daemon.docker("ps", "-aq", "--no-trunc", "--format", "[]").stdout or "[]"))
    data = Path(daemon.root, "data")
    return {
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "processes": len(children),
        "links": len(links),
        "mounts": Path("/proc/self/mountinfo").read_text().count(daemon.root),
        "mounts of the daemon": Path(f"/proc/{pid}/mountinfo").read_text().count(daemon.root),
        "folders": sorted(
            path.name for name in ("containers", "volumes", "tmp", "trash") for path in (data / name).glob("*")
        ),
        "layers": len(list((data / "overlay2").iterdir())),
        "tasks": sorted(
            path.name for name in ("tasks", "s", "runc", "netns") for path in Path(daemon.root, "exec", name).glob("*")
        ),
        "containers": sorted(listed),
        "cgroups": sorted(str(path) for path in groups if any(task in str(path) for task in _ids(daemon))),
    }


def _ids(daemon: Any) -> list[str]:
    return daemon.docker("ps", "-aq", "--no-trunc").stdout.decode().split()


def nothing_left(daemon: Any, before: dict[str, Any]) -> None:
    """Count again, when what goes on behind the answers is over. Worker threads keep a database connection each."""
    deadline = time.monotonic() + 15
    while not (same := _same(counted(daemon), before)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert same or {**counted(daemon)} == before


def _same(after: dict[str, Any], before: dict[str, Any]) -> bool:
    more = after["descriptors"] - before["descriptors"]
    return more <= 3 and {**after, "descriptors": 0} == {**before, "descriptors": 0}


def ask(daemon: Any, method: str, path: str, body: str = "") -> tuple[int, str]:
    command = ["curl", "-s", "--unix-socket", f"{daemon.root}/s", "-w", "%{http_code}", "-X", method]
    data = ["-H", "Content-Type: application/json", "-d", body] if body else []
    done = subprocess.run(
        [*command, *data, f"http://d/v1.47{path}"], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout[-3:]), done.stdout[:-3]


def test_bodies_leave_nothing(own: Any) -> None:
    for number in range(2):  # the first warms caches and worker threads up
        if number:
            before = counted(own)
        for body in BODIES if number else BODIES[::8]:
            status, text = ask(own, "POST", "/containers/create?name=body", body)
            assert status in (201, 400, 404, 409, 500, 501), text
            assert status != 500 or "Traceback" not in text
            if status == 201:
                code, text = ask(own, "POST", "/containers/body/start")
                assert code in (204, 400, 404, 409, 500), text
                assert "Error:" not in text, "an error of Python's own is no answer"
                ask(own, "DELETE", "/containers/body?force=1&v=1")
        for name in own.docker("volume", "ls", "-q").stdout.decode().split():
            own.docker("volume", "rm", name)
    nothing_left(own, before)


PHASES = [
    ("POST", "/containers/create", '{"Image": "busybox", "Cmd": ["sleep", "100"]}'),
    ("POST", "/containers/cc/start", ""),
    ("POST", "/containers/cc/attach?stream=1&stdout=1&stdin=1", ""),
    ("POST", "/containers/cc/wait", ""),
    ("GET", "/containers/cc/logs?follow=1&stdout=1", ""),
    ("GET", "/containers/cc/stats", ""),
    ("GET", "/events", ""),
    ("GET", "/containers/cc/export", ""),
    ("GET", "/containers/cc/archive?path=/", ""),
    ("POST", "/commit?container=cc&repo=left", ""),
    ("POST", "/containers/cc/restart?t=0", ""),
    ("POST", "/containers/cc/stop?t=0", ""),
    ("DELETE", "/containers/cc?force=1", ""),
]


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_a_client_that_hangs_up_in_every_phase(own: Any, pause: float) -> None:
    for number in range(2):
        if number:
            before = counted(own)
        own.docker("create", "--name", "cc", *NONE, "-i", "busybox", "sleep", "100")
        for method, path, body in PHASES:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(f"{own.root}/s")
            kind = "Content-Type: application/json\r\n" if body else ""
            sock.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: d\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            time.sleep(pause)
            sock.close()
        deadline = time.monotonic() + 10
        while (idents := _ids(own)) and time.monotonic() < deadline:
            own.docker("rm", "-f", *idents)
        own.docker("rmi", "left")
    nothing_left(own, before)


def test_a_mount_source_that_has_vanished(own: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    own.docker("create", "--name", "cc", *NONE, "--mount", f"type=bind,src={source},dst=/x", "busybox", "true")
    source.rmdir()
    failed = own.docker("start", "cc")
    assert b"bind source path does not exist" in failed.stderr
    assert own.docker("cp", "cc:/etc/passwd", "-").returncode == 0, "its own files are still there"
    assert own.docker("rm", "cc").returncode == 0


def test_a_volume_whose_directory_has_vanished(own: Any) -> None:
    own.docker("create", "--name", "cc", *NONE, "-v", "vv:/x", "busybox", "ls", "/x")
    shutil.rmtree(f"{own.root}/data/volumes/vv")
    assert own.docker("start", "-a", "cc").returncode == 0
    assert own.docker("rm", "-v", "cc").returncode == 0


def test_an_image_that_was_removed_by_force(own: Any) -> None:
    own.docker("tag", "busybox", "other")
    own.docker("create", "--name", "cc", *NONE, "busybox", "echo", "alive")
    assert own.docker("rmi", "-f", own.docker("images", "-q", "busybox").stdout.decode().split()[0]).returncode == 0
    assert own.docker("start", "-a", "cc").stdout == b"alive\n"
    assert own.docker("ps", "-a", "--format", "{{.Image}}").stdout.strip()
    assert own.docker("diff", "cc").returncode == 0
    assert own.docker("cp", "cc:/etc/passwd", "-").returncode == 0
    assert own.docker("inspect", "cc").returncode == 0
    assert own.docker("rm", "cc").returncode == 0


def without_reserve(data: Path) -> None:
    """Take what the database has set aside for removals, and the last block of the disk."""
    (data / "metadata.db.reserve").unlink(missing_ok=True)
    with open(data / "ballast", "wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(1 << 12))


def test_a_full_root_and_a_full_log(tidy: Any, tmp_path: Path) -> None:
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.touch()
    os.truncate(disk, 160 << 20)
    data.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, data], check=True)
    daemon = type(tidy)("--data-root", str(data))
    try:
        daemon.start()
        daemon.docker("load", stdin=tidy.docker("save", "busybox").stdout)
        fill = "dd if=/dev/zero of=/big bs=1M 2>/dev/null; seq 200000; echo end; sleep 1000"
        daemon.docker("run", "-d", "--name", "cc", "-v", "/anonymous", *NONE, "busybox", "sh", "-c", fill)
        deadline = time.monotonic() + 30
        while b"sleep" not in daemon.docker("top", "cc", "-o", "pid,args").stdout:
            assert time.monotonic() < deadline, "a full log stops nobody"
            time.sleep(0.1)
        assert daemon.docker("inspect", "-f", "{{.State.Running}}", "cc").stdout == b"true\n"
        assert daemon.docker("exec", "cc", "true").returncode == 0
        assert daemon.docker("cp", "cc:/etc/passwd", "-").returncode == 0
        (tmp_path / "large").write_bytes(os.urandom(40 << 20))
        failed = daemon.docker("cp", str(tmp_path / "large"), "cc:/copy")
        assert failed.returncode == 1 and b"no space left on device" in failed.stderr
        for _ in range(5):
            assert daemon.docker("run", "--rm", *NONE, "busybox", "true").returncode in (0, 125), "it says so, or it works"
        without_reserve(data)
        assert daemon.docker("rm", "-f", "-v", "cc").returncode == 0
        deadline = time.monotonic() + 30
        while list((data / "containers").iterdir()) or daemon.docker("volume", "ls", "-q").stdout:
            assert time.monotonic() < deadline, "what makes room needs none"
            time.sleep(0.1)
        again = daemon.docker("run", "--rm", *NONE, "busybox", "echo", "again")
        assert again.stdout == b"again\n", again.stderr
    finally:
        daemon.close()
        subprocess.run(["umount", data], check=True)
