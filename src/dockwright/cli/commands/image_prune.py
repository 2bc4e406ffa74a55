"""dockwright image prune: remove images without a name, or all that no container uses."""

from __future__ import annotations

from dockwright.cli.pruning import prune, show, show_space
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool filter:filter f/force:bool")
ARGUMENTS = (0, 0)
DANGLING = "all dangling images"
UNUSED = "all images without at least one container associated to them"


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went."""
    everything = given.flag("all")
    filters = [("dangling", "false" if everything else "true")]
    report = prune(context, given, "images", UNUSED if everything else DANGLING, filters)
    if report is not None:
        rows = report.get("ImagesDeleted") or []
        lines = [f"untagged: {row['Untagged']}" if row.get("Untagged") else f"deleted: {row['Deleted']}" for row in rows]
        show("Deleted Images", lines)
        show_space(lines, report)
    return 0
