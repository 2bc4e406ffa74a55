"""dockwright save: images into an archive."""

from __future__ import annotations

from dockwright.cli import saving
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("o/output platform:stringSlice")
ARGUMENTS = (1, -1)
FAILED = "failed to save image"


def run(context: Context, given: Given) -> int:
    """Write the archive to stdout, or to a file that is there only when it is whole."""
    platform = context.platform(given)
    more = {"platform": platform} if platform else {}
    path = given.text("output")
    saving.check(path, FAILED)
    if len(given.rest) == 1:
        answer = context.client.request("GET", f"/images/{quote(given.rest[0])}/get", more)
    else:
        answer = context.client.request("GET", "/images/get", {"names": given.rest, **more})
    saving.write(path, answer, FAILED)
    return 0
