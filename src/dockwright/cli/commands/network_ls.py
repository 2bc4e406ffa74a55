"""dockwright network ls: the networks."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.formatting import Table, label_of, labels_text, show
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/filter:filter format no-trunc:bool q/quiet:bool")
ARGUMENTS = (0, 0)
HEADERS = {
    "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
    "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
}  # fmt: skip
DEFAULT = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"
RAW = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n"
SHORT = 12


def run(context: Context, given: Given) -> int:
    """List them by name."""
    networks = context.client.get("/networks", {"filters": filters_of(given)})
    rows = [row(network, not given.flag("no-trunc")) for network in sorted(networks, key=_natural)]
    form, quiet = given.text("format"), given.flag("quiet")
    if not form and not quiet:
        form = str(context.config.get("networksFormat", ""))
    show(Table(HEADERS, DEFAULT, "ID", "*network.networkContext", RAW), rows, form, quiet and form in ("", "table", "raw"))
    return 0


def _natural(network: dict[str, Any]) -> list[tuple[int, str]]:
    """Names sorted as people count: net2 before net10."""
    from dockwright.cli.natural import natural

    return natural(network["Name"])


def row(network: dict[str, Any], short: bool) -> dict[str, Any]:
    """The fields of one row."""
    from dockwright.grammar.timestamps import go_string

    def flag(name: str) -> str:
        return "true" if network.get(name) else "false"

    return {
        "ID": network["Id"][:SHORT] if short else network["Id"],
        "Name": network["Name"],
        "Driver": network["Driver"],
        "Scope": network["Scope"],
        "IPv4": flag("EnableIPv4"),
        "IPv6": flag("EnableIPv6"),
        "Internal": flag("Internal"),
        "Labels": labels_text(network.get("Labels")),
        "Label": label_of(network.get("Labels")),
        "CreatedAt": go_string(network["Created"]),
    }
