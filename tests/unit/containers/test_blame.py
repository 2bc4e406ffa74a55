"""Who ended a container."""

import pytest

from dockwright.containers.blame import Cause, Sent, ended_by

AT = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("status", "oom", "sent", "text"),
    [
        (0, False, [], ""),
        (3, False, [(15, "stop")], ""),
        (255, False, [], ""),
        (137, True, [], "SIGKILL: out of memory"),
        (137, True, [(15, "stop")], "SIGKILL: out of memory"),
        (137, False, [(9, "kill")], "SIGKILL: sent by docker kill"),
        (137, False, [(9, "kill", "curl, pid 5, uid 0")], "SIGKILL: sent by docker kill (curl, pid 5, uid 0)"),
        (143, False, [(15, "kill"), (15, "stop"), (10, "kill")], "SIGTERM: sent by docker stop"),
        (137, False, [(15, "stop"), (9, "patience")], "SIGKILL: sent by docker stop, after its time-out"),
        (137, False, [(15, "stop")], "SIGKILL: not sent by this engine, which had sent SIGTERM"),
        (139, False, [], "SIGSEGV: not sent by this engine, but from inside the container or from the host"),
        (168, False, [(40, "kill")], "signal 40: sent by docker kill"),
    ],
)
def test_ended_by(status: int, oom: bool, sent: list[tuple[int, ...]], text: str) -> None:
    signals = [Sent(number, AT, *rest) for number, *rest in sent]  # type: ignore[arg-type]
    assert ended_by(status, oom, signals) == text


def test_a_kill_after_a_shortage_is_a_kill() -> None:
    after = ", after the kernel had killed one of its processes for want of memory"
    assert ended_by(137, True, [Sent(9, AT, "remove")]) == "SIGKILL: sent by docker rm" + after


def test_what_follows_a_signal_that_did_not_do() -> None:
    assert (Cause("stop", "x").later, Cause("shutdown").later) == (Cause("patience", "x"), Cause("late"))
