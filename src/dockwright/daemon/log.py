"""The daemon's own log: one line per event on stderr, in the forms of dockerd: logfmt, which its users grep, JSON, and colours.

Observed with dockerd 26.1.5.
"""

import json
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

_COLOURS = {logging.DEBUG: 37, logging.INFO: 36, logging.WARNING: 33, logging.ERROR: 31}
TEXT, JSON = "text", "json"


class LogfmtFormatter(logging.Formatter):
    """`time="..." level=info msg="..."`, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = f'time="{_time(record)}" level={_level(record)} msg={quoted(record.getMessage())}'
        return line + "".join(f" {name}={quoted(value)}" for name, value in _fields(self, record).items())


class JsonFormatter(logging.Formatter):
    """One object a line, its keys in order."""

    def format(self, record: logging.LogRecord) -> str:
        told = {"level": _level(record), "msg": record.getMessage(), "time": _time(record), **_fields(self, record)}
        return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class ColouredFormatter(logging.Formatter):
    """What a terminal gets: `INFO[...] message`, the level and the fields' names in the level's colour."""

    def format(self, record: logging.LogRecord) -> str:
        colour = f"\x1b[{_COLOURS.get(record.levelno, 31)}m"
        line = f"{colour}{_level(record)[:4].upper()}\x1b[0m[{_time(record)}] {record.getMessage():<44} "
        return line + "".join(f" {colour}{name}\x1b[0m={quoted(value)}" for name, value in _fields(self, record).items())


def _time(record: logging.LogRecord) -> str:
    return rfc3339(int(record.created * 1e9))


def _level(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelno, "fatal")


def _fields(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, str]:
    """What a record says beside its message: its own `fields`, and the traceback of an error."""
    fields = {name: str(value) for name, value in getattr(record, "fields", {}).items()}
    if record.exc_info and record.levelno >= logging.ERROR:
        fields["trace"] = formatter.formatException(record.exc_info)
    return fields


def quoted(text: str) -> str:
    """`text` as one logfmt value: quoted, with quotes, backslashes and control characters escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in escaped) + '"'


def set_up(level: str, form: str = TEXT, raw: bool = False) -> logging.Logger:
    """Send the engine's log to stderr.

    Args:
        level: the least that is told, a key of LEVELS. form: TEXT or JSON. raw: text without colours, on a terminal too.

    Returns:
        The engine's root logger.
    """
    logger = logging.getLogger("dockwright")
    handler = logging.StreamHandler(sys.stderr)
    text = LogfmtFormatter() if raw or not sys.stderr.isatty() else ColouredFormatter()
    handler.setFormatter(JsonFormatter() if form == JSON else text)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(LEVELS[level])
    return logger
