"""dockwright volume prune: remove volumes that nobody uses."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.prompt import agreed
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool filter:filter f/force:bool")
ARGUMENTS = (0, 0)
UNUSED = "all volumes not used by at least one container"
ANONYMOUS = "anonymous local volumes not used by at least one container"


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went."""
    client = context.client
    from dockwright.client.client import numbers

    more: list[tuple[str, str]] = []
    what = UNUSED
    if given.flag("all"):
        context.require(["all"], "1.42")
        more.append(("all", "true"))
    elif numbers(client.version) >= (1, 42):
        what = ANONYMOUS
    if not given.flag("force") and not agreed(f"WARNING! This will remove {what}.\n"):
        return 0
    report = client.post("/volumes/prune", {"filters": filters_of(given, *more)})
    deleted = report.get("VolumesDeleted") or []
    if deleted:
        out("Deleted Volumes:\n" + "".join(f"{name}\n" for name in deleted) + "\n")
    out(f"Total reclaimed space: {human_size(report['SpaceReclaimed'])}\n")
    return 0
