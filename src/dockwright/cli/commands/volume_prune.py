"""dockwright volume prune: remove volumes that nobody uses."""

from __future__ import annotations

from dockwright.cli.pruning import prune, show, show_space
from dockwright.client.client import numbers
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool filter:filter f/force:bool")
ARGUMENTS = (0, 0)
ALL = "all local volumes not used by at least one container"
ANONYMOUS = "anonymous local volumes not used by at least one container"


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went; daemons from 1.42 on leave named volumes alone without -a."""
    if given.flag("all"):
        context.require(["all"], "1.42")
    named = given.flag("all") or numbers(context.client.version) < (1, 42)
    filters = [("all", "true")] if given.flag("all") else []
    report = prune(context, given, "volumes", ALL if named else ANONYMOUS, filters)
    if report is not None:
        deleted = report.get("VolumesDeleted") or []
        show("Deleted Volumes", deleted)
        show_space(deleted, report)
    return 0
