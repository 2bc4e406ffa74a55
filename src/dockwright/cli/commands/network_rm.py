"""dockwright network rm: remove networks."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/force:bool")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Remove each; with -f one that is not there is passed over."""
    failed = False
    for name in given.rest:
        try:
            context.client.request("DELETE", f"/networks/{quote(name)}").read()
        except ApiError as error:
            if error.status == 404 and given.flag("force"):
                continue
            err(f"Error response from daemon: {error.message}\n")
            failed = True
        else:
            out(name + "\n")
    if failed:
        raise Failure("exit status 1\n")
    return 0
