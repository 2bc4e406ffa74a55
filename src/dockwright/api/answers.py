"""Answers: status, fields and body, and their bytes on the wire."""

import time
from dataclasses import dataclass, field

from dockwright.api.encoding import line
from dockwright.api.errors import reason
from dockwright.api.versions import ENGINE, NEWEST, text

COMMON = (
    f"Api-Version: {text(NEWEST)}\r\nDocker-Experimental: %s\r\nOstype: linux\r\nServer: Docker/{ENGINE} (linux)\r\n"
)
_common = [COMMON % "false"]
JSON = "application/json"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

Fields = dict[str, str]


@dataclass(slots=True)
class Answer:
    """A whole answer, ready to be sent."""

    status: int
    body: bytes = b""
    content_type: str = ""
    fields: Fields = field(default_factory=dict)


def document(value: object, status: int = 200) -> Answer:
    """`value` as JSON."""
    return Answer(status, line(value), JSON)


def nothing(status: int = 204) -> Answer:
    """An answer without a body."""
    return Answer(status)


def failure(status: int, message: str) -> Answer:
    """An error in the API's form; 304 has no body."""
    return nothing(304) if status == 304 else document({"message": message}, status)


def announce(experimental: bool) -> None:
    """Let the heads of all answers from now on say whether the daemon has its experimental features."""
    _common[0] = COMMON % ("true" if experimental else "false")


def common() -> str:
    """The fields that every answer carries, a line each."""
    return _common[0]


def head(status: int, content_type: str, fields: Fields, phrase: str = "") -> bytes:
    """The head of an answer, with the fields that each of them carries."""
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    own = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return (
        f"HTTP/1.1 {status} {phrase or reason(status)}\r\n{common()}{kind}Date: {_date()}\r\n{own}\r\n".encode("latin-1")
    )


_date_cache = (0, "")


def _date() -> str:
    """Now as an HTTP date, formatted once a second (RFC 9110 section 5.6.7)."""
    global _date_cache
    now = int(time.time())
    if _date_cache[0] != now:
        days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
        t = time.gmtime(now)
        clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
        _date_cache = (now, f"{days[t.tm_wday]}, {t.tm_mday:02} {months[t.tm_mon - 1]} {t.tm_year} {clock} GMT")
    return _date_cache[1]
