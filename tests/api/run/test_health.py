"""Health checks, by the real client."""

import json
import signal
import time
from typing import Any


def health(daemon: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.docker("inspect", name).stdout)[0]["State"].get("Health")
    return found


def until(daemon: Any, name: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while (found := health(daemon, name))["Status"] != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def start(daemon: Any, name: str, check: str, *options: str) -> None:
    done = daemon.docker(
        "run", "-d", "--name", name, "--network", "none", "--health-cmd", check, "--health-interval", "200ms", *options,
        "busybox", "sleep", "100",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_container_becomes_healthy_and_unhealthy(daemon: Any) -> None:
    start(daemon, "checked", "cat /tmp/ok", "--health-retries", "2")
    assert b"(health: starting)" in daemon.docker("ps").stdout
    found = until(daemon, "checked", "unhealthy")
    assert found["FailingStreak"] >= 2 and found["Log"][-1]["ExitCode"] == 1
    assert "No such file or directory" in found["Log"][-1]["Output"]
    assert b"(unhealthy)" in daemon.docker("ps", "--filter", "health=unhealthy").stdout
    daemon.docker("exec", "checked", "sh", "-c", "echo fine > /tmp/ok")
    found = until(daemon, "checked", "healthy")
    assert (found["FailingStreak"], found["Log"][-1]["Output"], len(found["Log"]) <= 5) == (0, "fine\n", True)
    window = ["--since", "1", "--until", f"{time.time():.3f}", "--filter", "container=checked"]
    seen = daemon.docker("events", *window, "--filter", "event=health_status", "--format", "{{.Action}}").stdout
    assert seen == b"health_status: unhealthy\nhealth_status: healthy\n"
    daemon.docker("stop", "-t", "0", "checked")
    assert health(daemon, "checked")["Status"] == "unhealthy"
    daemon.docker("rm", "-f", "checked")


def test_a_check_that_takes_too_long(daemon: Any) -> None:
    start(daemon, "slow", "echo some; sleep 30", "--health-timeout", "2s", "--health-retries", "1")
    found = until(daemon, "slow", "unhealthy")
    assert (found["Log"][-1]["ExitCode"], found["Log"][-1]["Output"]) == (-1, "Health check exceeded timeout (2s): some\n")
    daemon.docker("rm", "-f", "slow")


def test_a_killed_daemon_goes_on_checking(daemon: Any) -> None:
    start(daemon, "steady", "true")
    until(daemon, "steady", "healthy")
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert health(daemon, "steady")["Status"] == "healthy"
    before = health(daemon, "steady")["Log"][-1]["End"]
    deadline = time.monotonic() + 10
    while health(daemon, "steady")["Log"][-1]["End"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    daemon.docker("rm", "-f", "steady")


def test_no_check(daemon: Any) -> None:
    daemon.docker("run", "-d", "--name", "plain", "--network", "none", "--no-healthcheck", "busybox", "sleep", "100")
    assert "Health" not in json.loads(daemon.docker("inspect", "plain").stdout)[0]["State"]
    daemon.docker("rm", "-f", "plain")
