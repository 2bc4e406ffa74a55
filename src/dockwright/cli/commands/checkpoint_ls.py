"""dockwright checkpoint ls: the checkpoints of a container."""

from __future__ import annotations

from dockwright.cli.natural import natural
from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("checkpoint-dir")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """List them by name."""
    context.require_experimental(f"dockwright {context.path}")
    place = given.text("checkpoint-dir")
    path = f"/containers/{quote(given.rest[0])}/checkpoints"
    found = context.client.get(path, {"dir": place} if place else None)
    names = sorted((row["Name"] for row in found or ()), key=natural)
    out("".join(f"{line}\n" for line in ("CHECKPOINT NAME", *names)))
    return 0
