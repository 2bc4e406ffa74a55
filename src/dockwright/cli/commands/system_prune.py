"""dockwright system prune: remove what nothing uses."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.filters import filters_of
from dockwright.cli.prompt import agreed
from dockwright.cli.pruning import show
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool filter:filter f/force:bool volumes:bool")
ARGUMENTS = (0, 0)


def run(context: Context, given: Given) -> int:
    """Ask, remove, and say what went."""
    if given.flag("volumes") and any(name == "until" for name, _ in given.list("filter")):
        raise Failure('ERROR: The "until" filter is not supported with "--volumes"\n')
    if not given.flag("force") and not agreed(_warning(given)):
        return 0
    space = sum(_pruned(context, given, kind) for kind in _kinds(given))
    out(f"Total reclaimed space: {human_size(space)}\n")
    return 0


def _kinds(given: Given) -> list[str]:
    return ["containers", "networks", *(["volumes"] if given.flag("volumes") else []), "images", "build"]


def _warning(given: Given) -> str:
    everything = given.flag("all")
    lines = ["all stopped containers", "all networks not used by at least one container"]
    if given.flag("volumes"):
        lines.append("all anonymous volumes not used by at least one container")
    lines.append("all images without at least one container associated to them" if everything else "all dangling images")
    lines.append("all build cache" if everything else "unused build cache")
    text = "WARNING! This will remove:\n" + "".join(f"  - {line}\n" for line in lines) + "\n"
    filters = sorted(f"{name}={value}" for name, value in given.list("filter"))
    if filters:
        text += "  Items to be pruned will be filtered with:\n" + "".join(f"  - {line}\n" for line in filters) + "\n"
    return text


def _pruned(context: Context, given: Given, kind: str) -> int:
    """Prune one kind and show what went; returns the bytes that freed."""
    everything = given.flag("all")
    own = {"images": [("dangling", "false" if everything else "true")]}.get(kind, [])
    query: dict[str, Any] = {"filters": filters_of(given, *own)}
    if kind == "build":
        query["all"] = everything
    report = context.client.post(f"/{kind}/prune", query)
    if kind == "images":
        rows = report.get("ImagesDeleted") or []
        lines = [f"untagged: {row['Untagged']}" if row.get("Untagged") else f"deleted: {row['Deleted']}" for row in rows]
    else:
        lines = report.get({"build": "CachesDeleted"}.get(kind, f"{kind.capitalize()}Deleted")) or []
    show({"build": "Deleted build cache objects"}.get(kind, f"Deleted {kind.capitalize()}"), lines)
    return int(report.get("SpaceReclaimed") or 0)
