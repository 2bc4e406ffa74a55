"""dockwright system check: whether what the daemon knows and what is on the disk agree."""

from __future__ import annotations

from dockwright.cli.ours import ours
from dockwright.cli.terminal import err, out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("quick:bool repair:bool")
ARGUMENTS = (0, 0)


def run(context: Context, given: Given) -> int:
    """Look, tell, and repair what can be; 1 if something is left."""
    query = {"quick": given.flag("quick"), "repair": given.flag("repair")}
    findings = ours("check its disk", lambda: context.client.post("/dockwright/v1/system/check", query))["Findings"]
    for finding in findings:
        out(f"{finding['Kind']}: {finding['Subject']}{_outcome(finding)}\n")
    left = sum(not finding["Repaired"] for finding in findings)
    if not findings:
        out("Everything on the disk is as it should be.\n")
    elif left and not given.flag("repair") and any(finding["Remedy"] for finding in findings):
        err("Run 'dockwright system check --repair' to do what is proposed.\n")
    return 1 if left else 0


def _outcome(finding: dict[str, Any]) -> str:
    if finding["Repaired"]:
        return f"\n  repaired: {finding['Remedy']}"
    if finding["Error"]:
        return f"\n  could not be repaired: {finding['Error']}"
    return f"\n  repair: {finding['Remedy']}" if finding["Remedy"] else ""
