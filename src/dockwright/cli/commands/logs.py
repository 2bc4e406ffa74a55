"""dockwright logs: what a container has written."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDERR, STDOUT, write_all
from dockwright.client.query import quote
from dockwright.client.stdcopy import STDERR as STDERR_STREAM
from dockwright.client.stdcopy import demultiplex
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("details:bool f/follow:bool since n/tail t/timestamps:bool until")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Print the log, and with -f what is added to it."""
    client = context.client
    container = client.get(f"/containers/{quote(given.rest[0])}/json")
    query = {
        "stdout": True, "stderr": True, "since": moment(given, "since"), "until": moment(given, "until"),
        "timestamps": given.flag("timestamps"), "follow": given.flag("follow"), "details": given.flag("details"),
        "tail": given.text("tail", "all"),
    }  # fmt: skip
    answer = client.request("GET", f"/containers/{container['Id']}/logs", query)
    if container["Config"]["Tty"]:
        for piece in answer:
            write_all(STDOUT, piece)
        return 0
    for stream, part in demultiplex(answer):
        write_all(STDERR if stream == STDERR_STREAM else STDOUT, part)
    return 0


def moment(given: Given, flag: str) -> str:
    """--since or --until as the API takes it. Raises Failure in docker's words."""
    if not given.text(flag):
        return ""
    import time

    from dockwright.grammar.timestamps import parse_since

    try:
        return parse_since(given.text(flag), time.time_ns())
    except ValueError as error:
        raise Failure(f'invalid value for "{flag}": {error}\n') from error
