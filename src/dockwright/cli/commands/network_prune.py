"""dockwright network prune: remove networks that nobody uses."""

from __future__ import annotations

from dockwright.cli.pruning import prune, show
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("filter:filter f/force:bool")
ARGUMENTS = (0, 0)


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went."""
    report = prune(context, given, "networks", "all custom networks not used by at least one container")
    if report is not None:
        show("Deleted Networks", report.get("NetworksDeleted") or [])
    return 0
