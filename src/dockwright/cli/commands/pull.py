"""dockwright pull: an image from a registry."""

from __future__ import annotations

from dockwright.base.errors import InvalidParameter
from dockwright.cli.failure import Failure
from dockwright.cli.pulling import pull
from dockwright.cli.terminal import STDOUT, is_terminal, out
from dockwright.grammar.flags import Flags
from dockwright.grammar.reference import Reference, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("all-platforms:bool a/all-tags:bool disable-content-trust:bool platform q/quiet:bool")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Let the daemon fetch the image, and say what it is called in full."""
    if not given.flag("disable-content-trust", True):
        raise Failure("--disable-content-trust=false is not supported: there is no notary client here\n")
    reference = _reference(given)
    more = {"all-platforms": True} if given.flag("all-platforms") else {}
    quiet, everything = given.flag("quiet"), given.flag("all-tags")
    if everything and (reference.tag or reference.digest):
        raise Failure("tag can't be used with --all-tags/-a\n")
    if not everything and not quiet and not reference.tag and not reference.digest:
        out("Using default tag: latest\n")
    pull(context, given.rest[0], given.text("platform"), quiet, STDOUT, is_terminal(STDOUT), everything, more)
    out(f"{reference if everything else reference.tagged()}\n")
    return 0


def _reference(given: Given) -> Reference:
    try:
        return parse(given.rest[0])
    except InvalidParameter as error:
        raise Failure(error.message + "\n") from error
