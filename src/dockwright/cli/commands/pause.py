"""dockwright pause: freeze containers."""

from __future__ import annotations

from dockwright.cli.each import each, verb
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Freeze each."""
    act = verb("POST", "/containers/{}/pause")
    return each(given.rest, lambda name: act(context.client, name))
