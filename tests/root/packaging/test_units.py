"""The systemd units: systemd's own check of them, and a daemon that is started as they say."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "packaging/systemd"
DAEMON = str(ROOT / ".venv/bin/dockwrightd")
# what systemd does before it starts a service with a socket: sd_listen_fds(3)
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dwu", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def test_systemd_accepts_the_units(folder: Path, peer: Callable[[str], str]) -> None:
    verify = peer("systemd-analyze")
    for unit in UNITS.iterdir():
        (folder / unit.name).write_text(unit.read_text().replace("/usr/bin/dockwrightd", DAEMON))
    units = [str(folder / unit.name) for unit in UNITS.iterdir()]
    done = subprocess.run([verify, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "dockwright" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_command_of_the_unit_serves_the_socket_it_is_given_and_says_that_it_is_ready(folder: Path) -> None:
    command = re.search(r"^ExecStart=\S+ (.*)$", (UNITS / "dockwright.service").read_text(), re.M)
    assert command
    roots = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        listening.bind(f"{folder}/api")
        listening.listen()
        manager.bind(f"{folder}/notify")
        manager.settimeout(30)
        start = ["unshare", "--net", str(ROOT / ".venv/bin/python"), "-c", ACTIVATED, str(listening.fileno()), DAEMON]
        daemon = subprocess.Popen(
            [*start, *command[1].split(), *roots], pass_fds=[listening.fileno()], stderr=subprocess.PIPE,
            env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify", "LISTEN_FDS": "1"},
        )  # fmt: skip
        try:
            assert manager.recv(100) == b"READY=1"
            client = [str(ROOT / ".venv/bin/dockwright"), "-H", f"unix://{folder}/api", "version", "-f", "{{.Server.Version}}"]
            answer = subprocess.run(client, capture_output=True, text=True, timeout=20, check=False)
            daemon.terminate()
            assert manager.recv(100) == b"STOPPING=1"
        finally:
            daemon.terminate()
            said = daemon.communicate(timeout=20)[1]
    assert (answer.stdout, answer.stderr, daemon.returncode) == ("27.5.1\n", "", 0), said
