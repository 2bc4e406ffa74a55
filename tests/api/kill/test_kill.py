"""Processes of ours are killed or stopped, the daemon at any moment: what a new daemon finds, and what is left."""

import os
import random
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

NONE = ("--network", "none")
COUNTS = "i=0; while [ $i -lt 400 ]; do echo $i; i=$((i+1)); sleep 0.005; done; exit 42"


def until(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has waited for yet does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_exit_and_a_log_while_there_is_no_daemon(subject: Any) -> None:
    subject.run("counts", COUNTS)
    time.sleep(0.5)
    subject.kill()
    time.sleep(4)
    subject.daemon.start()
    state = subject.state("counts")
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("exited", 42, "")
    assert subject.docker("logs", "counts")[1] == "".join(f"{n}\n" for n in range(400))
    assert subject.ask("POST", "/containers/counts/wait")[1] == {"StatusCode": 42}


def test_a_running_container_goes_on_under_the_next_daemon(subject: Any) -> None:
    subject.run("steady", "echo before; read x; echo got $x; sleep 1000", "-i")
    before = subject.state("steady")
    subject.kill()
    subject.daemon.start()
    after = subject.state("steady")
    assert (after["Pid"], after["StartedAt"], after["Status"]) == (before["Pid"], before["StartedAt"], "running")
    assert subject.docker("exec", "steady", "echo", "hi") == (0, "hi\n")
    assert subject.docker("logs", "steady") == (0, "before\n")
    subject.ask("POST", "/containers/steady/pause")
    subject.kill()
    subject.daemon.start()
    assert subject.state("steady")["Paused"]
    assert subject.ask("POST", "/containers/steady/stop?t=0")[0] == 204
    assert subject.state("steady")["ExitCode"] == 137


def test_what_was_to_be_removed_at_its_end_is(subject: Any) -> None:
    subject.run("gone", "sleep 0.5", "--rm")
    subject.kill()
    time.sleep(1)
    subject.daemon.start()
    until(lambda: subject.inspect("gone") == {})


def test_restart_policies_hold_for_ends_that_nobody_saw(subject: Any) -> None:
    subject.run("always", "sleep 1.5; exit 3", "--restart", "always")
    subject.run("stopped", "sleep 1000", "--restart", "unless-stopped")
    subject.docker("stop", "-t", "0", "stopped")
    subject.kill()
    time.sleep(2)
    subject.daemon.start()
    until(lambda: subject.state("always")["Status"] == "running")
    assert subject.inspect("always")["RestartCount"] >= 1
    assert subject.state("stopped")["Status"] == "exited"


def test_a_killed_zygote_is_replaced(subject: Any) -> None:
    subject.run("first", "sleep 1000")
    old = subject.processes()["dockwright-zygo"]
    os.kill(old[0], signal.SIGKILL)
    time.sleep(0.1)
    subject.run("second", "sleep 1000")
    until(lambda: subject.processes().get("dockwright-zygo", old) != old)  # a moment later, for the next spare shim
    assert subject.docker("exec", "first", "echo", "hi") == (0, "hi\n")
    assert subject.docker("exec", "second", "echo", "hi") == (0, "hi\n")


def test_a_killed_shim_takes_its_container_along(subject: Any) -> None:
    subject.run("bereft", "sleep 1000 & sleep 1000")
    pid = subject.state("bereft")["Pid"]
    os.kill(subject.shim_of("bereft"), signal.SIGKILL)
    until(lambda: subject.state("bereft")["Status"] == "exited")
    state = subject.state("bereft")
    assert (state["ExitCode"], state["Error"]) == (137, "the container's shim died")
    assert not alive(pid)
    assert subject.docker("start", "bereft")[0] == 0
    assert subject.state("bereft")["Error"] == ""


def test_a_killed_shim_and_the_restart_policy(subject: Any) -> None:
    subject.run("again", "sleep 1000", "--restart", "always")
    os.kill(subject.shim_of("again"), signal.SIGKILL)
    until(lambda: subject.inspect("again")["RestartCount"] == 1 and subject.state("again")["Status"] == "running")


def test_a_shim_that_dies_while_there_is_no_daemon(subject: Any) -> None:
    subject.run("bereft", "sleep 1000")
    pid, shim = subject.state("bereft")["Pid"], subject.shim_of("bereft")
    subject.kill()
    os.kill(shim, signal.SIGKILL)
    subject.daemon.start()
    state = subject.state("bereft")
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("exited", 137, "the container's shim died")
    until(lambda: not alive(pid))


def test_a_stopped_shim(subject: Any) -> None:
    subject.run("stuck", "sleep 1000")
    os.kill(subject.shim_of("stuck"), signal.SIGSTOP)
    begun = time.monotonic()
    assert subject.state("stuck")["Status"] == "running"
    assert "stuck" in subject.docker("ps")[1]
    assert time.monotonic() - begun < 2
    status, answer = subject.ask("POST", "/containers/stuck/pause")
    assert (status, "did not answer pause within" in answer["message"]) == (503, True)
    assert subject.ask("DELETE", "/containers/stuck?force=1") == (204, "")
    assert time.monotonic() - begun < 35


def test_a_stopped_shim_under_a_new_daemon(subject: Any) -> None:
    subject.run("stuck", "sleep 1000")
    shim = subject.shim_of("stuck")
    os.kill(shim, signal.SIGSTOP)
    subject.kill()
    subject.daemon.start()
    assert subject.state("stuck")["Status"] == "running"
    os.kill(shim, signal.SIGCONT)
    assert subject.docker("exec", "stuck", "echo", "hi") == (0, "hi\n")


def test_sigterm_leaves_containers_and_a_second_one_does_not(subject: Any) -> None:
    subject.run("stays", "sleep 1000")
    pid = subject.state("stays")["Pid"]
    subject.daemon.end(signal.SIGTERM)
    assert alive(pid)
    subject.daemon.start()
    assert subject.state("stays")["Pid"] == pid


def test_another_boot(subject: Any) -> None:
    subject.run("lost", "sleep 1000")
    subject.run("comes", "sleep 1000", "--restart", "unless-stopped")
    shims = [subject.shim_of("lost"), subject.shim_of("comes")]
    pids = [subject.state("lost")["Pid"], subject.state("comes")["Pid"]]
    subject.kill()
    for pid in (*shims, *pids):  # a machine that is started anew has none of them
        os.kill(pid, signal.SIGKILL)
    Path(f"{subject.daemon.root}/exec/boot-id").write_text("another")
    subject.daemon.start()
    state = subject.state("lost")
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 255, 0)
    assert state["FinishedAt"] > state["StartedAt"]
    until(lambda: subject.state("comes")["Status"] == "running")


