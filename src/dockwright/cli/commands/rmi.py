"""dockwright rmi: remove names of images, and the images with their last one."""

from __future__ import annotations

from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/force:bool no-prune:bool platform:stringSlice")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Remove each and say what went; with -f a missing one is reported, but no failure."""
    if "platform" in given:
        context.require(["platform"], "1.50")
    query = {"force": given.flag("force"), "noprune": given.flag("no-prune")}
    problems, fatal = "", False
    for name in given.rest:
        try:
            rows = context.client.delete(f"/images/{quote(name)}", query) or ()
        except ApiError as error:
            problems += f"Error response from daemon: {error.message}\n"
            fatal = fatal or error.status != 404 or not given.flag("force")
            continue
        for row in rows:
            out(f"Deleted: {row['Deleted']}\n" if row.get("Deleted") else f"Untagged: {row['Untagged']}\n")
    err(problems)
    return 1 if fatal else 0
