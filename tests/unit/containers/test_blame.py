"""Who ended a container."""

import pytest

from dockwright.containers.blame import ended_by


@pytest.mark.parametrize(
    ("status", "oom", "sent", "text"),
    [
        (0, False, {}, ""),
        (3, False, {15: "stop"}, ""),
        (255, False, {}, ""),
        (137, True, {}, "SIGKILL: out of memory"),
        (137, False, {9: "kill"}, "SIGKILL: sent by docker kill"),
        (143, False, {15: "stop"}, "SIGTERM: sent by docker stop"),
        (137, False, {15: "stop", 9: "patience"}, "SIGKILL: sent by docker stop, after its time-out"),
        (137, False, {15: "stop"}, "SIGKILL: not sent by this engine, which had sent 15"),
        (139, False, {}, "SIGSEGV: not sent by this engine, but from inside the container or from the host"),
    ],
)
def test_ended_by(status: int, oom: bool, sent: dict[int, str], text: str) -> None:
    assert ended_by(status, oom, sent) == text
