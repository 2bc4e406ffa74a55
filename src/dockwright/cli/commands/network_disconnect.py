"""dockwright network disconnect: a container out of a network."""

from __future__ import annotations

from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/force:bool")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Disconnect it."""
    network, container = given.rest
    document = {"Container": container, "Force": given.flag("force")}
    context.client.request("POST", f"/networks/{quote(network)}/disconnect", None, document).read()
    return 0
