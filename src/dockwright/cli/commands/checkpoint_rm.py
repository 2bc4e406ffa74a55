"""dockwright checkpoint rm: remove a checkpoint."""

from __future__ import annotations

from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("checkpoint-dir")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Remove it; of success nothing is said."""
    context.require_experimental(f"dockwright {context.path}")
    container, name = given.rest
    place = given.text("checkpoint-dir")
    path = f"/containers/{quote(container)}/checkpoints/{quote(name)}"
    context.client.request("DELETE", path, {"dir": place} if place else None).read()
    return 0
