"""dockwright stop: end containers, by force after a while."""

from __future__ import annotations

from dockwright.cli.each import each, verb
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("s/signal t/timeout:int", {"time": "timeout"}, {"time": "use --timeout instead"})
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Stop each."""
    act = verb("POST", "/containers/{}/stop")
    if "signal" in given:
        context.require(["signal"], "1.42")
    query = {"signal": given.text("signal"), "t": given.values.get("timeout")}
    return each(given.rest, lambda name: act(context.client, name, query))
