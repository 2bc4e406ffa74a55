"""dockwright volume import: a tar into a volume."""

from __future__ import annotations

from dockwright.cli.commands.load import open_file, pieces
from dockwright.cli.failure import Failure
from dockwright.cli.ours import ours
from dockwright.cli.terminal import STDIN, is_terminal, out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("i/input")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Send the tar and print the volume's name."""
    source = open_file(given.text("input")) if given.text("input") else STDIN
    if source == STDIN and is_terminal(STDIN):
        raise Failure("requested import from stdin, but stdin is empty\n")
    name = given.rest[0]
    target = f"/dockwright/v1/volumes/{quote(name)}/import"
    ours("import volumes", lambda: context.client.request("POST", target, body=pieces(source), versioned=False).read())
    out(f"{name}\n")
    return 0
