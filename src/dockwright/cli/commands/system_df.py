"""dockwright system df: what images, containers, volumes and build cache take; with -v each of them, and all of the disk."""

from __future__ import annotations

from dockwright.cli.formatting import Table, render, show
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("format v/verbose:bool")
ARGUMENTS = (0, 0)
HEADERS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}
DEFAULT = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}"
RAW = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n"
ACTIVE = ("running", "paused", "restarting")


def run(context: Context, given: Given) -> int:
    """Print it."""
    usage = context.client.get("/system/df")
    form = given.text("format")
    if given.flag("verbose"):
        from dockwright.cli import disk

        disk.show(context, usage, form)
        return 0
    table = Table(HEADERS, DEFAULT, "Type", "*formatter.diskUsageImagesContext", RAW)
    if not form or form.startswith("table"):
        out(render(table, rows(usage), form))
    else:
        show(table, rows(usage), form)
    return 0


def rows(usage: dict[str, Any]) -> list[dict[str, str]]:
    """A row for each type."""
    images, containers = usage.get("Images") or [], usage.get("Containers") or []
    volumes, cache = usage.get("Volumes") or [], usage.get("BuildCache") or []
    layers = usage.get("LayersSize", 0)
    used = [image for image in images if image["Containers"]]
    kept = sum(image["Size"] - image["SharedSize"] for image in used if -1 not in (image["Size"], image["SharedSize"]))
    running = [container for container in containers if any(word in container["State"] for word in ACTIVE)]
    idle = sum(container.get("SizeRw", 0) for container in containers if container not in running)
    written = sum(container.get("SizeRw", 0) for container in containers)
    sizes = [(v["UsageData"]["Size"], v["UsageData"]["RefCount"]) for v in volumes if v["UsageData"]["Size"] != -1]
    stored, unused = sum(size for size, _ in sizes), sum(size for size, count in sizes if not count)
    busy = sum(count > 0 for _, count in sizes)
    own = sum(record["Size"] for record in cache if not record.get("Shared"))
    pinned = sum(record["Size"] for record in cache if record.get("InUse") and not record.get("Shared"))
    in_use = sum(bool(record.get("InUse")) for record in cache)
    return [
        _row("Images", len(images), len(used), layers, _share(layers - kept, layers)),
        _row("Containers", len(containers), len(running), written, _share(idle, written)),
        _row("Local Volumes", len(volumes), busy, stored, _share(unused, stored)),
        _row("Build Cache", len(cache), in_use, own, human_size(own - pinned)),
    ]


def _row(kind: str, total: int, active: int, size: int, reclaimable: str) -> dict[str, str]:
    counts = {"TotalCount": str(total), "Active": str(active)}
    return {"Type": kind, **counts, "Size": human_size(size), "Reclaimable": reclaimable}


def _share(part: int, whole: int) -> str:
    return f"{human_size(part)} ({part * 100 // whole}%)" if whole > 0 else human_size(part)
