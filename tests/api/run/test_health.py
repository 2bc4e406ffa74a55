"""Health checks, by the real client."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


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


OURS = str(ROOT / ".venv/bin/dockwright")


def ours(daemon: Any, name: str, *options: str) -> None:
    """A container that becomes unhealthy, made by our own client: docker's does not know --health-on-failure."""
    command = [OURS, "-H", daemon.host, "run", "-d", "--name", name, "--network", "none", "--health-interval", "300ms"]
    done = subprocess.run(
        [*command, "--health-cmd", "test -e /ok", "--health-retries", "1", *options, "busybox", "sleep", "100"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def state(daemon: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.docker("inspect", name).stdout)[0]
    return found


def until_that(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_unhealthy_container_is_killed_and_its_restart_policy_holds(daemon: Any) -> None:
    ours(daemon, "doomed", "--health-on-failure", "kill", "--restart", "always")
    until_that(lambda: state(daemon, "doomed")["RestartCount"] >= 2)
    assert state(daemon, "doomed")["Config"]["Healthcheck"]["OnFailure"] == "kill"
    daemon.docker("rm", "-f", "doomed")


def test_an_unhealthy_container_is_stopped_for_good(daemon: Any) -> None:
    ours(daemon, "halted", "--health-on-failure", "stop", "--restart", "always", "--stop-timeout", "0")
    until_that(lambda: state(daemon, "halted")["State"]["Status"] == "exited")
    time.sleep(0.5)
    assert state(daemon, "halted")["State"]["Status"] == "exited"
    daemon.docker("rm", "-f", "halted")


def test_an_unhealthy_container_is_restarted(daemon: Any) -> None:
    ours(daemon, "again", "--health-on-failure", "restart", "--stop-timeout", "0")
    first = state(daemon, "again")["State"]["StartedAt"]
    until_that(lambda: state(daemon, "again")["State"]["StartedAt"] != first)
    daemon.docker("rm", "-f", "again")
    command = [OURS, "-H", daemon.host, "run", "--rm", "--health-on-failure", "kill", "busybox", "true"]
    refused = subprocess.run(command, capture_output=True, check=False)
    assert b"cannot set on-failure action to kill without a health check" in refused.stderr


def test_a_container_that_is_soon_ready_need_not_wait_for_an_interval(daemon: Any) -> None:
    begun = time.monotonic()
    daemon.docker("run", "-d", "--name", "quick", "--network", "none", "--health-cmd", "true", "busybox", "sleep", "100")
    until(daemon, "quick", "healthy")
    assert time.monotonic() - begun < 6
    daemon.docker("rm", "-f", "quick")
