"""dockwright manifest rm: lists that are being made here are forgotten."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.manifestlists import Store, reference
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """All that are there; what is not is told."""
    store = Store(context)
    missing = [name for text in given.rest if not store.remove(name := reference(text))]
    if missing:
        raise Failure("".join(f"No such manifest: {name.familiar}\n" for name in missing))
    return 0
