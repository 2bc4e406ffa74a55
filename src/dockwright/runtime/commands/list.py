"""List the containers of this root."""

from __future__ import annotations

from dockwright.runtime import state
from dockwright.runtime.arguments import SWITCH, VALUE, Options
from dockwright.runtime.document import dumps
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals, say

FLAGS = {"format": VALUE, "quiet": SWITCH}
ALIASES = {"f": "format", "q": "quiet"}
WORDS = (0, 0)
COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def run(options: Options, env: Globals) -> int:
    """`list`: a table, ids only, or JSON (null for none, as runc prints Go's nil)."""
    form = options.text("format", "table")
    rows = _rows(env.root)
    if options.on("quiet"):
        return say("".join(row["id"] + "\n" for row in rows))
    if form == "json":
        return say((dumps(rows) if rows else "null") + "\n")
    if form != "table":
        raise RuntimeFailure("invalid format option")
    return say(table([[name.upper() for name in COLUMNS], *([str(row[c]) for c in COLUMNS] for row in rows)]))


def _rows(root: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for name in state.identifiers(root):
        try:
            rows.append({**state.load(root, name).document(), "owner": "root"})
        except RuntimeFailure as failure:
            if failure.message != "container does not exist":
                raise  # else it was deleted while we listed
    return rows


def table(rows: list[list[str]]) -> str:
    """Columns as Go's tabwriter sets them with a least width of 12 and a padding of 3."""
    widths = [max(12, *(len(cell) + 3 for cell in column)) for column in zip(*rows, strict=True)]
    lines = ["".join(f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)) + row[-1] for row in rows]
    return "\n".join(lines) + "\n"
