"""A daemon that is told not to leave containers behind."""

import time
from typing import Any


def test_without_live_restore_containers_are_stopped(own: Any) -> None:
    own.run("polite", "trap 'exit 7' TERM; while :; do sleep 0.05; done", "--restart", "always")
    own.run("stubborn", "trap '' TERM; while :; do sleep 0.05; done", "--stop-timeout", "1")
    time.sleep(0.3)
    begun = time.monotonic()
    own.daemon.end()
    assert time.monotonic() - begun < 5
    assert own.shims() == []
    own.daemon.start()
    assert own.state("stubborn")["ExitCode"] == 137
    deadline = time.monotonic() + 5
    while own.state("polite")["Status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
