"""dockwright tag: another name for an image."""

from __future__ import annotations

from dockwright.base.errors import InvalidParameter
from dockwright.cli.failure import Failure
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags
from dockwright.grammar.reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (2, 2)


def run(context: Context, given: Given) -> int:
    """Tag it."""
    source, target = given.rest
    try:
        reference = parse(target).tagged()
    except InvalidParameter as error:
        raise Failure(f'Error parsing reference: "{target}" is not a valid repository/tag: {error.message}\n') from error
    if reference.digest:
        raise Failure("refusing to create a tag with a digest reference\n")
    query = {"repo": f"{reference.domain}/{reference.path}", "tag": reference.tag}
    context.client.request("POST", f"/images/{quote(source)}/tag", query).read()
    return 0
