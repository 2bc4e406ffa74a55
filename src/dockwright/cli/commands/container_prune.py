"""dockwright container prune: remove containers that do not run."""

from __future__ import annotations

from dockwright.cli.pruning import prune, show, show_space
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("filter:filter f/force:bool")
ARGUMENTS = (0, 0)


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went."""
    report = prune(context, given, "containers", "all stopped containers")
    if report is not None:
        deleted = report.get("ContainersDeleted") or []
        show("Deleted Containers", deleted)
        show_space(deleted, report)
    return 0
