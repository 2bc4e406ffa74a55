"""dockwright top: the processes of a container."""

from __future__ import annotations

from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags
from dockwright.grammar.tabwriter import align

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, -1)
INTERSPERSED = False
LEAST, PADDING = 20, 3


def run(context: Context, given: Given) -> int:
    """Print what ps says of it."""
    query = {"ps_args": " ".join(given.rest[1:])}
    answer = context.client.get(f"/containers/{quote(given.rest[0])}/top", query)
    lines = [answer["Titles"], *(answer["Processes"] or ())]
    out(align("".join("\t".join(line) + "\n" for line in lines), LEAST, PADDING))
    return 0
