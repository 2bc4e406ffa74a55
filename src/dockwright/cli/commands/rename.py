"""dockwright rename: another name for a container."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Rename it."""
    old, new = (name.strip() for name in given.rest)
    if not old or not new:
        raise Failure("Error: Neither old nor new names may be empty\n")
    try:
        context.client.request("POST", f"/containers/{quote(old)}/rename", {"name": new}).read()
    except ApiError as error:
        err(f"Error response from daemon: {error.message}\n")
        raise Failure(f"Error: failed to rename container named {old}\n") from error
    return 0