def test_execs_end_with_the_daemon_that_knew_them_but_go_on(subject: Any) -> None:
    subject.run("host", "sleep 1000")
    status, made = subject.ask("POST", "/containers/host/exec", {"Cmd": ["sleep", "500"]})
    assert status == 201
    subject.ask("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    subject.kill()
    subject.daemon.start()
    assert subject.ask("GET", f"/exec/{made['Id']}/json")[0] == 404
    assert "sleep 500" in subject.docker("top", "host")[1]


def test_nothing_is_left_by_many_runs(subject: Any) -> None:
    subject.docker("run", *NONE, "--rm", "busybox", "true")
    until(lambda: subject.shims() == [])
    before = subject.descriptors()
    for _ in range(5):
        subject.docker("run", *NONE, "--rm", "busybox", "true")
        subject.docker("run", *NONE, "--rm", "busybox", "/nosuch")
        subject.docker("run", "--rm", "busybox", "true")
    until(lambda: subject.shims() == [])
    until(lambda: subject.descriptors() <= before + 1)


def operations(subject: Any, name: str) -> dict[str, tuple[str, ...]]:
    return {
        "run": ("run", *NONE, "-d", "--name", name, "busybox", "sleep", "1000"),
        "bridge": ("run", "-d", "--name", name, "busybox", "sleep", "1000"),
        "create": ("create", *NONE, "--name", name, "-v", "/v", "busybox"),
        "fleeting": ("run", *NONE, "--rm", "--name", name, "busybox", "true"),
        "exec": ("exec", "steady", "true"),
        "stop": ("stop", "-t", "0", "victim"),
        "restart": ("restart", "-t", "0", "victim"),
        "rm": ("rm", "-f", "victim"),
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_daemon_killed_at_any_moment(subject: Any, seed: int) -> None:
    chance = random.Random(seed)
    subject.run("steady", "sleep 1000")
    pid = subject.state("steady")["Pid"]
    for number in range(8):
        name = f"made{number}"
        if not subject.inspect("victim"):
            subject.run("victim", "sleep 1000")
        elif not subject.state("victim")["Running"]:
            subject.docker("start", "victim")
        what, command = chance.choice(list(operations(subject, name).items()))
        client = threading.Thread(target=subject.docker, args=command)
        client.start()
        time.sleep(chance.uniform(0.012, 0.1))
        subject.kill()
        client.join()
        subject.daemon.start()
        assert subject.state("steady")["Pid"] == pid
        check(subject, f"{what} in round {number} of seed {seed}")


def check(subject: Any, what: str) -> None:
    """Every container is whole, and there is nothing beside them."""
    rows = subject.ask("GET", "/containers/json?all=1")[1]
    for row in rows:
        state = subject.state(row["Id"])
        assert state["Status"] in ("created", "running", "exited"), (what, state)
        assert (state["Pid"] > 0) == (state["Status"] == "running"), (what, state)
        if state["Pid"]:
            assert alive(state["Pid"]), (what, state)
            assert subject.docker("exec", row["Id"], "true") == (0, ""), what
        if state["Status"] == "exited":
            assert state["ExitCode"] in (0, 137), (what, state)
        if state["Status"] == "created":
            assert subject.docker("start", row["Id"])[0] == 0, what
    deadline = time.monotonic() + 10
    while left := beside(subject):
        assert time.monotonic() < deadline, (what, left, subject.idle())
        time.sleep(0.02)


def beside(subject: Any) -> dict[str, Any]:
    """What there is beside the containers, or is missing of them."""
    rows = subject.ask("GET", "/containers/json?all=1")[1]
    idents, running = sorted(row["Id"] for row in rows), [row for row in rows if row["State"] == "running"]
    keys = set(subject.names("data/overlay2")) - {"l"}
    layers = [key for key in keys if not key.endswith("-init") and f"{key}-init" not in keys]  # those have images
    found = {
        "folders": set(subject.names("data/containers")) ^ set(idents),
        "tasks": set(subject.names("exec/tasks")) - set(idents),
        "layers": len(layers) - len(idents),
        "shims": [] if len(subject.shims()) == len(running) else subject.shims(),
    }
    return {key: value for key, value in found.items() if value}


def test_an_exec_that_was_prepared_and_never_started_goes_with_its_daemon(subject: Any) -> None:
    from dockwright.supervisor import frames

    subject.run("host", "sleep 1000")
    ident, shim = subject.inspect("host")["Id"], subject.shim_of("host")
    before = len(os.listdir(f"/proc/{shim}/fd"))
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"{subject.daemon.root}/exec/s/{ident[:16]}")
    stdio = {"tty": False, "stdin": False, "stdin_once": False}
    client.sendall(frames.encode({"n": 1, "op": "attach", "exec": "e" * 64, "streams": ("stdout",), "stdio": stdio}))
    until(lambda: len(os.listdir(f"/proc/{shim}/fd")) > before)
    subject.kill()
    client.close()
    until(lambda: len(os.listdir(f"/proc/{shim}/fd")) < before)
    subject.daemon.start()
    assert subject.docker("exec", "host", "echo", "hi") == (0, "hi\n")


def test_a_paused_one_stays_paused(subject: Any) -> None:
    subject.run("one", "while :; do date +%s%N >/now; done")
    subject.docker("pause", "one")
    subject.kill()
    subject.daemon.start()
    assert subject.state("one")["Status"] == "paused"
    before = subject.docker("cp", "one:/now", "-")[1]
    time.sleep(0.3)
    assert subject.docker("cp", "one:/now", "-")[1] == before, "it rests"
    assert subject.docker("exec", "one", "true")[0] == 1
    assert subject.docker("unpause", "one")[0] == 0
    until(lambda: subject.docker("cp", "one:/now", "-")[1] != before)
    subject.docker("pause", "one")
    subject.kill()
    subject.daemon.start()
    assert subject.docker("stop", "-t", "0", "one")[0] == 0
    assert subject.state("one")["Status"] == "exited"


def test_one_that_waits_to_be_started_again(subject: Any) -> None:
    subject.run("one", "exit 7", "--restart", "always")
    until(lambda: subject.inspect("one")["RestartCount"] >= 4)
    until(lambda: subject.state("one")["Restarting"])
    subject.kill()
    subject.daemon.start()
    count = subject.inspect("one")["RestartCount"]
    assert count >= 3, "what is known is not forgotten, but perhaps for a start that was being made"
    until(lambda: subject.inspect("one")["RestartCount"] > count)
    subject.run("two", "exit 0", "--restart", "on-failure")
    until(lambda: subject.state("two")["Status"] == "exited")
    subject.kill()
    subject.daemon.start()
    assert subject.state("two")["Status"] == "exited"
    assert subject.docker("stop", "one")[0] == 0


def test_volumes_that_are_mounted_stay_so_and_are_let_go_later(subject: Any) -> None:
    subject.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "ram")
    subject.run("one", "echo kept >/v/file; sleep 1000", "-v", "ram:/v")
    until(lambda: "kept" in subject.docker("exec", "one", "cat", "/v/file")[1])
    subject.kill()
    subject.daemon.start()
    assert subject.docker("run", "--rm", *NONE, "-v", "ram:/v", "busybox", "cat", "/v/file") == (0, "kept\n")
    assert subject.docker("volume", "rm", "ram")[0] == 1
    subject.docker("rm", "-f", "one")
    until(lambda: "ram" not in Path("/proc/self/mountinfo").read_text())
    assert subject.docker("volume", "rm", "ram")[0] == 0


