"""dockwright run: create, attach, start, wait."""

from __future__ import annotations

from dockwright.cli.creation import configured, create
from dockwright.cli.failure import Failure, RunFailure
from dockwright.cli.options import ALIASES, CONVERTERS, RUN
from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError, ConnectionFailed
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.cli.explain import Explained
    from dockwright.cli.session import Session
    from dockwright.grammar.flags import Given

FLAGS = Flags(RUN, ALIASES)
ARGUMENTS = (1, -1)
INTERSPERSED = False
__all__ = ["ARGUMENTS", "CONVERTERS", "FLAGS", "INTERSPERSED", "run"]

NOT_FOUND = ("executable file not found", "no such file or directory", "system cannot find the file specified")
NOT_EXECUTABLE = ("permission denied", "is a directory")


def run(context: Context, given: Given) -> int:
    """Run a container; the exit status is its own, or 125 and up if it could not run."""
    document = configured(context, given)
    _streams(given, document)
    if given.flag("dry-run"):
        return _plan(context, given, document)
    explained = _explained(context, given, document)
    try:
        return _run(context, given, document, explained)
    except ApiError as error:
        raise _failed(f"Error response from daemon: {error.message}", context) from error
    except ConnectionFailed as error:
        raise _failed(error.message, context) from error


def _plan(context: Context, given: Given, document: dict[str, Any]) -> int:
    """Print what would be done."""
    from dockwright.cli.explain import plan

    try:
        out(plan(context, {"name": given.text("name"), "platform": given.text("platform")}, document))
    except ApiError as error:
        raise _failed(f"Error response from daemon: {error.message}", context) from error
    except ConnectionFailed as error:
        raise _failed(error.message, context) from error
    return 0


def _streams(given: Given, document: dict[str, Any]) -> None:
    """What is attached: nothing with -d; a terminal must be one.

    Raises:
        Failure: in docker's words.
    """
    if not given.flag("detach"):
        from dockwright.cli.session import check_tty

        check_tty(document["AttachStdin"], document["Tty"])
        return
    if given.list("attach"):
        raise Failure("conflicting options: cannot specify both --attach and --detach\n")
    document.update(AttachStdin=False, AttachStdout=False, AttachStderr=False, StdinOnce=False)


def _explained(context: Context, given: Given, document: dict[str, Any]) -> Explained | None:
    if not given.flag("explain"):
        return None
    from dockwright.cli.explain import Explained

    return Explained(context, document)


def _failed(text: str, context: Context) -> RunFailure:
    """The status tells whether the program was missing, could not be executed, or something else failed."""
    status = 125
    if any(words in text for words in NOT_FOUND):
        status = 127
    elif any(words in text for words in NOT_EXECUTABLE):
        status = 126
    return RunFailure(text, context.path, status)


def _run(context: Context, given: Given, document: dict[str, Any], explained: Explained | None) -> int:
    client = context.client
    try:
        ident = create(context, given, document)
    except Failure as error:
        raise _failed(error.text.rstrip("\n"), context) from error
    if explained:
        explained.created(ident)
    attached = document["AttachStdin"] or document["AttachStdout"] or document["AttachStderr"]
    if not attached:
        out(ident + "\n")
        client.post(f"/containers/{ident}/start")
        if explained:
            explained.started()
            explained.show()
        return 0
    removed = document["HostConfig"]["AutoRemove"]
    waiting = client.wait(ident, "removed" if removed else "next-exit")
    session = _attach(context, given, document, ident)
    try:
        waiting.ready()
        client.post(f"/containers/{ident}/start")
    except BaseException as error:
        session.restore()
        if removed and isinstance(error, ApiError):
            waiting.result()
        raise
    if explained:
        explained.started()
    try:
        if not session.run(waiting):
            return 0
        status = _status(waiting.result())
    except ConnectionFailed as error:
        return _lost(error)
    if explained:
        explained.ended()
        explained.show()
    return status


def _attach(context: Context, given: Given, document: dict[str, Any], ident: str) -> Session:
    from dockwright.cli.session import Session, detach_keys

    client = context.client
    keys = detach_keys(context, given.text("detach-keys"))
    query = {
        "stream": True, "stdin": document["AttachStdin"], "stdout": document["AttachStdout"],
        "stderr": document["AttachStderr"], "detachKeys": keys,
    }  # fmt: skip
    stream = client.hijack(f"/containers/{ident}/attach", query)
    forward = forwarder(context, ident) if given.flag("sig-proxy", True) else None
    outputs = document["AttachStdout"] or document["AttachStderr"]
    return Session(stream, document["Tty"], document["AttachStdin"], outputs, keys, forward, resizer(context, ident))


def forwarder(context: Context, ident: str) -> Callable[[str], None]:
    """Sends a signal to the container; one that has ended meanwhile is no error."""

    def forward(name: str) -> None:
        try:
            context.client.post(f"/containers/{ident}/kill", {"signal": name})
        except ApiError:
            return

    return forward


def resizer(context: Context, ident: str) -> Callable[[int, int], None]:
    """Tells the daemon the terminal's size."""

    def resize(height: int, width: int) -> None:
        context.client.post(f"/containers/{ident}/resize", {"h": height, "w": width})

    return resize


def _lost(error: ConnectionFailed) -> int:
    """The daemon has died meanwhile; the container may go on."""
    import time

    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    err(f'time="{moment}" level=error msg="error waiting for container: {error.message}"\n')
    return 125


def _status(answer: dict[str, Any]) -> int:
    problem = answer.get("Error")
    if problem:
        err(f"Error waiting for container: {problem.get('Message', '')}\n")
        return 125
    return int(answer.get("StatusCode", 125))
