"""What the demonstration prints: a heading, a command, what it said, and what it took."""

import shutil
import sys

WIDTH = min(120, shutil.get_terminal_size((110, 24)).columns)
COLOURS = {"bold": "1", "dim": "2", "green": "32", "red": "31", "cyan": "36"}


def paint(text: str, *names: str) -> str:
    """`text` in colours, where somebody sees them."""
    if not sys.stdout.isatty():
        return text
    return "".join(f"\x1b[{COLOURS[name]}m" for name in names) + text + "\x1b[0m"


def title(text: str) -> None:
    """The first line."""
    print(paint(text, "bold"))


def heading(text: str) -> None:
    """What comes next, in words."""
    print(f"\n{paint(text, 'bold')}")


def line(good: bool, text: str, milliseconds: float) -> None:
    """One thing done: whether it went well, what it was, what it took."""
    mark = paint("✓", "green") if good else paint("✗", "red")
    took = f"{milliseconds:,.0f} ms"
    room = WIDTH - len(took) - 5
    shown = text if len(text) <= room else text[: room - 1] + "…"
    print(f"  {mark} {paint(shown.ljust(room), 'cyan')} {paint(took, 'dim')}", flush=True)


def output(text: str, most: int = 6) -> None:
    """What a program said: its first `most` lines."""
    rows = text.replace("\r", "").rstrip("\n").split("\n") if text.strip() else []
    for row in rows[:most]:
        print("      " + (row if len(row) <= WIDTH - 6 else row[: WIDTH - 7] + "…"))
    if len(rows) > most:
        print(paint(f"      … {len(rows) - most} more lines", "dim"))
