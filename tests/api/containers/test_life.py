"""start, stop, kill, restart, rm: what each does in each state, and to each other."""

import threading
import time
from typing import Any

import pytest

NONE = ("--network", "none")
STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"


def run(tidy: Any, name: str, script: str, *options: str) -> None:
    done = tidy.docker("run", *NONE, "-d", "--name", name, *options, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr


def state(ask: Any, name: str) -> dict[str, Any]:
    status, document = ask("GET", f"/containers/{name}/json")
    return dict(document["State"]) if status == 200 else {}


def until(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_once(*calls: Any) -> list[Any]:
    answers: list[Any] = [None] * len(calls)

    def one(number: int) -> None:
        answers[number] = calls[number]()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_stop_waits_and_then_kills(tidy: Any, ask: Any) -> None:
    run(tidy, "stubborn", STUBBORN)
    begun = time.monotonic()
    assert ask("POST", "/containers/stubborn/stop?t=1")[0] == 204
    assert 0.9 < time.monotonic() - begun < 4
    assert state(ask, "stubborn")["ExitCode"] == 137
    assert ask("POST", "/containers/stubborn/stop")[0] == 304


def test_the_stop_signal_and_timeout_of_the_container(tidy: Any, ask: Any) -> None:
    script = "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    run(tidy, "polite", script, "--stop-signal", "USR1", "--stop-timeout", "60")
    until(lambda: tidy.docker("logs", "polite").stdout == b"ready\n")
    assert ask("POST", "/containers/polite/stop")[0] == 204
    assert state(ask, "polite")["ExitCode"] == 5
    tidy.docker("start", "polite")
    status, answer = ask("POST", "/containers/polite/stop?signal=FOO")
    assert (status, answer["message"]) == (500, "cannot stop container: polite: invalid signal: FOO")


def test_under_init_a_signal_ends_it(tidy: Any, ask: Any) -> None:
    run(tidy, "tini", "sleep 1000", "--init")
    assert "docker-init" in tidy.docker("top", "tini").stdout.decode()
    begun = time.monotonic()
    assert ask("POST", "/containers/tini/stop")[0] == 204
    assert time.monotonic() - begun < 3
    assert state(ask, "tini")["ExitCode"] == 143


def test_two_stops_at_once(tidy: Any, ask: Any) -> None:
    run(tidy, "both", STUBBORN)
    answers = at_once(*[lambda: ask("POST", "/containers/both/stop?t=1")[0]] * 2)
    assert answers == [204, 204]


def test_kill_while_stopping(tidy: Any, ask: Any) -> None:
    run(tidy, "slow", STUBBORN)
    begun = time.monotonic()
    answers = at_once(
        lambda: ask("POST", "/containers/slow/stop?t=30")[0],
        lambda: (time.sleep(0.5), ask("POST", "/containers/slow/kill")[0])[1],
    )
    assert answers == [204, 204]
    assert time.monotonic() - begun < 5


def test_starts_at_once(tidy: Any, ask: Any) -> None:
    tidy.docker("create", *NONE, "--name", "started", "busybox", "sleep", "1000")
    answers = at_once(*[lambda: ask("POST", "/containers/started/start")[0]] * 4)
    assert sorted(answers) == [204, 304, 304, 304]


def test_removed_while_it_starts(tidy: Any, ask: Any) -> None:
    for number in range(5):
        name = f"short{number}"
        tidy.docker("create", *NONE, "--name", name, "busybox", "sleep", "1000")
        answers = at_once(
            lambda name=name: ask("POST", f"/containers/{name}/start"),
            lambda name=name, n=number: (time.sleep(0.004 * n), ask("DELETE", f"/containers/{name}?force=1"))[1],
        )
        assert answers[1][0] == 204, answers
        assert answers[0][0] in (204, 404, 409), answers
        assert state(ask, name) == {}


def test_removed_twice_at_once(tidy: Any, ask: Any) -> None:
    run(tidy, "twice", "sleep 1000")
    answers = sorted(status for status, _ in at_once(*[lambda: ask("DELETE", "/containers/twice?force=1")] * 3))
    assert answers[0] == 204
    assert set(answers[1:]) <= {404, 409}


def test_signals(tidy: Any, ask: Any) -> None:
    run(tidy, "hears", "trap 'echo usr1' USR1; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: tidy.docker("logs", "hears").stdout == b"ready\n")
    for name in ("USR1", "SIGUSR1", "10", "sigusr1"):
        assert ask("POST", f"/containers/hears/kill?signal={name}")[0] == 204
        time.sleep(0.2)
    assert tidy.docker("logs", "hears").stdout == b"ready\n" + b"usr1\n" * 4
    text = "cannot kill container: hears: "
    assert ask("POST", "/containers/hears/kill?signal=FOO") == (400, {"message": f"{text}invalid signal: FOO"})
    assert ask("POST", "/containers/hears/kill?signal=0") == (400, {"message": f"{text}invalid signal: 0"})
    assert ask("POST", "/containers/hears/kill?signal=99")[1]["message"] == f"{text}the linux daemon does not support signal 99"
    assert ask("POST", "/containers/hears/kill?signal=TERM")[0] == 204
    until(lambda: state(ask, "hears")["Status"] == "exited")
    assert state(ask, "hears")["ExitCode"] == 9


def test_a_paused_container(tidy: Any, ask: Any) -> None:
    run(tidy, "cold", "sleep 1000")
    ident = ask("GET", "/containers/cold/json")[1]["Id"]
    assert ask("POST", "/containers/cold/pause")[0] == 204
    assert ask("POST", "/containers/cold/pause") == (409, {"message": f"Container {ident} is already paused"})
    assert ask("POST", "/containers/cold/start") == (
        409, {"message": "cannot start a paused container, try unpause instead"})  # fmt: skip
    status, answer = ask("DELETE", "/containers/cold")
    assert (status, answer["message"]) == (
        409, 'cannot remove container "/cold": container is paused and must be unpaused first')  # fmt: skip
    assert ask("POST", "/containers/cold/stop?t=0")[0] == 204
    assert state(ask, "cold")["Status"] == "exited"
    tidy.docker("start", "cold")
    tidy.docker("pause", "cold")
    assert ask("DELETE", "/containers/cold?force=1")[0] == 204


def test_restart(tidy: Any, ask: Any, heard: Any) -> None:
    run(tidy, "again", "echo up; sleep 1000")
    until(lambda: tidy.docker("logs", "again").stdout == b"up\n")
    first = state(ask, "again")
    assert ask("POST", "/containers/again/restart?t=0")[0] == 204
    second = state(ask, "again")
    assert (second["Running"], second["ExitCode"]) == (True, 0)
    assert second["StartedAt"] > second["FinishedAt"] > first["StartedAt"]
    until(lambda: tidy.docker("logs", "again").stdout == b"up\nup\n")
    actions = [event["Action"] for event in heard() if event["Type"] == "container"]
    assert actions[-6:] == ["kill", "kill", "die", "stop", "start", "restart"]
    tidy.docker("kill", "again")
    assert ask("POST", "/containers/again/restart")[0] == 204
    assert ask("POST", "/containers/nosuch/restart") == (404, {"message": "No such container: nosuch"})


def test_a_restarted_rm_container_is_kept_and_removed_at_its_next_end(tidy: Any, ask: Any) -> None:
    run(tidy, "fleeting", "sleep 1000", "--rm")
    assert ask("POST", "/containers/fleeting/restart?t=0")[0] == 204
    assert state(ask, "fleeting")["Running"]
    tidy.docker("kill", "fleeting")
    until(lambda: state(ask, "fleeting") == {})


def test_waits(tidy: Any, ask: Any) -> None:
    run(tidy, "awaited", "sleep 0.5; exit 3", "--rm")
    answers = at_once(
        lambda: ask("POST", "/containers/awaited/wait"),
        lambda: ask("POST", "/containers/awaited/wait?condition=next-exit"),
        lambda: ask("POST", "/containers/awaited/wait?condition=removed"),
    )
    assert answers == [(200, {"StatusCode": 3})] * 3
    assert ask("POST", "/containers/awaited/wait")[0] == 404
    run(tidy, "other", "exit 4")
    assert ask("POST", "/containers/other/wait") == (200, {"StatusCode": 4})
    assert ask("POST", "/containers/other/wait?condition=x") == (400, {"message": 'invalid condition: "x"'})


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("sometimes", "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', "
         "or 'unless-stopped'"),
        ("always:3", "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
    ],
)
def test_policies_that_cannot_be(ask: Any, policy: str, text: str) -> None:
    name, _, count = policy.partition(":")
    host = {"NetworkMode": "none", "RestartPolicy": {"Name": name, "MaximumRetryCount": int(count or 0)}}
    assert ask("POST", "/containers/create", {"Image": "busybox", "HostConfig": host}) == (400, {"message": text})
    host = {"NetworkMode": "none", "RestartPolicy": {"Name": "always"}, "AutoRemove": True}
    text = "can't create 'AutoRemove' container with restart policy"
    assert ask("POST", "/containers/create", {"Image": "busybox", "HostConfig": host}) == (400, {"message": text})


def test_on_failure_tries_as_often_as_it_may(tidy: Any, ask: Any) -> None:
    run(tidy, "fails", "echo try; exit 2", "--restart", "on-failure:3")
    until(lambda: state(ask, "fails")["Status"] == "exited")
    document = ask("GET", "/containers/fails/json")[1]
    assert (document["RestartCount"], document["State"]["ExitCode"]) == (3, 2)
    assert tidy.docker("logs", "fails").stdout == b"try\n" * 4
    run(tidy, "works", "exit 0", "--restart", "on-failure")
    until(lambda: state(ask, "works")["Status"] == "exited")
    assert ask("GET", "/containers/works/json")[1]["RestartCount"] == 0


def test_a_restart_loop_and_its_end(tidy: Any, ask: Any) -> None:
    run(tidy, "loops", "exit 1", "--restart", "always")
    until(lambda: ask("GET", "/containers/loops/json")[1]["RestartCount"] >= 3)
    until(lambda: state(ask, "loops")["Restarting"])
    shown = tidy.docker("ps", "--format", "{{.Status}}").stdout.decode()
    assert shown.startswith(("Restarting (1) ", "Up "))
    until(lambda: state(ask, "loops")["Restarting"])
    ident = ask("GET", "/containers/loops/json")[1]["Id"]
    status, answer = ask("POST", "/containers/loops/exec", {"Cmd": ["true"]})
    assert (status, answer["message"]) == (409, f"Container {ident} is restarting, wait until the container is running")
    assert ask("POST", "/containers/loops/start")[0] == 304
    assert ask("POST", "/containers/loops/stop")[0] == 204
    ended = state(ask, "loops")
    assert (ended["Status"], ended["ExitCode"]) == ("exited", 1)
    time.sleep(1)
    assert state(ask, "loops")["Status"] == "exited"
    tidy.docker("start", "loops")
    until(lambda: ask("GET", "/containers/loops/json")[1]["RestartCount"] >= 2)
    assert ask("DELETE", "/containers/loops?force=1")[0] == 204


def test_a_stopped_container_is_not_started_again(tidy: Any, ask: Any) -> None:
    run(tidy, "kept", "sleep 1000", "--restart", "always")
    tidy.docker("stop", "-t", "0", "kept")
    time.sleep(0.5)
    assert state(ask, "kept")["Status"] == "exited"
    tidy.docker("start", "kept")
    tidy.docker("exec", "kept", "kill", "1")
    tidy.docker("exec", "kept", "kill", "-9", "-1")
    assert state(ask, "kept")["Running"]


def test_a_failed_start_leaves_nothing(tidy: Any, ask: Any) -> None:
    ident = tidy.docker("create", *NONE, "--name", "wrong", "busybox", "/nosuch").stdout.decode().strip()
    for _ in range(2):
        status, answer = ask("POST", "/containers/wrong/start")
        assert status == 400
        failed = state(ask, "wrong")
        assert (failed["Status"], failed["ExitCode"], failed["Error"]) == ("created", 127, answer["message"])
    assert tidy.docker("ps", "-a", "--filter", "status=created", "-q", "--no-trunc").stdout.decode().strip() == ident


def test_out_of_memory(tidy: Any, ask: Any, heard: Any) -> None:
    run(tidy, "hungry", "tail /dev/zero; exit 3", "-m", "16m", "--memory-swap", "16m")
    until(lambda: state(ask, "hungry")["Status"] == "exited", 30)
    ended = state(ask, "hungry")
    assert ended["OOMKilled"]
    assert "oom" in [event["Action"] for event in heard()]
    tidy.docker("start", "hungry")
    assert not state(ask, "hungry")["OOMKilled"] or state(ask, "hungry")["Status"] == "exited"


def test_a_client_that_leaves_does_not_leave_a_verb_half_done(tidy: Any, ask: Any) -> None:
    import socket

    run(tidy, "verb", STUBBORN)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(tidy.host.removeprefix("unix://"))
        client.sendall(b"POST /containers/verb/restart?t=1 HTTP/1.1\r\nHost: d\r\n\r\n")
        time.sleep(0.3)
    first = state(ask, "verb")["StartedAt"]
    until(lambda: state(ask, "verb")["StartedAt"] > first)
    assert state(ask, "verb")["Running"]


def test_prune(tidy: Any, ask: Any, heard: Any) -> None:
    run(tidy, "runs", "sleep 1000")
    done = tidy.docker("run", *NONE, "--name", "ended", "--label", "keep=1", "busybox", "sh", "-c", "echo 12345 > /file")
    assert done.returncode == 0
    made = tidy.docker("create", *NONE, "--name", "made", "busybox").stdout.decode().strip()
    assert ask("POST", "/containers/prune?filters=%7B%22foo%22:%5B%22x%22%5D%7D") == (400, {"message": "invalid filter 'foo'"})
    none = {"ContainersDeleted": None, "SpaceReclaimed": 0}
    assert ask("POST", "/containers/prune?filters=%7B%22until%22:%5B%221h%22%5D%7D") == (200, none)
    status, answer = ask("POST", "/containers/prune?filters=%7B%22label!%22:%5B%22keep%22%5D%7D")
    assert (status, answer["ContainersDeleted"]) == (200, [made])
    status, answer = ask("POST", "/containers/prune")
    assert len(answer["ContainersDeleted"]) == 1
    assert answer["SpaceReclaimed"] >= 6
    assert tidy.docker("ps", "-a", "--format", "{{.Names}}").stdout == b"runs\n"
    assert [event["Action"] for event in heard() if event["Type"] == "container"][-1] == "prune"
