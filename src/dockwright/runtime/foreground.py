"""Attending to a process in the foreground: signals are passed on, a terminal is relayed, the exit code is its own."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OURS = (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD, _signal.SIGURG, _signal.SIGPIPE)


def hold() -> None:
    """Let signals wait until `attend` knows whom to hand them to; before there is such a process."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals() - set(OURS))


def attend(pid: int, master: int = -1) -> int:
    """Wait for our child `pid`; returns its exit code, 128+n for signal n.

    Args:
        master: of its terminal, which is joined with ours; -1 for none.
    """
    relay = None
    if master >= 0:
        from dockwright.runtime.terminal import Relay

        relay = Relay(master)
    _pass_on(pid, relay.resize if relay else None)
    try:
        if relay:
            relay.run()
        return wait(pid)
    finally:
        if relay:
            relay.restore()


def wait(pid: int) -> int:
    """Collect children until `pid` is among them: orphans of the container may be ours as well."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _pass_on(pid: int, resize: Callable[[], None] | None) -> None:
    """Hand every signal on to `pid`; a changed window is told to its terminal instead."""

    def forward(number: int, _frame: object) -> None:
        if number == _signal.SIGWINCH and resize:
            resize()
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return  # it has ended, and we are about to hear of it

    for number in _signal.valid_signals():
        if number not in OURS:
            _signal.signal(number, forward)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
