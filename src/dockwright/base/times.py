"""Times as Docker writes them: RFC 3339 in UTC with nanoseconds."""

import time

ZERO = "0001-01-01T00:00:00Z"


def rfc3339(nanoseconds: int) -> str:
    """`nanoseconds` since the epoch as Go's RFC3339Nano prints it: trailing zeros of the fraction are cut."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    digits = f"{fraction:09d}".rstrip("0")
    return f"{head}.{digits}Z" if digits else f"{head}Z"


def rfc3339_fixed(nanoseconds: int) -> str:
    """Like `rfc3339`, always with nine digits: the form of `logs --timestamps`."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"


def now() -> str:
    """This moment, as `rfc3339` prints it."""
    return rfc3339(time.time_ns())


def padded(text: str) -> str:
    """An RFC 3339 time in UTC with nine digits after its dot, whoever wrote it: then times are ordered as texts are."""
    if len(text) == 30:
        return text
    head, _, fraction = text.rstrip("Z").partition(".")
    return f"{head}.{fraction.ljust(9, '0')}Z"


def seconds(text: str) -> float:
    """An RFC 3339 time in UTC as seconds since the epoch; 0 for the zero time."""
    if text == ZERO:
        return 0.0
    import calendar  # the shim, which imports this module, only writes times

    parts = (text[:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19])
    whole = calendar.timegm(tuple(map(int, parts)))  # strptime(3) would take twenty times as long
    return whole + int(padded(text)[20:29]) / 1e9
