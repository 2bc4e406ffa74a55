"""dockwright diff: what a container has changed in its files."""

from __future__ import annotations

from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, 1)
KINDS = {0: "C", 1: "A", 2: "D"}


def run(context: Context, given: Given) -> int:
    """Print a letter and a path for each."""
    changes = context.client.get(f"/containers/{quote(given.rest[0])}/changes") or ()
    out("".join(f"{KINDS[change['Kind']]} {change['Path']}\n" for change in changes))
    return 0
