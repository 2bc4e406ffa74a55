"""Sizes as docker reads and prints them: `512m` is binary, `1.23MB` in lists is decimal, `GiB` is binary again.

Source: go-units' documented behaviour. Imports nothing.
"""

from __future__ import annotations

DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
SUFFIXES = "kmgtpe"
NANO = 1_000_000_000


def ram_in_bytes(text: str) -> int:
    """Bytes of `64m`, `1.5g`, `10KiB`, `100`, in powers of 1024.

    Raises:
        ValueError: in docker's words.
    """
    return _bytes(text, 1024)


def from_human_size(text: str) -> int:
    """The same in powers of 1000: sizes of log files.

    Raises:
        ValueError: in docker's words.
    """
    return _bytes(text, 1000)


def _bytes(text: str, base: int) -> int:
    end = max((index for index, letter in enumerate(text) if letter in "0123456789. "), default=-1)
    number, suffix = text[: end + 1].rstrip(" "), text[end + 1 :].lower()
    value = _decimal(number)
    if end < 0 or value is None or value < 0:
        raise ValueError(f"invalid size: '{text}'")
    return int(value * base ** _power(suffix, text))


def _power(suffix: str, text: str) -> int:
    if suffix in ("", "b"):
        return 0
    if suffix[0] not in SUFFIXES or suffix[1:] not in ("", "b", "ib"):
        raise ValueError(f"invalid suffix: '{text[len(text) - len(suffix) :]}'")
    return SUFFIXES.index(suffix[0]) + 1


def _decimal(text: str) -> float | None:
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def nano_cpus(text: str) -> int:
    """Billionths of a CPU in `1.5`, `0.25`, `3/2`.

    Raises:
        ValueError: in docker's words.
    """
    from fractions import Fraction

    try:
        nano = Fraction(text) * NANO
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if nano.denominator != 1:
        raise ValueError("value is too precise")
    return int(nano)


def human_size(size: float, digits: int = 4) -> str:
    """`size` in decimal units with up to `digits` significant digits: 1.23MB, 0B."""
    return _scaled(size, 1000.0, DECIMAL, digits)


def bytes_size(size: float) -> str:
    """`size` in binary units: 7.748GiB."""
    return _scaled(size, 1024.0, BINARY, 4)


def human_size_three(size: float) -> str:
    """`size` in decimal units with three significant digits, as lists of images show it."""
    return human_size(size, 3)


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size, index = size / base, index + 1
    return f"{size:.{digits}g}{units[index]}"
