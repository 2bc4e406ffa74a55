"""Moments as clients and images write them, in nanoseconds since the epoch."""

import re
from datetime import UTC, datetime

from dockwright.base.errors import InvalidParameter
from dockwright.images.changes import duration

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)


def nanoseconds(text: str) -> int | None:
    """An RFC 3339 time, all its digits kept; None for anything else. Without a zone it is UTC."""
    match = _STAMP.fullmatch(text)
    if not match:
        return None
    zone = (match[4] or "Z").upper()
    clock = match[2] or "00:00"
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{clock}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None
    seconds = (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) if moment.year > 1 else None
    whole = seconds.days * 86400 + seconds.seconds if seconds else 0
    return whole * 1_000_000_000 + int((match[3] or "")[:9].ljust(9, "0"))


def moment(text: str, now: int) -> int:
    """The value of an `until` filter: a time, a number of seconds since the epoch, or a duration before `now`.

    Raises:
        InvalidParameter: none of them.
    """
    stamp = nanoseconds(text)
    if stamp is not None:
        return stamp
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return int(float(text) * 1_000_000_000)
    try:
        return now - duration(text, text)
    except InvalidParameter:
        raise InvalidParameter(f"invalid value for 'until' filter: failed to parse value as time or duration: {text!r}") from None
