"""dockwright image attestations: what an image's index says of it: provenance, bills of materials."""

from __future__ import annotations

from dockwright.cli.formatting import Table, show
from dockwright.cli.ours import ours
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("format no-trunc:bool platform statement:bool type:list")
ARGUMENTS = (1, 1)
HEADERS = {
    "PredicateType": "PREDICATE TYPE", "Subject": "SUBJECT", "Size": "SIZE", "Digest": "DIGEST", "For": "FOR",
    "Manifest": "MANIFEST", "MediaType": "MEDIA TYPE",
}  # fmt: skip
DEFAULT = "{{.PredicateType}}\t{{.Subject}}\t{{.Size}}\t{{.Digest}}"
SHORT = 12


def run(context: Context, given: Given) -> int:
    """Print a row for each statement, or with --statement the statements themselves, one a line."""
    query: dict[str, Any] = {"type": given.list("type"), "statement": given.flag("statement")}
    if given.text("platform"):
        query["platform"] = given.text("platform")
    path = f"/dockwright/v1/images/{given.rest[0]}/attestations"
    found = ours("show attestations", lambda: context.client.get(path, query))
    if given.flag("statement"):
        from dockwright.cli.terminal import out
        from dockwright.grammar.template.values import json_text

        out("".join(json_text(each["Statement"]) + "\n" for each in found))
        return 0
    rows = [_row(each, not given.flag("no-trunc")) for each in found]
    show(Table(HEADERS, DEFAULT, "Digest", "*formatter.attestationContext"), rows, given.text("format"))
    return 0


def _row(each: dict[str, Any], short: bool) -> dict[str, Any]:
    descriptor = each["Descriptor"]
    digests = {"Digest": descriptor["digest"], "For": each["For"], "Manifest": each["Manifest"]}
    if short:
        digests = {name: value.partition(":")[2][:SHORT] for name, value in digests.items()}
    subjects = ", ".join(str(subject.get("name", "")) for subject in each["Subject"] if isinstance(subject, dict))
    return {
        "PredicateType": each["PredicateType"], "Subject": subjects, "Size": human_size(descriptor["size"]),
        "MediaType": descriptor["mediaType"], **digests,
    }  # fmt: skip
