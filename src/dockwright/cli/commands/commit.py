"""dockwright commit: an image of what a container has become."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/author c/change:list m/message p/pause:bool no-pause:bool")
ARGUMENTS = (1, 2)


def run(context: Context, given: Given) -> int:
    """Commit it and print the image's id."""
    repository, tag = _target(given.rest[1]) if len(given.rest) > 1 else ("", "")
    pause = given.flag("pause", True) and not given.flag("no-pause")
    query = {
        "container": given.rest[0], "repo": repository, "tag": tag, "comment": given.text("message"),
        "author": given.text("author"), "changes": given.list("change"), "pause": None if pause else "0",
    }  # fmt: skip
    out(context.client.post("/commit", query)["Id"] + "\n")
    return 0


def _target(name: str) -> tuple[str, str]:
    from dockwright.base.errors import InvalidParameter
    from dockwright.grammar.reference import parse

    try:
        reference = parse(name).tagged()
    except InvalidParameter as error:
        raise Failure(f"{error.message}\n") from error
    if reference.digest:
        raise Failure("cannot commit to digest reference\n")
    return f"{reference.domain}/{reference.path}", reference.tag
