"""Errors and warnings of the command, in the form its callers read: logrus text, or one JSON object per line."""

from __future__ import annotations

import os
import time

from dockwright.runtime import document


class Log:
    """Where the command's messages go.

    Args:
        path: the --log file, "" for standard error. form: "text" or "json". debug: also write debug messages.
    """

    def __init__(self, path: str, form: str, debug: bool) -> None:
        self.debugging, self.form = debug, form
        self.to_file = bool(path) and path != "/dev/stderr"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.fd = os.open(path, flags, 0o644) if self.to_file else 2

    def error(self, text: str) -> None:
        """What the user is shown; also on standard error when the log is a file."""
        self._write("error", text)
        if self.to_file:
            _say(2, text + "\n")

    def warning(self, text: str) -> None:
        """What does not end the command."""
        self._write("warning", text)

    def debug(self, text: str) -> None:
        """What was asked for by --debug."""
        if self.debugging:
            self._write("debug", text)

    def _write(self, level: str, text: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.form == "json":
            line = document.dumps({"level": level, "msg": text, "time": now})
        elif not self.to_file and os.isatty(2):
            line = f"{level[:4].upper()}[0000] {text:<44} "
        else:
            line = f'time="{now}" level={level} msg={_quoted(text)}'
        _say(self.fd, line + "\n")


def _quoted(text: str) -> str:
    plain = text and all(c.isalnum() or c in "-._/@^+" for c in text)
    return text if plain else document.dumps(text)


def _say(fd: int, line: str) -> None:
    try:
        os.write(fd, line.encode("utf-8", "surrogateescape"))
    except OSError:
        return  # nobody is left to be told
