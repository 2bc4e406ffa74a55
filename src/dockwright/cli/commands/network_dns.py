"""dockwright network dns: how a container's question for a name is answered, by whom and why."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("container t/type")
ARGUMENTS = (1, 1)


def run(context: Context, given: Given) -> int:
    """Print each asker's answer."""
    query = {"name": given.rest[0], "type": given.text("type", "A"), "container": given.text("container")}
    found = ours("explain names", lambda: context.client.request("GET", "/dockwright/v1/dns", query, versioned=False).json())
    if not found:
        raise Failure("no container runs on a user-defined network: nobody would ask 127.0.0.11\n")
    out("\n".join(map(text, found)))
    return 0


def text(asked: dict[str, Any]) -> str:
    """One asker's answer: who asked, the rcode, the records, and where they come from."""
    lines = [f"{asked['Container']} on {', '.join(asked['Networks'])}: {asked['Rcode']}"]
    lines += [f"  {item['Name']}  {item['TTL']}  {item['Type']}  {item['Data']}" for item in asked["Answer"]]
    lines += [f"  ({why})" for why in asked["Why"]]
    return "".join(f"{line}\n" for line in lines)
