"""The exit record: a small file in the task's folder that says how a container ended, whoever is there to read it."""

from __future__ import annotations

import os

from dockwright.base.files import write_atomic

NAME = "exit"


class ExitRecord:
    """How a process ended.

    Attributes:
        status: exit code, 128+n for signal n. oom_killed: the kernel killed something in its cgroup for want of memory.
        at: nanoseconds since the epoch. error: why the status is not the process's own, "" normally.
    """

    __slots__ = ("at", "error", "oom_killed", "status")

    def __init__(self, status: int, oom_killed: bool, at: int, error: str = "") -> None:
        self.status, self.oom_killed, self.at, self.error = status, oom_killed, at, error


def write(directory: str, record: ExitRecord) -> None:
    """Store `record` in a task's folder, in one step."""
    text = f"status={record.status}\noom_killed={int(record.oom_killed)}\nat={record.at}\nerror={record.error}\n"
    write_atomic(os.path.join(directory, NAME), text.encode())


def read(directory: str) -> ExitRecord | None:
    """The record in a task's folder, None if there is none."""
    try:
        with open(os.path.join(directory, NAME), encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ExitRecord(int(fields["status"]), fields["oom_killed"] == "1", int(fields["at"]), fields["error"])
