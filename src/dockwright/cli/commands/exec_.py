"""dockwright exec: another program in a running container."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.client.client import numbers
from dockwright.client.errors import ConnectionFailed
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags(
    "d/detach:bool detach-keys e/env:list env-file:list i/interactive:bool privileged:bool t/tty:bool u/user w/workdir"
)
ARGUMENTS = (2, -1)
INTERSPERSED = False
LOST = 255
CONVERTERS = {"env": CREATE_CONVERTERS["env"]}


def run(context: Context, given: Given) -> int:
    """Execute; the exit status is the program's."""
    from dockwright.cli.session import check_tty, detach_keys

    detach, tty = given.flag("detach"), given.flag("tty")
    stdin = given.flag("interactive") and not detach
    keys = detach_keys(context, given.text("detach-keys"))
    if not detach:
        check_tty(given.flag("interactive"), tty)
    client = context.client
    request = _request(given, stdin, keys, client.version)
    ident = client.post(f"/containers/{quote(given.rest[0])}/exec", None, request)["Id"]
    start: dict[str, Any] = {"Detach": detach, "Tty": tty}
    if "ConsoleSize" in request:
        start["ConsoleSize"] = request["ConsoleSize"]
    if detach:
        client.post(f"/exec/{ident}/start", None, start)
        return 0
    return _attached(context, ident, start, stdin, keys)


def _request(given: Given, stdin: bool, keys: str, version: str) -> dict[str, Any]:
    attach = not given.flag("detach")
    request: dict[str, Any] = {
        "User": given.text("user"), "Privileged": given.flag("privileged"), "Tty": given.flag("tty"),
        "AttachStdin": stdin, "AttachStderr": attach, "AttachStdout": attach, "Detach": not attach,
        "DetachKeys": keys, "Env": _environment(given), "WorkingDir": given.text("workdir"), "Cmd": given.rest[1:],
    }  # fmt: skip
    if given.flag("tty") and numbers(version) >= (1, 42):
        from dockwright.cli.terminal import STDOUT, size

        request["ConsoleSize"] = list(size(STDOUT))
    return request


def _environment(given: Given) -> list[str] | None:
    from dockwright.cli.faults import InvalidOptions

    if not given.list("env-file"):
        return given.list("env") or None
    from dockwright.cli.configuration import environment

    try:
        return environment(given)
    except InvalidOptions as error:
        raise Failure(error.text + "\n") from error


def _attached(context: Context, ident: str, start: dict[str, Any], stdin: bool, keys: str) -> int:
    from dockwright.cli.session import Session

    client = context.client
    stream = client.hijack(f"/exec/{ident}/start", None, start)
    session = Session(stream, start["Tty"], stdin, True, keys, None, _resizer(context, ident))
    if not session.run():
        raise Failure("read escape sequence\n")
    try:
        return int(client.get(f"/exec/{ident}/json").get("ExitCode") or 0)
    except ConnectionFailed:  # the daemon has died meanwhile: docker ends with -1
        return LOST


def _resizer(context: Context, ident: str) -> Callable[[int, int], None]:
    def resize(height: int, width: int) -> None:
        context.client.post(f"/exec/{ident}/resize", {"h": height, "w": width})

    return resize
