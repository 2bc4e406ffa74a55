"""dockwright manifest push: a list of manifests to its registry."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.manifestlists import Store, manifests, reference
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("insecure:bool p/purge:bool")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Send what is needed, then the list; with --purge it is forgotten here."""
    store, target = Store(context), reference(given.rest[0])
    entries = store.entries(target)
    if not entries:
        raise Failure(f"No such manifest: {target.familiar}\n")
    digest = manifests(context, given.flag("insecure")).push(target, entries, lambda line: out(f"{line}\n"))
    out(f"{digest}\n")
    if given.flag("purge"):
        store.remove(target)
    return 0
