"""Durations: Go's `1h30m` read, and docker's "2 hours ago" written. Nanoseconds throughout. Imports nothing."""

from __future__ import annotations

UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
LONGEST = (1 << 63) - 1
SECOND = 10**9


def parse_duration(text: str) -> int:
    """Nanoseconds of Go's duration syntax.

    Raises:
        ValueError: in Go's words.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    sign = -1 if text.startswith("-") else 1
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    total = 0
    while rest:
        amount, unit, rest = _part(rest, text)
        total += int(amount * unit) if "." in str(amount) else int(amount) * unit
    if total > LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * total


def _part(rest: str, text: str) -> tuple[float, int, str]:
    """One number with its unit: (amount, nanoseconds of the unit, what follows)."""
    end = next((index for index, letter in enumerate(rest) if letter not in "0123456789."), len(rest))
    number, rest = rest[:end], rest[end:]
    if not number.strip(".") or number.count(".") > 1:
        raise ValueError(f'time: invalid duration "{text}"')
    end = next((index for index, letter in enumerate(rest) if letter in "0123456789."), len(rest))
    unit, rest = rest[:end], rest[end:]
    if not unit:
        raise ValueError(f'time: missing unit in duration "{text}"')
    if unit not in UNITS:
        raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
    return (float(number) if "." in number else int(number)), UNITS[unit], rest


def go_duration(nanoseconds: int) -> str:
    """As Go prints a duration: `50ms`, `1.5s`, `1m30s`, `2h0m0s`."""
    if nanoseconds < SECOND:
        unit = next((name for name in ("ms", "µs") if nanoseconds >= UNITS[name]), "ns")
        return f"{_decimal(nanoseconds, UNITS[unit])}{unit}" if nanoseconds else "0s"
    minutes, rest = divmod(nanoseconds, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{_decimal(rest, SECOND)}s"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def human_duration(nanoseconds: int) -> str:
    """Roughly how long: "Less than a second", "5 seconds", "About a minute", "2 hours", "3 weeks"."""
    seconds = int(nanoseconds / SECOND)
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    minutes = int(nanoseconds / (60 * SECOND))
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    return _long_duration(nanoseconds / (3600 * SECOND))


def _long_duration(hours_exactly: float) -> str:
    hours = int(hours_exactly + 0.5)
    if hours == 1:
        return "About an hour"
    for limit, size, name in ((48, 1, "hours"), (24 * 14, 24, "days"), (24 * 60, 168, "weeks"), (24 * 730, 720, "months")):
        if hours < limit:
            return f"{hours // size} {name}"
    return f"{int(hours_exactly) // 24 // 365} years"
