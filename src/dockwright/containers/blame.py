"""Who ended a container: what its exit code and the signals that were sent say together. Pure functions."""

import signal

OURS = {"kill": "docker kill", "stop": "docker stop", "patience": "docker stop, after its time-out", "health": "its health check"}
HIGHEST = 64  # signal(7)


def ended_by(status: int, oom_killed: bool, sent: dict[int, str]) -> str:
    """A clause for the log; "" if it has ended by itself.

    Args:
        status: the exit code. sent: signals that this engine has sent it, and on whose behalf (a key of OURS).
    """
    number = status - 128
    if not 0 < number <= HIGHEST:
        return ""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if oom_killed and number == signal.SIGKILL:
        return f"{name}: out of memory"
    if number in sent:
        return f"{name}: sent by {OURS[sent[number]]}"
    if signal.SIGKILL in sent or signal.SIGTERM in sent:
        return f"{name}: not sent by this engine, which had sent {', '.join(map(str, sorted(sent)))}"
    return f"{name}: not sent by this engine, but from inside the container or from the host"
