"""dockwright volume inspect: everything the daemon knows of a volume."""

from __future__ import annotations

from dockwright.cli.inspecting import fetcher, inspect
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Print it."""
    fetch = fetcher(context, "/volumes/{}")
    return inspect(given.rest, fetch, given.text("format"), "volume.Volume")
