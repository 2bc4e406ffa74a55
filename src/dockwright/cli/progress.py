"""The daemon's progress messages (pull, load, import): lines in a file, lines that change in place on a terminal."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import size, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

BAR = 50
CLEAR = "\r\x1b[2K"


def show(messages: Iterable[dict[str, Any]], fd: int, terminal: bool, quiet: bool = False) -> None:
    """Show `messages` on `fd` until they end.

    Raises:
        Failure: one of them is an error.
    """
    rows: dict[str, int] = {}
    for message in messages:
        problem = message.get("errorDetail") or ({"message": message["error"]} if "error" in message else None)
        if problem:
            raise Failure(f"{problem.get('message', '')}\n")
        if not quiet:
            _show(message, fd, terminal, rows)


def _show(message: dict[str, Any], fd: int, terminal: bool, rows: dict[str, int]) -> None:
    ident, detail = message.get("id", ""), message.get("progressDetail") or {}
    if "stream" in message:
        write_all(fd, message["stream"].encode())
        return
    if not terminal:
        if not detail:  # a bar that moves is no line of a file
            write_all(fd, (_line(message, "") + "\n").encode())
        return
    text = _line(message, _bar(detail, size(fd)[1] or 80) if detail else "")
    if not ident or "status" not in message:
        rows.clear()
        write_all(fd, (CLEAR + text + "\n").encode())
        return
    if ident not in rows:
        rows[ident] = len(rows)
        write_all(fd, b"\n")
    up = len(rows) - rows[ident]
    write_all(fd, f"\x1b[{up}A{CLEAR}{text}\r\x1b[{up}B".encode())


def _line(message: dict[str, Any], bar: str) -> str:
    ident = f"{message['id']}: " if message.get("id") else ""
    return f"{ident}{message.get('status', '')}{' ' + bar if bar else ''}"


def _bar(detail: dict[str, Any], width: int) -> str:
    """`[=====>   ]  1.2MB/3.4MB`; without a total only the amount."""
    from dockwright.grammar.units import human_size

    current, total = detail.get("current", 0), detail.get("total", 0)
    if not current:
        return ""
    done = human_size(current)
    if total <= 0:
        return f"{done:>8}"
    share = min(BAR, current * BAR // total)
    bar = f"[{'=' * share}>{' ' * (BAR - share)}]  " if width > 110 else ""
    return f"{bar}{done:>8}/{human_size(total)}"
