"""Which options a log driver takes, and which of their values cannot be: checked at create, in Docker's words.

Source: Docker's documentation of its drivers, and what dockerd 26.1.5 answers.
"""

import os
from collections.abc import Callable

from dockwright.base.errors import InvalidParameter
from dockwright.grammar.durations import go_duration, parse_duration
from dockwright.grammar.units import ram_in_bytes
from dockwright.supervisor.logs.drivers.values import boolean, fluentd_place, host_and_port, syslog_facility

Options = dict[str, str]
COMMON = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_TLS = frozenset({"syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"})
OPTIONS = {
    "json-file": COMMON | {"max-size", "max-file", "compress"},
    "local": frozenset({"max-size", "max-file", "compress"}),
    "none": frozenset(),
    "passthrough": frozenset({"stdout", "stderr"}),
    "journald": COMMON,
    "syslog": COMMON | _TLS | {"syslog-address", "syslog-facility", "syslog-format"},
    "gelf": COMMON | {
        "gelf-address", "gelf-compression-type", "gelf-compression-level", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay",
    },
    "fluentd": COMMON | {
        "fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-async-reconnect-interval", "fluentd-buffer-limit",
        "fluentd-max-retries",
        "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-write-timeout",
    },
}  # fmt: skip
SHORTEST, LONGEST = 100_000_000, 10_000_000_000  # ns of fluentd-async-reconnect-interval
SYSLOG_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")


def check(driver: str, options: Options) -> None:
    """Raises InvalidParameter for an option or a value that cannot be."""
    required = _REQUIRED.get(driver)
    if required and required not in options:
        raise InvalidParameter(f"{required} is a required parameter")
    for name in options:
        if name not in OPTIONS[driver]:
            raise InvalidParameter(_unknown(driver, name))
    try:
        _CHECKS.get(driver, _nothing)(options)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


def _unknown(driver: str, name: str) -> str:
    texts = {
        "none": "invalid logging opts for driver none", "local": f"unknown log opt '{name}' for log driver local",
        "gelf": f'unknown log opt "{name}" for gelf log driver',
    }  # fmt: skip
    return texts.get(driver, f"unknown log opt '{name}' for {driver} log driver")


def _nothing(_options: Options) -> None:
    """Its values are looked at when the container starts."""


def _syslog(options: Options) -> None:
    _syslog_address(options.get("syslog-address", ""))
    syslog_facility(options.get("syslog-facility", ""))
    if options.get("syslog-format", "") not in SYSLOG_FORMATS:
        raise ValueError("Invalid syslog format")


def _syslog_address(address: str) -> None:
    if not address:
        return
    network, mark, place = address.partition("://")
    if not mark or network not in ("udp", "tcp", "tcp+tls", "unix", "unixgram"):
        raise ValueError(f"unsupported scheme: '{network if mark else ''}'")
    if not network.startswith("unix"):
        host_and_port(address)
    elif not os.path.exists(place):
        raise ValueError(f"stat {place}: no such file or directory")


def _gelf(options: Options) -> None:
    address = options["gelf-address"]
    network, mark, place = address.partition("://")
    if not mark or network not in ("udp", "tcp"):
        raise ValueError("gelf: endpoint needs to be TCP or UDP")
    if not place.rpartition(":")[2].isdigit() or ":" not in place:
        raise ValueError("gelf: please provide gelf-address as proto://host:port")
    for name, value in options.items():
        _gelf_option(network, name, value)


def _gelf_option(network: str, name: str, value: str) -> None:
    if name.startswith("gelf-compression") and network == "tcp":
        raise ValueError("compression is only supported on UDP")
    if name.startswith("gelf-tcp"):
        if network == "udp":
            raise ValueError(f'"{name}" is only valid for TCP')
        if not value.isdigit():
            raise ValueError(f'"{name}" must be a positive integer')
    levels = tuple(str(level) for level in range(-1, 10))
    allowed = {"gelf-compression-type": ("gzip", "zlib", "none"), "gelf-compression-level": levels}
    if name in allowed and value not in allowed[name]:
        raise ValueError(f'unknown value "{value}" for log opt "{name}" for gelf log driver')


def _fluentd(options: Options) -> None:
    if "fluentd-async" in options and "fluentd-async-connect" in options:
        raise ValueError("conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect")
    for name, value in options.items():
        _FLUENTD.get(name, _any)(value)


def _reconnect_interval(text: str) -> None:
    try:
        interval = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"invalid value for fluentd-async-reconnect-interval: {error}") from None
    if interval and not SHORTEST <= interval <= LONGEST:
        raise ValueError(
            f'invalid value for fluentd-async-reconnect-interval: value ("{go_duration(interval)}") must be between 100ms and 10s'
        )


def _unsigned(text: str) -> None:
    if not text.isdigit():
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')


def _any(_value: str) -> None:
    """Every value can be."""


def _passthrough(options: Options) -> None:
    if not options:
        raise ValueError("the log driver passthrough needs a path: --log-opt stdout=PATH, --log-opt stderr=PATH")
    for name, path in options.items():
        if not path.startswith("/"):
            raise ValueError(f"{name} must be an absolute path, got {path}")


_REQUIRED = {"gelf": "gelf-address"}
_CHECKS: dict[str, Callable[[Options], None]] = {
    "syslog": _syslog, "gelf": _gelf, "fluentd": _fluentd, "passthrough": _passthrough,
}  # fmt: skip
_FLUENTD: dict[str, Callable[[str], object]] = {
    "fluentd-address": fluentd_place, "fluentd-async": boolean, "fluentd-async-connect": boolean,
    "fluentd-request-ack": boolean, "fluentd-sub-second-precision": boolean, "fluentd-buffer-limit": ram_in_bytes,
    "fluentd-async-reconnect-interval": _reconnect_interval, "fluentd-retry-wait": parse_duration,
    "fluentd-write-timeout": parse_duration, "fluentd-max-retries": _unsigned,
}  # fmt: skip
