"""dockwright volume clone: another volume with a copy of all files."""

from __future__ import annotations

from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Clone it and print the new volume's name."""
    source, name = given.rest
    target = f"/dockwright/v1/volumes/{quote(source)}/clone"
    ours("clone volumes", lambda: context.client.request("POST", target, {"to": name}, versioned=False).read())
    out(f"{name}\n")
    return 0
