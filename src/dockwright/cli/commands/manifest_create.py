"""dockwright manifest create: a list of manifests, made here and pushed later."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.manifestlists import Store, fetched, reference
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/amend:bool insecure:bool")
ARGUMENTS = (2, -1)


def run(context: Context, given: Given) -> int:
    """Fetch each manifest and note it."""
    store, target = Store(context), reference(given.rest[0])
    if store.names(target) and not given.flag("amend"):
        raise Failure("refusing to amend an existing manifest list with no --amend flag\n")
    found = []
    for text in given.rest[1:]:
        name = reference(text)
        _, entries, is_list = fetched(context, given.flag("insecure"), name)
        if is_list:
            raise Failure(f"{name.familiar} is a manifest list\n")
        found.append((name, entries[0]))
    for name, entry in found:
        store.put(target, name, entry)
    out(f"Created manifest list {target.familiar}\n")
    return 0
