"""dockwright image layers: what each layer of an image adds, changes and removes, and what later ones hide of it."""

from __future__ import annotations

from dockwright.cli.formatting import Table, ellipsis, show
from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("format no-trunc:bool wasted:bool")
ARGUMENTS = (1, 1)
HEADERS = {
    "Layer": "LAYER", "DiffID": "DIFF ID", "Size": "SIZE", "Added": "ADDED", "Changed": "CHANGED", "Removed": "REMOVED",
    "Wasted": "WASTED", "CreatedBy": "CREATED BY", "Blob": "BLOB",
}  # fmt: skip
DEFAULT = "{{.Layer}}\t{{.Size}}\t{{.Added}}\t{{.Changed}}\t{{.Removed}}\t{{.Wasted}}\t{{.CreatedBy}}"
SHORT, WIDTH = 12, 45


def run(context: Context, given: Given) -> int:
    """Print a row for each layer, lowest first; then their sum, or with --wasted what is hidden."""
    image, form, short = given.rest[0], given.text("format"), not given.flag("no-trunc")
    layers = ours("show layers", lambda: context.client.get(f"/dockwright/v1/images/{image}/layers"))
    rows = [_row(number, layer, short) for number, layer in enumerate(layers, 1)]
    show(Table(HEADERS, DEFAULT, "DiffID", "*formatter.layerContext"), rows, form)
    if given.flag("wasted"):
        _hidden(layers)
    elif not form:
        size, wasted = (sum(layer[key] for layer in layers) for key in ("Size", "Wasted"))
        share = f" ({wasted * 100 // size}%)" if size else ""
        out(f"\n{human_size(size)} in {len(layers)} layers, of which later layers hide {human_size(wasted)}{share}\n")
    return 0


def _row(number: int, layer: dict[str, Any], short: bool) -> dict[str, Any]:
    diff, blob, maker = layer["DiffID"], layer["Blob"], layer["CreatedBy"] or layer["Comment"]
    if short:
        diff, blob = diff.partition(":")[2][:SHORT], blob.partition(":")[2][:SHORT]
        maker = ellipsis(maker.replace("\t", " "), WIDTH)
    return {
        "Layer": str(number), "DiffID": diff, "Blob": blob, "CreatedBy": maker, "Size": human_size(layer["Size"]),
        "Added": str(layer["Added"]), "Changed": str(layer["Changed"]), "Removed": str(layer["Removed"]),
        "Wasted": human_size(layer["Wasted"]),
    }  # fmt: skip


def _hidden(layers: list[dict[str, Any]]) -> None:
    """Every file that a later layer hides, the largest first."""
    found = [(file["Size"], number, file["Path"]) for number, layer in enumerate(layers, 1) for file in layer["Hidden"]]
    rows = [{"Size": human_size(size), "Layer": str(number), "Path": path} for size, number, path in sorted(found, reverse=True)]
    out("\n")
    table = Table({"Size": "SIZE", "Layer": "LAYER", "Path": "HIDDEN FILE"}, "{{.Size}}\t{{.Layer}}\t{{.Path}}", "Path", "")
    show(table, rows, "")
