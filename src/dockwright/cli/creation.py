"""Creating a container for `run` and `create`: the image if it is missing, the cid file, the warnings."""

from __future__ import annotations

import posix

from dockwright.cli.configuration import body
from dockwright.cli.failure import Failure, RunFailure
from dockwright.cli.faults import InvalidOptions
from dockwright.cli.terminal import STDERR, err, is_terminal, size
from dockwright.client.client import numbers
from dockwright.client.errors import ApiError, ConnectionFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

PULLS = ("always", "missing", "never")
WINDOWS = ("cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops")
FOR_WINDOWS = "is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux"
RECENT = (1, 44)
SINCE = {"annotation": "1.43", "platform": "1.32", "health-start-interval": "1.44"}


def configured(context: Context, given: Given) -> dict[str, Any]:
    """The body of the create request.

    Raises:
        RunFailure: the options cannot be.
    """
    if given.text("pull", "missing") not in PULLS:
        shown = f"invalid pull option: '{given.text('pull')}': must be one of \"always\", \"missing\" or \"never\""
        raise RunFailure(shown, context.path)
    for flag in WINDOWS:
        if flag in given:
            raise Failure(f'"--{flag}" {FOR_WINDOWS}\n')
    for flag, version in SINCE.items():
        if flag in given:
            context.require([flag], version)
    try:
        document = body(given)
    except InvalidOptions as error:
        raise RunFailure(error.text, context.path) from error
    if given.flag("tty"):
        document["HostConfig"]["ConsoleSize"] = list(size(1))
    return document


def create(context: Context, given: Given, document: dict[str, Any]) -> str:
    """Create the container, fetching its image if that is missing; the id.

    Raises:
        ApiError, ConnectionFailed, Failure: in docker's words; no cid file is left then.
    """
    path = given.text("cidfile")
    if not path:
        return _created(context, given, document)
    descriptor = _open_cid_file(path)
    try:
        ident = _created(context, given, document)
        posix.write(descriptor, ident.encode())
    except BaseException:
        posix.unlink(path)
        raise
    finally:
        posix.close(descriptor)
    return ident


def _open_cid_file(path: str) -> int:
    try:
        return posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        text = f"container ID file found, make sure the other container isn't running or delete {path}\n"
        raise Failure(text) from error
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise Failure(f"failed to create the container ID file: open {path}: {reason}\n") from error


def _created(context: Context, given: Given, document: dict[str, Any]) -> str:
    query = {"name": given.text("name"), "platform": given.text("platform")}
    _warn_of_local_dns(document)
    if numbers(context.client.version) < RECENT:
        _refuse_recent(document, context.client.version)
    if given.text("pull") == "always":
        _pull(context, given, document["Image"])
    try:
        made = context.client.post("/containers/create", query, document)
    except ApiError as error:
        if error.status != 404 or given.text("pull", "missing") != "missing" or "No such image" not in error.message:
            raise _own_words(error, document["Image"]) from error
        if not given.flag("quiet"):
            err(f"Unable to find image '{_familiar(document['Image'])}' locally\n")
        _pull(context, given, document["Image"])
        made = context.client.post("/containers/create", query, document)
    for warning in made.get("Warnings") or ():
        err(f"WARNING: {warning}\n")
    return str(made["Id"])


def _refuse_recent(document: dict[str, Any], version: str) -> None:
    """What daemons before 1.44 would pass over in silence."""
    if any(settings.get("MacAddress") for settings in document["NetworkingConfig"]["EndpointsConfig"].values()):
        what = '"specify mac-address per network" requires API version 1.44'
        raise Failure(f"{what}, but the Docker daemon API version is {version}\n")
    for mount in document["HostConfig"].get("Mounts", ()):
        options = mount.get("BindOptions", {})
        for name, word in (("ReadOnlyNonRecursive", "writable"), ("ReadOnlyForceRecursive", "readonly")):
            if options.get(name):
                raise Failure(f"bind-recursive={word} requires API v1.44 or later\n")


def _pull(context: Context, given: Given, image: str) -> None:
    from dockwright.cli.pulling import pull

    pull(context, image, given.text("platform"), given.flag("quiet"), STDERR, is_terminal(STDERR))


def _familiar(image: str) -> str:
    """The image with its tag, as users write it."""
    from dockwright.grammar.reference import parse

    return parse(image).tagged().familiar


def _own_words(error: ApiError, image: str) -> Exception:
    """A malformed image is refused by docker's client itself; the daemon's refusal has other words around it."""
    if error.status != 400 or "reference format" not in error.message:
        return error
    from dockwright.base.errors import InvalidParameter

    try:
        _familiar(image)
    except InvalidParameter as refusal:
        return ConnectionFailed(refusal.message)
    return error


def _warn_of_local_dns(document: dict[str, Any]) -> None:
    for address in document["HostConfig"]["Dns"]:
        if address.startswith("127.") or address == "::1":
            err(f"WARNING: Localhost DNS ({address}) may fail in containers.\n")
            return
