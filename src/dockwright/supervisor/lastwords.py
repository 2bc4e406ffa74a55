"""What a process of ours that fails by a mistake leaves for a person to read: the error, and the calls that led to it."""

from __future__ import annotations

import os


def leave(who: str, directory: str, error: BaseException) -> None:
    """Write one line to shim.log in a task's folder; where there is none (any more), to the daemon's log.

    Args:
        who: "shim" or "maker". directory: EXEC/tasks/ID, "" for who has no task yet.
    """
    line = f"{who} failed: {type(error).__name__}: {error} ({_way(error)})\n"
    try:
        fd = os.open(f"{directory}/shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600) if directory else 2
    except FileNotFoundError:
        fd = 2  # the task has been cleared away
    os.write(fd, line.encode())


def _way(error: BaseException) -> str:
    """The calls that led to an error, outermost first. The module traceback is not imported: its file may be gone by now."""
    calls, at = [], error.__traceback__
    while at:
        code = at.tb_frame.f_code
        calls.append(f"{os.path.basename(code.co_filename)}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return ", ".join(calls)
