"""dockwright start: start containers that are there; with -a attached to one."""

from __future__ import annotations

from dockwright.cli.commands.run import forwarder, resizer
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/attach:bool checkpoint checkpoint-dir detach-keys i/interactive:bool")
ARGUMENTS = (1, -1)


def run(context: Context, given: Given) -> int:
    """Start each, or start one and stay with it."""
    context.require_experimental(*(f'"--{flag}"' for flag in ("checkpoint", "checkpoint-dir") if flag in given))
    if not (given.flag("attach") or given.flag("interactive")) and given.text("checkpoint"):
        return _restore(context, given)
    if not (given.flag("attach") or given.flag("interactive")):
        return _start_all(context, given.rest)
    if len(given.rest) > 1:
        raise Failure("you cannot start and attach multiple containers at once\n")
    return _start_attached(context, given)


def _query(given: Given) -> dict[str, object]:
    """The checkpoint to go on from, if there is one."""
    return {flag: given.text(flag) for flag in ("checkpoint", "checkpoint-dir") if given.text(flag)}


def _restore(context: Context, given: Given) -> int:
    """Start one from a checkpoint; of its success nothing is said."""
    if len(given.rest) > 1:
        raise Failure("you cannot restore multiple containers at once\n")
    context.client.request("POST", f"/containers/{quote(given.rest[0])}/start", _query(given)).read()
    return 0


def _start_all(context: Context, names: list[str]) -> int:
    failed = []
    for name in names:
        try:
            context.client.request("POST", f"/containers/{quote(name)}/start").read()
        except ApiError as error:
            err(f"Error response from daemon: {error.message}\n")
            failed.append(name)
        else:
            out(name + "\n")
    if failed:
        raise Failure(f"Error: failed to start containers: {', '.join(failed)}\n")
    return 0


def _start_attached(context: Context, given: Given) -> int:
    from dockwright.cli.session import Session, detach_keys

    client = context.client
    container: dict[str, Any] = client.get(f"/containers/{quote(given.rest[0])}/json")
    ident, config = container["Id"], container["Config"]
    stdin = given.flag("interactive") and config["OpenStdin"]
    keys = detach_keys(context, given.text("detach-keys"))
    query = {"stream": True, "stdin": stdin, "stdout": True, "stderr": True, "detachKeys": keys}
    removed = container["HostConfig"]["AutoRemove"]
    waiting = client.wait(ident, "removed" if removed else "next-exit")
    stream = client.hijack(f"/containers/{ident}/attach", query)
    forward = None if config["Tty"] else forwarder(context, ident)
    session = Session(stream, config["Tty"], stdin, True, keys, forward, resizer(context, ident))
    try:
        waiting.ready()
        client.request("POST", f"/containers/{ident}/start", _query(given)).read()
    except BaseException:
        session.restore()
        raise
    if not session.run(waiting):
        return 0
    return int(waiting.result().get("StatusCode", 125))
