"""dockwright create: a container that is not started yet; its id."""

from __future__ import annotations

from dockwright.cli.creation import configured, create
from dockwright.cli.options import CONVERTERS, CREATE_FLAGS
from dockwright.cli.terminal import out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = CREATE_FLAGS
ARGUMENTS = (1, -1)
INTERSPERSED = False
__all__ = ["ARGUMENTS", "CONVERTERS", "FLAGS", "INTERSPERSED", "run"]


def run(context: Context, given: Given) -> int:
    """Create a container."""
    out(create(context, given, configured(context, given)) + "\n")
    return 0
