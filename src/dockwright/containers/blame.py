"""Who ended a container: what its exit code and the signals that were sent say together. Pure functions."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

OURS = {
    "kill": "docker kill", "stop": "docker stop", "patience": "docker stop, after its time-out", "health": "its health check",
    "restart": "docker restart", "remove": "docker rm", "shutdown": "the daemon's shutdown",
    "late": "the daemon's shutdown, after its time-out",
}  # fmt: skip
HIGHEST = 64  # signal(7)


@dataclass(frozen=True)
class Cause:
    """Why a signal is sent.

    Attributes:
        by: on whose behalf, a key of OURS. client: who has asked for it, "" if nobody has.
    """

    by: str
    client: str = ""

    @property
    def later(self) -> "Cause":
        """Why SIGKILL follows when the signal did not end it in time."""
        return Cause("late" if self.by == "shutdown" else "patience", self.client)


@dataclass
class Sent:
    """A signal that this engine has sent to a container: when (RFC 3339), and why (see `Cause`)."""

    number: int
    at: str
    by: str
    client: str = ""


def name_of(number: int) -> str:
    """`SIGTERM`, `signal 40`."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def ended_by(status: int, oom_killed: bool, sent: Sequence[Sent]) -> str:
    """What ended a container whose exit code is `status`, and who: a clause; "" if it has ended by itself."""
    number = status - 128
    if not 0 < number <= HIGHEST:
        return ""
    name = name_of(number)
    last = next((one for one in reversed(sent) if one.number == number), None)
    if last:
        before = ", after the kernel had killed one of its processes for want of memory" if oom_killed else ""
        return f"{name}: sent by {OURS[last.by]}" + (f" ({last.client})" if last.client else "") + before
    if oom_killed and number == signal.SIGKILL:
        return f"{name}: out of memory"
    others = ", ".join(map(name_of, sorted({one.number for one in sent if one.number in (signal.SIGKILL, signal.SIGTERM)})))
    if others:
        return f"{name}: not sent by this engine, which had sent {others}"
    return f"{name}: not sent by this engine, but from inside the container or from the host"
