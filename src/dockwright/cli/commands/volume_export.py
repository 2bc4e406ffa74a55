"""dockwright volume export: everything in a volume as a tar."""

from __future__ import annotations

from dockwright.cli import saving
from dockwright.cli.ours import ours
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
    saving.check(path, FAILED)
    target = f"/dockwright/v1/volumes/{quote(given.rest[0])}/export"
    answer = ours("export volumes", lambda: context.client.request("GET", target, versioned=False))
    saving.write(path, answer, FAILED)
    return 0
