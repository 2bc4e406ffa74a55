"""Values of drivers' options, as the daemon checks and the logger reads them. Imports nothing."""

from __future__ import annotations

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
DAEMON, FLUENTD_PORT = 3, 24224


def boolean(text: str) -> bool:
    """As Go's strconv.ParseBool reads it.

    Raises:
        ValueError: in its words.
    """
    if text not in TRUE + FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in TRUE


def syslog_facility(text: str) -> int:
    """A name or a number; "" is daemon.

    Raises:
        ValueError: in Docker's words.
    """
    if not text:
        return DAEMON
    if text in FACILITIES:
        return FACILITIES.index(text)
    if text.isdigit() and int(text) < len(FACILITIES):
        return int(text)
    raise ValueError("invalid syslog facility")


def fluentd_place(address: str) -> tuple[str, str]:
    """Network and address of a fluentd-address: `host:port`, tcp://, tls:// or unix://.

    Raises:
        ValueError: in Docker's words.
    """
    try:
        return _fluentd_place(address if "://" in address else f"tcp://{address}")
    except ValueError as error:
        raise ValueError(f"invalid fluentd-address ({address}): {error}") from None


def _fluentd_place(url: str) -> tuple[str, str]:
    scheme, place = url.split("://", 1)
    if scheme not in ("tcp", "tls", "unix"):
        raise ValueError(f"unsupported scheme: '{scheme}'")
    if scheme == "unix":
        if not place.startswith("/"):
            raise ValueError("path is empty")
        return scheme, place
    if "/" in place:
        raise ValueError("should not contain a path element")
    host, port = host_and_port(url)
    if port > 65535:
        raise ValueError(f'invalid port: strconv.ParseUint: parsing "{port}": value out of range')
    return scheme, f"{host or '127.0.0.1'}:{port or FLUENTD_PORT}"


def host_and_port(url: str) -> tuple[str, int]:
    """What `scheme://host:port` names; the port is 0 where it is left out. An IPv6 address keeps its brackets.

    Raises:
        ValueError: in the words of Go's net/url.
    """
    place = url.split("://", 1)[1].partition("/")[0]
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        return place, 0
    if port and not port.isdigit():
        raise ValueError(f'parse "{url}": invalid port ":{port}" after host')
    return host, int(port or 0)
