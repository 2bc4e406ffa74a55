"""dockwright push: an image to a registry."""

from __future__ import annotations

from dockwright.base.errors import InvalidParameter
from dockwright.cli.credentials import header
from dockwright.cli.failure import Failure
from dockwright.cli.terminal import STDOUT, is_terminal, out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags
from dockwright.grammar.reference import Reference, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all-tags:bool disable-content-trust:bool platform q/quiet:bool")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Let the daemon send it, and show how that goes."""
    if not given.flag("disable-content-trust", True):
        raise Failure("--disable-content-trust=false is not supported: there is no notary client here\n")
    if "platform" in given:
        context.require(["platform"], "1.46")
    reference = _reference(given)
    quiet = given.flag("quiet")
    if given.flag("all-tags"):
        if reference.tag or reference.digest:
            raise Failure("tag can't be used with --all-tags/-a\n")
    elif not reference.tag and not reference.digest:
        reference = reference.tagged()
        if not quiet:
            out(f"Using default tag: {reference.tag}\n")
    _push(context, given, reference, quiet)
    if quiet:
        out(f"{reference}\n")
    return 0


def _push(context: Context, given: Given, reference: Reference, quiet: bool) -> None:
    from dockwright.cli.progress import show

    if reference.digest:
        raise Failure("cannot push a digest reference\n")
    query = {"tag": reference.tag, "platform": _platform(given)}
    path = f"/images/{quote(reference.familiar_name)}/push"
    answer = context.client.request("POST", path, query, headers=header(context, reference.domain))
    show(answer.documents(), STDOUT, is_terminal(STDOUT), quiet)


def _platform(given: Given) -> str:
    """`os/architecture/variant` as the JSON the API takes. Raises Failure."""
    if not given.text("platform"):
        return ""
    from dockwright.client.documents import dumps

    parts = given.text("platform").split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise Failure(f'invalid platform: "{given.text("platform")}"\n')
    return dumps(dict(zip(("os", "architecture", "variant"), parts, strict=False))).decode()


def _reference(given: Given) -> Reference:
    try:
        return parse(given.rest[0])
    except InvalidParameter as error:
        raise Failure(error.message + "\n") from error
