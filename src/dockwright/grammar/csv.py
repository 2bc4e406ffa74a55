"""Comma-separated fields with quotes, as `--mount` and `--network` take them.  Source: RFC 4180.  Imports nothing."""

from __future__ import annotations


def fields(text: str) -> list[str]:
    """The fields of one line; a quoted field may hold commas, and a doubled quote stands for one.

    Raises:
        ValueError: quotes in the wrong place, in Go's words.
    """
    if '"' not in text:
        return text.split(",") if text else []
    found, at = [], 0
    while at <= len(text):
        if text[at : at + 1] == '"':
            field, at = _quoted(text, at + 1)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            field, at = text[at:end], end + 1
            if '"' in field:
                raise ValueError(f'parse error on line 1, column {text.index(chr(34)) + 1}: bare " in non-quoted-field')
        found.append(field)
    return found


def _quoted(text: str, at: int) -> tuple[str, int]:
    field = ""
    while True:
        end = text.find('"', at)
        if end < 0:
            raise ValueError(f'parse error on line 1, column {len(text) + 1}: extraneous or missing " in quoted-field')
        field += text[at:end]
        if text[end + 1 : end + 2] == '"':
            field, at = field + '"', end + 2
            continue
        if end + 1 < len(text) and text[end + 1] != ",":
            raise ValueError(f'parse error on line 1, column {end + 1}: extraneous or missing " in quoted-field')
        return field, end + 2
