"""`dockwright-runc --root EXEC/runc` sees and reaches the engine's containers."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[3] / ".venv/bin/dockwright-runc"


def runc(daemon: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(PROGRAM), "--root", f"{daemon.root}/exec/runc", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_command_line_reaches_the_engines_containers(daemon: Any) -> None:
    started = daemon.docker("run", "-d", "--network", "none", "--name", "seen", "busybox", "sleep", "300")
    ident = started.stdout.decode().strip()
    until(lambda: ident in runc(daemon, "list", "-q").stdout.split())
    pid = int(daemon.docker("inspect", "-f", "{{.State.Pid}}", "seen").stdout)
    state = json.loads(runc(daemon, "state", ident).stdout)
    assert (state["status"], state["pid"]) == ("running", pid)
    assert json.loads(runc(daemon, "ps", "-f", "json", ident).stdout) == [pid]
    assert runc(daemon, "exec", ident, "/bin/sh", "-c", "echo $$; hostname").stdout.split()[1] == ident[:12]
    assert runc(daemon, "kill", ident, "KILL").returncode == 0
    assert daemon.docker("wait", "seen").stdout == b"137\n"
    assert daemon.docker("rm", "seen").returncode == 0
    until(lambda: not runc(daemon, "list", "-q").stdout)


def test_nothing_is_left_of_short_ones(daemon: Any) -> None:
    for _ in range(5):
        assert daemon.docker("run", "--rm", "--network", "none", "busybox", "true").returncode == 0
    until(lambda: not list(Path(f"{daemon.root}/exec/runc").iterdir()))
