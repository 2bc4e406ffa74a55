"""Natural order: `net2` comes before `net10`."""

from __future__ import annotations


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key: runs of digits count as numbers."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for letter in text:
        if letter.isdecimal():
            digits += letter
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((1 << 60, letter))
    return [*parts, (int(digits), "")] if digits else parts
