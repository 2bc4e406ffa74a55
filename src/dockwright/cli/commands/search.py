"""dockwright search: repositories of a registry."""

from __future__ import annotations

from dockwright.cli.credentials import header
from dockwright.cli.filters import filters_of
from dockwright.cli.formatting import Table, ellipsis, show
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/filter:filter format limit:int no-trunc:bool")
ARGUMENTS = (1, 1)
HEADERS = {
    "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL", "IsAutomated": "AUTOMATED",
}  # fmt: skip
DEFAULT = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"
WIDEST = 45


def run(context: Context, given: Given) -> int:
    """Ask, and show the best known first."""
    term = given.rest[0]
    first, slash, _ = term.partition("/")
    domain = first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
    query = {"term": term, "limit": _limit(given), "filters": filters_of(given)}
    found = context.client.request("GET", "/images/search", query, headers=header(context, domain)).json() or []
    found.sort(key=lambda result: -result["star_count"])
    rows = [_row(result, given.flag("no-trunc")) for result in found]
    show(Table(HEADERS, DEFAULT, "Name", "*formatter.searchContext"), rows, given.text("format"))
    return 0


def _limit(given: Given) -> str:
    """As it was given; 0 is the daemon's own."""
    return "" if given.text("limit", "0") == "0" else str(given.text("limit"))


def _row(result: dict[str, Any], whole: bool) -> dict[str, Any]:
    """The fields of one row."""
    description = str(result.get("description") or "").replace("\n", " ").replace("\r", " ")
    return {
        "Name": result["name"],
        "Description": description if whole else ellipsis(description, WIDEST),
        "StarCount": str(result["star_count"]),
        "IsOfficial": "[OK]" if result.get("is_official") else "",
        "IsAutomated": "[OK]" if result.get("is_automated") else "",
    }
