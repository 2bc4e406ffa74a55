"""The daemon's own log: one line per event on stderr, in the logfmt that dockerd's users grep."""

import logging
import sys

from dockwright.base.times import rfc3339

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class LogfmtFormatter(logging.Formatter):
    """`time="..." level=info msg="..."`, a record's `fields`, and the traceback (if any) as one quoted field."""

    def format(self, record: logging.LogRecord) -> str:
        level = _NAMES.get(record.levelno, "fatal")
        line = f'time="{rfc3339(int(record.created * 1e9))}" level={level} msg={quoted(record.getMessage())}'
        line += "".join(f" {name}={quoted(str(value))}" for name, value in getattr(record, "fields", {}).items())
        if record.exc_info and record.levelno >= logging.ERROR:
            line += f" trace={quoted(self.formatException(record.exc_info))}"
        return line


def quoted(text: str) -> str:
    """`text` as one logfmt value: quoted, with quotes, backslashes and control characters escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in escaped) + '"'


def set_up(level: str) -> logging.Logger:
    """Send the engine's log to stderr from `level` (a key of LEVELS) up; returns its root logger."""
    logger = logging.getLogger("dockwright")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogfmtFormatter())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(LEVELS[level])
    return logger
