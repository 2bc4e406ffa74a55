"""`docker run` and what follows, by the real client."""

import json
import os
import signal
import time
from typing import Any

import pytest


def run(daemon: Any, *arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    done = daemon.docker("run", "--network", "none", *arguments, stdin=stdin)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_output_and_exit_code_come_back(daemon: Any) -> None:
    code, out, error = run(daemon, "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (code, out, error) == (7, "out\n", "err\n")


def test_stdin_is_half_closed(daemon: Any) -> None:
    assert run(daemon, "--rm", "-i", "busybox", "cat", stdin=b"through\n") == (0, "through\n", "")


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["nosuch"], 127, 'exec: "nosuch": executable file not found in $PATH'),
        (["/nosuch"], 127, 'exec: "/nosuch": stat /nosuch: no such file or directory'),
        (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_program_that_cannot_run(daemon: Any, command: list[str], code: int, text: str) -> None:
    got, out, error = run(daemon, "--rm", "busybox", *command)
    assert (got, out) == (code, "")
    assert text in error
    assert daemon.docker("ps", "-aq").stdout == b""


def test_a_missing_image(daemon: Any) -> None:
    code, _, error = run(daemon, "nosuchimage", "true")
    assert code == 125
    assert "Unable to find image 'nosuchimage:latest' locally" in error


def test_identity_limits_and_read_only_root(daemon: Any) -> None:
    script = "id -u; pwd; echo $A; grep CapEff /proc/self/status; touch /x 2>&1; hostname; ulimit -n"
    options = ["--rm", "-u", "nobody", "-w", "/tmp", "-e", "A=b", "--read-only", "--cap-drop", "ALL", "-h", "box"]
    _, out, _ = run(daemon, *options, "--ulimit", "nofile=64:64", "busybox", "sh", "-c", script)
    lines = out.splitlines()
    assert lines[:3] == ["65534", "/tmp", "b"]
    assert lines[3].split() == ["CapEff:", "0" * 16]
    assert "Read-only file system" in lines[4]
    assert lines[5:] == ["box", "64"]


def test_default_capabilities_and_seccomp(daemon: Any) -> None:
    _, out, error = run(
        daemon,
        "--rm",
        "busybox",
        "sh",
        "-c",
        "grep -E 'CapEff|CapInh|Seccomp:' /proc/self/status; mount -t tmpfs x /tmp",
    )
    values = dict(line.split() for line in out.splitlines())
    assert values == {"CapInh:": "0" * 16, "CapEff:": "00000000a80425fb", "Seccomp:": "2"}
    assert "permission denied" in error


def test_a_detached_container_lives_and_is_stopped(daemon: Any) -> None:
    code, ident, _ = run(daemon, "-d", "--name", "lives", "busybox", "sleep", "100")
    assert code == 0
    state = json.loads(daemon.docker("inspect", "lives").stdout)[0]["State"]
    assert state["Status"] == "running"
    assert os.path.exists(f"/proc/{state['Pid']}")
    assert daemon.docker("stop", "-t", "0", "lives").returncode == 0
    ended = json.loads(daemon.docker("inspect", ident.strip()).stdout)[0]["State"]
    assert (ended["Status"], ended["ExitCode"], ended["Pid"]) == ("exited", 137, 0)
    assert not os.path.exists(f"/proc/{state['Pid']}")
    assert daemon.docker("rm", "lives").stdout == b"lives\n"


def test_a_taken_name_is_refused(daemon: Any) -> None:
    daemon.docker("create", "--network", "none", "--name", "taken", "busybox")
    again = daemon.docker("create", "--network", "none", "--name", "taken", "busybox")
    assert b'Conflict. The container name "/taken" is already in use by container' in again.stderr
    daemon.docker("rm", "taken")


def test_pause_and_unpause(daemon: Any) -> None:
    run(daemon, "-d", "--name", "frozen", "busybox", "sleep", "100")
    assert daemon.docker("pause", "frozen").returncode == 0
    assert b"(Paused)" in daemon.docker("ps").stdout
    assert daemon.docker("unpause", "frozen").returncode == 0
    assert daemon.docker("rm", "-f", "frozen").returncode == 0


def test_a_network_that_is_not_there(daemon: Any) -> None:
    refused = daemon.docker("run", "--rm", "--network", "mine", "busybox", "true")
    assert refused.returncode == 125
    assert b"network mine not found" in refused.stderr


def test_a_killed_daemon_leaves_containers_running_and_finds_their_exit(daemon: Any) -> None:
    run(daemon, "-d", "--name", "orphan", "busybox", "sh", "-c", "sleep 1.5; exit 42")
    run(daemon, "-d", "--name", "steady", "busybox", "sleep", "100")
    pid = json.loads(daemon.docker("inspect", "steady").stdout)[0]["State"]["Pid"]
    daemon.end(signal.SIGKILL)
    time.sleep(2)
    daemon.start()
    state = json.loads(daemon.docker("inspect", "orphan").stdout)[0]["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 42)
    state = json.loads(daemon.docker("inspect", "steady").stdout)[0]["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    assert daemon.docker("rm", "-f", "steady", "orphan").returncode == 0


def test_nothing_is_left(daemon: Any) -> None:
    run(daemon, "--rm", "busybox", "true")
    assert daemon.docker("ps", "-aq").stdout == b""
    deadline = time.monotonic() + 30  # what a removed container leaves is cleaned up after the answer
    places = [f"{daemon.root}/exec/tasks", f"{daemon.root}/exec/s", f"{daemon.root}/data/containers"]
    while left := [name for place in places for name in os.listdir(place)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_exec(daemon: Any) -> None:
    run(daemon, "-d", "--name", "host", "busybox", "sleep", "100")
    done = daemon.docker("exec", "-i", "-e", "A=b", "-w", "/tmp", "host", "sh", "-c", "cat; echo $A; pwd; exit 5", stdin=b"in\n")
    assert (done.returncode, done.stdout) == (5, b"in\nb\n/tmp\n")
    assert daemon.docker("exec", "-u", "nobody", "host", "id", "-u").stdout == b"65534\n"
    missing = daemon.docker("exec", "host", "nosuch")
    assert missing.returncode == 126
    assert b"executable file not found in $PATH" in missing.stdout + missing.stderr
    names = daemon.docker("exec", "host", "ps").stdout
    assert b"sleep 100" in names
    daemon.docker("rm", "-f", "host")
