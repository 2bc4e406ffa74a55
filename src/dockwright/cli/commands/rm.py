"""dockwright rm: remove containers."""

from __future__ import annotations

from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/force:bool l/link:bool v/volumes:bool")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Remove each; with -f a container that is not there is reported, but no failure."""
    query = {"v": given.flag("volumes"), "link": given.flag("link"), "force": given.flag("force")}
    problems, status = "", 0
    for name in given.rest:
        stripped = name.strip("/")
        if not stripped:
            problems, status = problems + "container name cannot be empty\n", 1
            continue
        try:
            context.client.request("DELETE", f"/containers/{quote(stripped)}", query).read()
        except ApiError as error:
            problems += f"Error response from daemon: {error.message}\n"
            status = status if error.status == 404 and given.flag("force") else 1
        else:
            out(name + "\n")
    err(problems)
    return status