@pytest.mark.parametrize(
    ("policy", "by_hand", "code", "back"),
    [
        ("always", False, 0, True), ("always", True, 0, True), ("unless-stopped", False, 0, True),
        ("unless-stopped", True, 0, False), ("on-failure", False, 255, True), ("no", False, 255, False),
    ],
)  # fmt: skip
def test_another_boot_and_each_policy(subject: Any, policy: str, by_hand: bool, code: int, back: bool) -> None:
    """A reboot: no process is left, the exec root is empty and belongs to another boot."""
    subject.run("one", "sleep 1000", "--restart", policy, "-v", "vv:/v")
    if by_hand:
        subject.docker("stop", "-t", "0", "one")
    pid = subject.state("one")["Pid"]
    shims = subject.shims()
    subject.kill()
    for process in (pid, *shims, *subject.processes().get("dockwright-zygo", [])):
        if process and alive(process):
            os.kill(process, signal.SIGKILL)
    until(lambda: not subject.shims())
    shutil.rmtree(f"{subject.daemon.root}/exec")
    subject.daemon.start()
    if back:
        until(lambda: subject.state("one")["Status"] == "running")
    else:
        time.sleep(0.5)
        assert (subject.state("one")["Status"], subject.state("one")["ExitCode"]) == ("exited", 137 if by_hand else code)
    subject.docker("rm", "-f", "-v", "one")
    subject.docker("volume", "rm", "vv")
