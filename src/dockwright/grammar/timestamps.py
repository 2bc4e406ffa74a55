"""Points in time: what `--since` takes, and how Go prints a time.Time."""

from __future__ import annotations

import time

from dockwright.grammar.durations import parse_duration

NANO = 10**9
FULL = "0000-01-01T00:00:00"
LENGTHS = (10, 13, 16, 19)  # of a date, with hours, minutes, seconds
FIELDS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))


def parse_since(text: str, now: int) -> str:
    """`--since` as the API takes it: seconds, with nine digits of a second behind a point.

    Args:
        text: a Unix time, a duration back from now (`10m`), or a date; without a zone it is local.
        now: nanoseconds since the epoch.

    Raises:
        ValueError: in docker's words.
    """
    if text.replace(".", "", 1).removeprefix("-").isdecimal() and "-" not in text[1:]:
        return text
    try:
        moment = now - parse_duration(text)
    except ValueError:
        found = parse_date(text)
        if found is None:
            raise ValueError(f'failed to parse value as time or duration: "{text}"') from None
        moment = found[0]
    return f"{moment // NANO}.{moment % NANO:09d}"


def parse_date(text: str) -> tuple[int, int | None] | None:
    """(nanoseconds since the epoch, offset from UTC in seconds) of an RFC 3339 date or the beginning of one; None if it is none.

    The offset is None where no zone was given, which is local time.
    """
    plain, offset = _zone(text)
    plain, _, fraction = plain.partition(".")
    if len(plain) not in LENGTHS or (fraction and not fraction.isdecimal()):
        return None
    whole = plain + FULL[len(plain) :]
    digits = [whole[at:end] for at, end in FIELDS]
    if [whole[at] for at in (4, 7, 10, 13, 16)] != ["-", "-", "T", ":", ":"] or not "".join(digits).isdecimal():
        return None
    year, month, day, hour, minute, second = (int(part) for part in digits)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return None
    if offset is None:
        seconds = int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    else:
        seconds = seconds_of(year, month, day, hour, minute, second) - offset
    return seconds * NANO + int(f"{fraction:0<9.9}" if fraction else 0), offset


def _zone(text: str) -> tuple[str, int | None]:
    if text.endswith("Z"):
        return text[:-1], 0
    sign, digits = text[-6:-5], text[-5:]
    if sign in ("+", "-") and len(digits) == 5 and digits[2] == ":" and (digits[:2] + digits[3:]).isdecimal() and "T" in text:
        return text[:-6], (1 if sign == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[3:]) * 60)
    return text, None


def seconds_of(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Seconds since the epoch of a date in UTC (days by Howard Hinnant's civil calendar)."""
    year -= month <= 2
    era, of_era = year // 400, year % 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719468
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def nanoseconds(text: str) -> int:
    """An RFC 3339 time of the API, quickly; years below 1970 are negative.

    Raises:
        ValueError: it is none.
    """
    plain, offset = _zone(text)
    plain, _, fraction = plain.partition(".")
    if len(plain) != 19 or offset is None:
        raise ValueError(f'parsing time "{text}" as RFC 3339')
    numbers = [int(plain[at:end]) for at, end in FIELDS]
    return (seconds_of(*numbers) - offset) * NANO + int(f"{fraction:0<9.9}" if fraction else 0)


def go_local(seconds: int) -> str:
    """time.Unix(seconds, 0).String(): `2006-01-02 15:04:05 +0000 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def go_string(text: str) -> str:
    """The String() of a time.Time that was read from JSON."""
    plain, offset = _zone(text)
    moment = plain.replace("T", " ")
    head, point, fraction = moment.partition(".")
    fraction = fraction.rstrip("0")
    zone = "+0000 UTC" if not offset else f"{text[-6:-3]}{text[-2:]} {text[-6:-3]}{text[-2:]}"
    return f"{head}{point if fraction else ''}{fraction} {zone}"


def rfc3339_local(seconds: int, fraction: str = "") -> str:
    """A time in the local zone: `2006-01-02T15:04:05+02:00`, `Z` for UTC."""
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    shown = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + fraction + shown
