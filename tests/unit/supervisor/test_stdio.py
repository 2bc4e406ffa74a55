"""A process's streams in the shim: who is held up by whom, and for how long."""

import os
import socket
import time
from collections.abc import Callable

from dockwright.supervisor.loop import Loop
from dockwright.supervisor.stdio import HIGH, Stdio


def started(loop: Loop, patience: float = 0.0) -> tuple[Stdio, int]:
    """The streams of a process that is already running, and its end of stdout."""
    stdio = Stdio(loop, False, True, False, None, lambda _stdio: None, patience)
    output = os.dup(stdio.child[1])
    os.set_blocking(output, False)
    stdio.begin()
    return stdio, output


def turn_until(loop: Loop, done: Callable[[], bool]) -> None:
    """As `Loop.run` does it, until `done`."""
    loop.later(10, lambda: None)
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        loop.turn(0.02)
        loop._ring()


def fill(loop: Loop, stdio: Stdio, output: int) -> None:
    """Write until the process would have to wait."""
    deadline = time.monotonic() + 10
    while not stdio.paused:
        assert time.monotonic() < deadline
        try:
            os.write(output, b"x" * 65536)
        except BlockingIOError:
            pass
        loop.turn(0.01)


def test_a_client_that_does_not_read_holds_the_process_up() -> None:
    loop = Loop()
    stdio, output = started(loop)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    stdio.attach(theirs, ("stdout",))
    fill(loop, stdio, output)
    assert HIGH < len(stdio.clients[0].out) < HIGH + (1 << 18)
    ours.setblocking(True)
    while stdio.paused:
        assert ours.recv(1 << 16)
        loop.turn(0.1)
    ours.close()
    stdio.cut()
    os.close(output)
    loop.close()


def test_but_not_for_ever() -> None:
    loop = Loop()
    stdio, output = started(loop, patience=0.3)
    stalled, theirs = socket.socketpair()
    theirs.setblocking(False)
    stdio.attach(theirs, ("stdout",))
    fill(loop, stdio, output)
    turn_until(loop, lambda: not stdio.clients)
    assert not stdio.paused
    stalled.close()
    stdio.cut()
    os.close(output)
    loop.close()


def test_a_slow_client_is_not_a_stalled_one() -> None:
    loop = Loop()
    stdio, output = started(loop, patience=1.5)
    slow, theirs = socket.socketpair()
    slow.settimeout(10)
    theirs.setblocking(False)
    stdio.attach(theirs, ("stdout",))
    fill(loop, stdio, output)
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        assert slow.recv(1 << 13)
        loop.turn(0.02)
        loop._ring()
        time.sleep(0.03)
    assert stdio.clients
    assert len(loop._timers) <= 1
    slow.close()
    stdio.cut()
    os.close(output)
    loop.close()
