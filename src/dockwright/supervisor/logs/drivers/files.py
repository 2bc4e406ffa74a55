"""Files written by a logger process: for logs in non-blocking mode, whose container must not wait for the disk."""

from __future__ import annotations

import os
from typing import Any

from dockwright.supervisor.logs.writer import log_file


class File:
    """json-file or local.

    Args:
        options: see supervisor.logs.writer.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._file = log_file(options)

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Write `pieces`; and see whether what compresses an older file has ended."""
        self._file.append(stream, pieces, now)
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            self._file.reaped(pid, status)

    def close(self) -> None:
        """The log is over."""
        self._file.close()
