"""dockwright image inspect: everything the daemon knows of an image."""

from __future__ import annotations

from dockwright.cli.inspecting import fetcher, inspect
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format platform")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Print it."""
    if "platform" in given:
        context.require(["platform"], "1.49")
    fetch = fetcher(context, "/images/{}/json")
    return inspect(given.rest, fetch, given.text("format"))
