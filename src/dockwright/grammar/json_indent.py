"""JSON text laid out again without reading it: numbers, escapes and the order of keys stay as the daemon wrote them."""

from __future__ import annotations

OPEN, CLOSE = "{[", "}]"


def indent(text: str, prefix: str = "", step: str = "    ") -> str:
    """Go's json.Indent: one member a line; empty objects and lists stay closed."""
    parts: list[str] = []
    depth, at = 0, 0
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == '"':
            end = _string_end(text, at)
            parts.append(text[at - 1 : end])
            at = end
        elif letter in OPEN:
            following = _skip(text, at)
            if text[following : following + 1] in ("}", "]"):
                parts.append(letter + text[following])
                at = following + 1
                continue
            depth += 1
            parts.append(f"{letter}\n{prefix}{step * depth}")
        elif letter in CLOSE:
            depth -= 1
            parts.append(f"\n{prefix}{step * depth}{letter}")
        elif letter == ",":
            parts.append(f",\n{prefix}{step * depth}")
        elif letter == ":":
            parts.append(": ")
        elif letter not in " \t\r\n":
            parts.append(letter)
    return "".join(parts)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    """The offset behind the closing quote of the string whose inside begins at `at`."""
    while True:
        quote = text.index('"', at)
        slashes = quote
        while text[slashes - 1] == "\\":
            slashes -= 1
        if (quote - slashes) % 2 == 0:
            return quote + 1
        at = quote + 1
