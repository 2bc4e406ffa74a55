"""Columns as Go's text/tabwriter aligns them: a column is a run of lines that have a cell there, ended by a tab."""

from __future__ import annotations


def align(text: str, least: int, padding: int) -> str:
    """`text` with its tab-ended cells widened to their columns.

    Args:
        least: narrowest width of a column, padding included. padding: spaces behind the widest cell.
    """
    ended = text.endswith("\n")
    lines = [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    _widen(lines, 0, len(lines), 0, least, padding)
    return "\n".join("".join(cells) for cells in lines) + ("\n" if ended else "")


def _widen(lines: list[list[str]], first: int, last: int, column: int, least: int, padding: int) -> None:
    """Widen cell `column` of lines first..last: each run of lines that have it, ended by a tab, is a column."""
    at = first
    while at < last:
        if len(lines[at]) - 1 <= column:
            at += 1
            continue
        end = at
        while end < last and len(lines[end]) - 1 > column:
            end += 1
        widest = max(len(lines[number][column]) for number in range(at, end))
        width = max(widest + padding, least) if widest or least else 0
        _widen(lines, at, end, column + 1, least, padding)
        for number in range(at, end):
            lines[number][column] = lines[number][column].ljust(width)
        at = end
