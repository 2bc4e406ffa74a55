"""dockwright image verify: whose signatures an image has, held against keys or the daemon's policy."""

from __future__ import annotations

from dockwright.base.errors import InvalidParameter
from dockwright.cli.credentials import header
from dockwright.cli.failure import Failure
from dockwright.cli.ours import ours
from dockwright.cli.terminal import err, out
from dockwright.grammar.flags import Flags
from dockwright.grammar.reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("key:list offline:bool")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Print each signature; 1 if one that is needed is missing."""
    name = given.rest[0]
    found = _verified(context, name, given)
    for signature in found["Signatures"]:
        out(_line(signature))
    if not found["Verified"]:
        err(f"{name} is not verified: {found['Reason']}\n")
        return 1
    out(f"{name} is verified: {' '.join(found['Digests'])}\n")
    return 0


def _verified(context: Context, name: str, given: Given) -> dict[str, Any]:
    keys = [_text(path) for path in given.list("key")]
    path, query, headers = f"/dockwright/v1/images/{name}/verify", {"offline": given.flag("offline")}, _headers(context, name)
    answer = ours(
        "verify images",
        lambda: context.client.request("POST", path, query, {"Keys": keys}, headers=headers, versioned=False),
    )
    document: dict[str, Any] = answer.json()
    return document


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: {getattr(error, 'strerror', None) or error}\n") from None


def _headers(context: Context, name: str) -> dict[str, str]:
    """What the image's registry wants to see, should its signatures not be here yet."""
    try:
        return header(context, parse(name).domain)
    except InvalidParameter:
        return {}  # an id has no registry


def _line(signature: dict[str, Any]) -> str:
    if not signature["Valid"]:
        return f"{signature['Kind']}: invalid: {signature['Reason']}\n"
    names = f" as {signature['Identity']}" if signature["Identity"] else ""
    said = "".join(f" {key}={value}" for key, value in sorted(signature["Annotations"].items()))
    return f"{signature['Kind']}: signed by {signature['Signer']}{names}{said}\n"
