"""dockwright load: images from an archive."""

from __future__ import annotations

import posix

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDIN, STDOUT, is_terminal, write_all
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("i/input platform:stringSlice q/quiet:bool")
ARGUMENTS = (0, 0)
PIECE = 1 << 18


def run(context: Context, given: Given) -> int:
    """Send the archive and show what the daemon makes of it."""
    platform = context.platform(given)
    source = STDIN
    if given.text("input"):
        source = open_file(given.text("input"))
    elif is_terminal(STDIN):
        raise Failure("requested load from stdin, but stdin is empty\n")
    terminal = is_terminal(STDOUT)
    quiet = given.flag("quiet") or not terminal
    query = {"quiet": quiet, **({"platform": platform} if platform else {})}
    answer = context.client.request("POST", "/images/load", query, body=pieces(source))
    if "json" not in answer.headers.get("content-type", ""):
        for piece in answer:
            write_all(STDOUT, piece)
        return 0
    from dockwright.cli.progress import show

    show(answer.documents(), STDOUT, terminal, False)
    return 0


def open_file(path: str) -> int:
    """A file to read from. Raises Failure in docker's words."""
    try:
        return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError as error:
        raise Failure(f"open {path}: {(error.strerror or '').lower()}\n") from error


def pieces(source: int) -> Iterator[bytes]:
    """What a descriptor has, in large pieces."""
    while piece := posix.read(source, PIECE):
        yield piece
