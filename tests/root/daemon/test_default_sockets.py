"""Without -H: our own socket, and Docker's as long as no Docker lives there (in a private /run)."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.daemon.main import main; sys.exit(main())"
LISTEN = "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('/run/docker.sock'); s.listen(); time.sleep(60)"


@pytest.fixture
def data() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="dwd", dir="/tmp") as root:
        yield root


def started(data: str, before: str) -> "subprocess.Popen[bytes]":
    """A daemon in namespaces of its own, with an empty /run, after the shell line `before`."""
    script = f'mount -t tmpfs run /run && ip link set lo up && {before} exec "$@"'
    daemon = [sys.executable, "-c", CODE, "--data-root", f"{data}/data", "--exec-root", "/run/dockwright"]
    return subprocess.Popen(["unshare", "-mn", "sh", "-c", script, "sh", *daemon], stderr=subprocess.PIPE)


def sockets(process: "subprocess.Popen[bytes]") -> list[object]:
    """The sockets below its /run once it listens; it is ended then."""
    run = f"/proc/{process.pid}/root/run"
    deadline = time.monotonic() + 20
    while not os.path.exists(f"{run}/dockwright/dockwright.sock"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    found = [name for name in ("docker.sock", "dockwright/dockwright.sock") if os.path.exists(f"{run}/{name}")]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    return [*found, "API listen on unix:///run/dockwright/dockwright.sock unix:///run/docker.sock" in said.decode()]


def test_both_sockets_where_there_is_no_docker(data: str) -> None:
    assert sockets(started(data, "")) == ["docker.sock", "dockwright/dockwright.sock", True]


def test_a_live_docker_keeps_its_socket(data: str) -> None:
    other = f"({sys.executable} -c \"{LISTEN}\" 2>/dev/null & echo $! > {data}/pid); sleep 0.5;"
    try:
        assert sockets(started(data, other)) == ["docker.sock", "dockwright/dockwright.sock", False]
    finally:
        os.kill(int(Path(data, "pid").read_text()), signal.SIGKILL)


def test_a_dead_dockers_socket_is_taken_over(data: str) -> None:
    stale = f"{sys.executable} -c \"{LISTEN.replace('time.sleep(60)', 'pass')}\";"
    assert sockets(started(data, stale)) == ["docker.sock", "dockwright/dockwright.sock", True]
