"""dockwright wait: the exit codes of containers, when they have stopped."""

from __future__ import annotations

from dockwright.cli.each import each
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Wait for each, in order."""
    client = context.client
    return each(given.rest, lambda name: str(client.post(f"/containers/{quote(name)}/wait")["StatusCode"]))
