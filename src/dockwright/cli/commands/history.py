"""dockwright history: the layers of an image and what made them."""

from __future__ import annotations

from dockwright.cli.formatting import Table, ago, ellipsis, show
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size_three

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("format H/human:bool no-trunc:bool platform q/quiet:bool")
ARGUMENTS = (1, 1)
HEADERS = {
    "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE",
    "Comment": "COMMENT",
}  # fmt: skip
DEFAULT = "{{.ID}}\t{{.%s}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
SHORT, BY_WIDTH = 12, 45


def run(context: Context, given: Given) -> int:
    """List them, the newest first."""
    if "platform" in given:
        context.require(["platform"], "1.48")
    human = given.flag("human", True)
    layers = context.client.get(f"/images/{quote(given.rest[0])}/history")
    rows = [row(layer, human, not given.flag("no-trunc")) for layer in layers]
    default = DEFAULT % ("CreatedSince" if human else "CreatedAt")
    form = given.text("format")
    show(Table(HEADERS, default, "ID", "*image.historyContext"), rows, form, given.flag("quiet") and form in ("", "table"))
    return 0


def row(layer: dict[str, Any], human: bool, short: bool) -> dict[str, Any]:
    """The fields of one row."""
    from dockwright.grammar.timestamps import rfc3339_local

    by = layer["CreatedBy"].replace("\t", " ")
    known = layer["Created"] > -62135596800
    return {
        "ID": layer["Id"].removeprefix("sha256:")[:SHORT] if short else layer["Id"],
        "CreatedSince": (ago(layer["Created"]) if human else rfc3339_local(layer["Created"])) if known else "N/A",
        "CreatedAt": rfc3339_local(layer["Created"]),
        "CreatedBy": ellipsis(by, BY_WIDTH) if short else by,
        "Size": human_size_three(layer["Size"]) if human else str(layer["Size"]),
        "Comment": layer["Comment"],
    }
