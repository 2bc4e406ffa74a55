"""What ended a container and who: `dockwright why`, and want of memory that is told of while a container runs."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

NONE = ("--network", "none")
OURS = str(Path(__file__).parents[3] / ".venv/bin/dockwright")
CLIENT = r"\(docker, pid \d+, uid 0\)"


def run(tidy: Any, name: str, script: str, *options: str) -> None:
    done = tidy.docker("run", *NONE, "-d", "--name", name, *options, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr


def until(holds: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def why(ask: Any, name: str, query: str = "") -> dict[str, Any]:
    status, document = ask("GET", f"/dockwright/v1/containers/{name}/why{query}")
    assert status == 200, document
    return dict(document)


def shown(daemon: Any, *arguments: str) -> str:
    done = subprocess.run([OURS, "-H", daemon.host, "why", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_stop_that_was_not_heard(tidy: Any, ask: Any) -> None:
    run(tidy, "stubborn", "trap '' TERM; echo one; echo two; while :; do sleep 0.1; done")
    until(lambda: tidy.docker("logs", "stubborn").stdout == b"one\ntwo\n")
    assert tidy.docker("stop", "-t", "0", "stubborn").returncode == 0
    found = why(ask, "stubborn")
    assert re.fullmatch(f"SIGKILL: sent by docker stop, after its time-out {CLIENT}", found["EndedBy"])
    assert [(one["Name"], one["By"]) for one in found["Signals"]] == [
        ("SIGTERM", "docker stop"), ("SIGKILL", "docker stop, after its time-out"),
    ]  # fmt: skip
    assert (found["ExitCode"], found["Log"], found["OOMKilled"]) == (137, ["one", "two"], False)
    assert why(ask, "stubborn", "?tail=1")["Log"] == ["two"]
    text = shown(tidy, "-n", "1", "stubborn")
    assert re.search(f"exited, code 137.*\nEnded by SIGKILL: sent by docker stop, after its time-out {CLIENT}.\n", text)
    assert text.endswith("The end of its log:\n  two\n")


def test_a_signal_of_somebody_else(tidy: Any, ask: Any) -> None:
    run(tidy, "victim", "sleep 1000")
    os.kill(ask("GET", "/containers/victim/json")[1]["State"]["Pid"], signal.SIGKILL)
    until(lambda: why(ask, "victim")["Status"] == "exited")
    found = why(ask, "victim")
    assert found["EndedBy"] == "SIGKILL: not sent by this engine, but from inside the container or from the host"
    assert found["Signals"] == []
    assert "This engine has sent it no signal.\nIts log is empty.\n" in shown(tidy, "victim")
    tidy.docker("start", "victim")
    assert why(ask, "victim")["EndedBy"] == ""


def test_one_that_ends_by_itself_and_one_that_is_not_there(tidy: Any) -> None:
    run(tidy, "short", "exit 3", "--log-driver", "none")
    until(lambda: "exited, code 3" in shown(tidy, "short"))
    assert shown(tidy, "short").endswith("It ended by itself.\nThis engine has sent it no signal.\nIts log cannot be read.\n")
    assert "No such container: nosuch" in shown(tidy, "nosuch")


def test_a_child_killed_for_want_of_memory_is_told_of_at_once(tidy: Any, ask: Any, heard: Any) -> None:
    run(tidy, "hungry", "tail /dev/zero; sleep 1000", "-m", "16m", "--memory-swap", "16m")
    until(lambda: ask("GET", "/containers/hungry/json")[1]["State"]["OOMKilled"])
    state = ask("GET", "/containers/hungry/json")[1]["State"]
    assert state["Running"]
    assert "oom" in [event["Action"] for event in heard()]
    until(lambda: why(ask, "hungry")["OOMKills"] == 1)
    tidy.docker("kill", "hungry")
    actions = [event["Action"] for event in heard() if event["Action"] in ("oom", "die")]
    assert actions == ["oom", "die"]
    assert why(ask, "hungry")["EndedBy"].endswith("after the kernel had killed one of its processes for want of memory")
    text = shown(tidy, "hungry")
    assert "The kernel has killed processes of it for want of memory; its limit is 16MiB.\n" in text
