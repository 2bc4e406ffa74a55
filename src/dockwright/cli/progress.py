"""The daemon's progress messages (pull, load, import): lines in a file, lines that change in place on a terminal."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import size, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

BAR, WIDE = 50, 110
CLEAR = "\x1b[2K\r"


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
    if "aux" in message:
        return  # for programs
    ident, detail = message.get("id", ""), message.get("progressDetail")
    if "stream" in message:
        write_all(fd, message["stream"].encode())
        return
    name = f"{ident}: " if ident else ""
    status = message.get("status", "")
    if not terminal or detail is None:
        if not detail:  # a bar that moves is no line of a file
            rows.clear()
            write_all(fd, f"{name}{status}\n".encode())
        return
    text = f"{CLEAR}{name}{status} {_bar(detail, size(fd)[1])}\r"
    if not ident:
        write_all(fd, text.encode())
        return
    if ident not in rows:
        rows[ident] = len(rows)
        write_all(fd, b"\n")
    up = len(rows) - rows[ident]
    write_all(fd, f"\x1b[{up}A{text}\x1b[{up}B".encode())


def _bar(detail: dict[str, Any], width: int) -> str:
    """`[=====>   ]  1.2MB/3.4MB` where the terminal is wide enough for a bar; without a total only the amount."""
    from dockwright.grammar.units import human_size

    current, total, units = detail.get("current", 0), detail.get("total", 0), detail.get("units", "")
    if current <= 0 and total <= 0:
        return ""
    done, whole = (str(current), f"{total} {units}") if units else (f"{human_size(current):>8}", human_size(total))
    if total <= 0:
        return f"{done} {units}".rstrip()
    share = min(BAR, current * BAR // total)
    bar = f"[{'=' * share}>{' ' * (BAR - share)}] " if width > WIDE else ""
    return f"{bar}{done}/{whole}"
