"""dockwright import: an image from a plain tar."""

from __future__ import annotations

from dockwright.cli.commands.load import open_file, pieces
from dockwright.cli.terminal import STDIN, STDOUT, is_terminal
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("c/change:list m/message platform")
ARGUMENTS = (1, -1)
REMOTE = ("http://", "https://")


def run(context: Context, given: Given) -> int:
    """Send the tar, or let the daemon fetch it, and print the image's id."""
    from dockwright.cli.progress import show

    source, name = given.rest[0], given.rest[1] if len(given.rest) > 1 else ""
    repository, tag = _split(name)
    remote = source.startswith(REMOTE)
    query = {
        "fromSrc": source if remote else "-", "repo": repository, "tag": tag, "message": given.text("message"),
        "changes": given.list("change"), "platform": given.text("platform"),
    }  # fmt: skip
    body: Iterator[bytes] | None = None
    if not remote:
        body = pieces(STDIN if source == "-" else open_file(source))
    answer = context.client.request("POST", "/images/create", query, body=body)
    show(answer.documents(), STDOUT, is_terminal(STDOUT))
    return 0


def _split(name: str) -> tuple[str, str]:
    """`repository[:tag]`; a colon before a slash belongs to the host's port."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "")
