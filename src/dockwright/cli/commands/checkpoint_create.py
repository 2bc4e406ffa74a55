"""dockwright checkpoint create: write a running container down."""

from __future__ import annotations

from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("checkpoint-dir leave-running:bool")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Write it down; prints the checkpoint's name."""
    context.require_experimental(f"dockwright {context.path}")
    container, name = given.rest
    document = {
        "CheckpointID": name, "CheckpointDir": given.text("checkpoint-dir"), "Exit": not given.flag("leave-running"),
    }  # fmt: skip
    context.client.request("POST", f"/containers/{quote(container)}/checkpoints", None, document).read()
    out(name + "\n")
    return 0
