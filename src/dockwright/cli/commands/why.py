"""dockwright why: what ended a container, who sent the signal, and what one looks at next."""

from __future__ import annotations

from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import bytes_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("n/tail:int")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Print what is known, in sentences."""
    query = {"tail": given.number("tail")} if "tail" in given else {}
    path = f"/dockwright/v1/containers/{given.rest[0]}/why"
    found = ours("explain ends", lambda: context.client.request("GET", path, query, versioned=False).json())
    out("".join(f"{line}\n" for line in lines(found)))
    return 0


def lines(found: dict[str, Any]) -> list[str]:
    """The document as text."""
    told = [f"{found['Name']}: {_state(found)}"]
    told += _signals(found["Signals"])
    told += [text for text in (_memory(found), _restarts(found), _health(found["Health"])) if text]
    return [*told, *_log(found["Log"])]


def _log(end: list[str] | None) -> list[str]:
    if end is None:
        return ["Its log cannot be read."]
    return ["The end of its log:", *(f"  {line}" for line in end)] if end else ["Its log is empty."]


def _state(found: dict[str, Any]) -> str:
    if found["Status"] == "created":
        return f"never started{_because(found['Error'])}"
    if found["Status"] in ("running", "paused"):
        return f"{found['Status']} since {found['StartedAt']}"
    ended = f"{found['Status']}, code {found['ExitCode']}, ended at {found['FinishedAt']}{_because(found['Error'])}"
    return f"{ended}\nEnded by {found['EndedBy']}." if found["EndedBy"] else f"{ended}\nIt ended by itself."


def _because(error: str) -> str:
    return f": {error}" if error else ""


def _signals(sent: list[dict[str, Any]]) -> list[str]:
    if not sent:
        return ["This engine has sent it no signal."]
    rows = [(one["At"], one["Name"], one["By"] + (f" ({one['Client']})" if one["Client"] else "")) for one in sent]
    return ["Signals it was sent:", *(f"  {at}  {name}  {by}" for at, name, by in rows)]


def _memory(found: dict[str, Any]) -> str:
    limit = f"its limit is {bytes_size(found['Memory'])}" if found["Memory"] else "it has no limit"
    if not found["OOMKilled"]:
        return ""
    return f"The kernel has killed processes of it for want of memory; {limit}."


def _restarts(found: dict[str, Any]) -> str:
    policy = found["RestartPolicy"] or {}
    if policy.get("Name") in (None, "", "no"):
        return ""
    by_hand = ", and somebody has stopped it" if found["StoppedByHand"] else ""
    return f"Its restart policy is {policy['Name']}; it was restarted {found['RestartCount']} times{by_hand}."


def _health(health: dict[str, Any] | None) -> str:
    if health is None:
        return ""
    last = "" if health["ExitCode"] is None else f"; its last check ended with {health['ExitCode']}: {health['Output'].strip()}"
    return f"Its health is {health['Status']}, {health['FailingStreak']} failures in a row{last}"
