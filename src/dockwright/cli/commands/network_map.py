"""dockwright network map: who can reach whom, and by which rule: as text, JSON or a picture."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format")
ARGUMENTS = (0, 0)


def run(context: Context, given: Given) -> int:
    """Draw it."""
    found = ours("draw maps", lambda: context.client.request("GET", "/dockwright/v1/networks/map", versioned=False).json())
    out(drawn(found, given.text("format", "text")))
    return 0


def drawn(found: dict[str, Any], kind: str) -> str:
    """The map as `kind`. Raises Failure."""
    if kind == "text":
        from dockwright.cli.map_text import draw

        return draw(found)
    if kind == "svg":
        from dockwright.cli.map_svg import draw as picture

        return picture(found)
    if kind == "json":
        from dockwright.client.documents import dumps
        from dockwright.grammar.json_indent import indent

        return indent(dumps(found).decode()) + "\n"
    raise Failure(f"unknown format {kind}: text, json or svg\n")
