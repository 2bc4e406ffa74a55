"""dockwright attach: our terminal on a running container."""

from __future__ import annotations

from dockwright.cli.commands.run import forwarder
from dockwright.cli.failure import Failure
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("detach-keys no-stdin:bool sig-proxy:bool")
ARGUMENTS = (1, 1)
DETACHED = "read escape sequence\n"


def run(context: Context, given: Given) -> int:
    """Attach; the exit status is the container's, or 1 after the detach keys."""
    from dockwright.cli.session import Session, check_tty, detach_keys

    client = context.client
    container: dict[str, Any] = client.get(f"/containers/{quote(given.rest[0])}/json")
    _check_state(container["State"])
    ident, tty = container["Id"], container["Config"]["Tty"]
    stdin = container["Config"]["OpenStdin"] and not given.flag("no-stdin")
    check_tty(stdin, tty)
    keys = detach_keys(context, given.text("detach-keys"))
    query = {"stream": True, "stdin": stdin, "stdout": True, "stderr": True, "detachKeys": keys}
    waiting = client.wait(ident, "")
    stream = client.hijack(f"/containers/{ident}/attach", query)
    waiting.ready()
    forward = forwarder(context, ident) if given.flag("sig-proxy", True) and not tty else None
    session = Session(stream, tty, stdin, True, keys, forward, _redrawn(context, ident))
    if not session.run():
        raise Failure(DETACHED)
    return _status(waiting.result())


def _check_state(state: dict[str, Any]) -> None:
    for flag, wanted, text in (
        ("Running", True, "You cannot attach to a stopped container, start it first"),
        ("Paused", False, "You cannot attach to a paused container, unpause it first"),
        ("Restarting", False, "You cannot attach to a restarting container, wait until it is running"),
    ):
        if bool(state.get(flag)) is not wanted:
            raise Failure(text + "\n")


def _redrawn(context: Context, ident: str) -> Any:
    """A resizer whose first call is one cell too large, so that the program draws itself anew."""
    sizes: list[int] = []

    def resize(height: int, width: int) -> None:
        path = f"/containers/{ident}/resize"
        if not sizes:
            sizes.append(1)
            try:
                context.client.post(path, {"h": height + 1, "w": width + 1})
            except ApiError:
                return
        context.client.post(path, {"h": height, "w": width})

    return resize


def _status(answer: dict[str, Any]) -> int:
    problem = answer.get("Error")
    if problem:
        raise Failure(f"{problem.get('Message', '')}\n")
    return int(answer.get("StatusCode", 1))
