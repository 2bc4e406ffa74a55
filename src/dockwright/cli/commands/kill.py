"""dockwright kill: send a signal, KILL by default."""

from __future__ import annotations

from dockwright.cli.each import each, verb
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("s/signal")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Signal each."""
    act = verb("POST", "/containers/{}/kill")
    query = {"signal": given.text("signal")}
    return each(given.rest, lambda name: act(context.client, name, query))
