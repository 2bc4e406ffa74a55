"""dockwright volume ls: the volumes."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.formatting import Table, label_of, labels_text, show
from dockwright.cli.natural import natural
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("cluster:bool f/filter:filter format q/quiet:bool")
ARGUMENTS = (0, 0)
HEADERS = {
    "Name": "VOLUME NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS",
    "Links": "LINKS", "Size": "SIZE", "Group": "GROUP", "Availability": "AVAILABILITY", "Status": "STATUS",
}  # fmt: skip
DEFAULT = "{{.Driver}}\t{{.Name}}"
RAW = "name: {{.Name}}\ndriver: {{.Driver}}\n"


def run(context: Context, given: Given) -> int:
    """List them by name."""
    if given.flag("cluster"):
        from dockwright.cli.failure import Failure

        raise Failure("--cluster is not supported: there are no cluster volumes without a swarm\n")
    volumes = context.client.get("/volumes", {"filters": filters_of(given)})["Volumes"] or []
    rows = [row(volume) for volume in sorted(volumes, key=lambda volume: natural(volume["Name"]))]
    form, quiet = given.text("format"), given.flag("quiet")
    if not form and not quiet:
        form = str(context.config.get("volumesFormat", ""))
    show(Table(HEADERS, DEFAULT, "Name", "*formatter.volumeContext", RAW), rows, form, quiet and form in ("", "table", "raw"))
    return 0


def row(volume: dict[str, Any]) -> dict[str, Any]:
    """The fields of one row."""
    usage = volume.get("UsageData") or {}
    size, links = usage.get("Size", -1), usage.get("RefCount", -1)
    from dockwright.grammar.units import human_size

    return {
        "Name": volume["Name"],
        "Driver": volume["Driver"],
        "Scope": volume["Scope"],
        "Mountpoint": volume["Mountpoint"],
        "Labels": labels_text(volume.get("Labels")),
        "Label": label_of(volume.get("Labels")),
        "Links": str(links) if usage else "N/A",
        "Size": human_size(size) if usage else "N/A",
        "Group": "N/A",
        "Availability": "N/A",
        "Status": "N/A",
    }
