"""dockwright volume export: everything in a volume as a tar."""

from __future__ import annotations

from dockwright.cli.commands.save import check_target, write_file
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDOUT, is_terminal, write_all
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("o/output")
ARGUMENTS = (1, 1)
FAILED = "failed to export volume"


def run(context: Context, given: Given) -> int:
    """Write it to stdout, or to a file that is there only when it is whole."""
    path = given.text("output")
    if not path and is_terminal(STDOUT):
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect\n")
    if path:
        check_target(path, FAILED)
    target = f"/dockwright/v1/volumes/{quote(given.rest[0])}/export"
    answer = context.client.request("GET", target, versioned=False)
    if path:
        write_file(path, answer, FAILED)
        return 0
    for piece in answer:
        write_all(STDOUT, piece)
    return 0
