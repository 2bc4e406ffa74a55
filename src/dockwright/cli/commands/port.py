"""dockwright port: where a container's ports are published."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.natural import natural
from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags
from dockwright.grammar.ports import PortError, parse_key, split_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (1, 2)


def run(context: Context, given: Given) -> int:
    """All mappings, or those of one port."""
    name = given.rest[0]
    container = context.client.get(f"/containers/{quote(name)}/json")
    ports: dict[str, list[dict[str, str]] | None] = container["NetworkSettings"]["Ports"] or {}
    if len(given.rest) > 1:
        out(_one(ports, given.rest[1], name))
        return 0
    lines = [f"{key} -> {_address(binding)}" for key, bindings in ports.items() for binding in bindings or ()]
    out("".join(line + "\n" for line in sorted(lines, key=natural)))
    return 0


def _one(ports: dict[str, Any], wanted: str, name: str) -> str:
    number, protocol = split_key(wanted)
    try:
        parse_key(f"{number}/{protocol}")
    except PortError as error:
        reason = f'strconv.ParseUint: parsing "{number}": invalid syntax'
        raise Failure(f"Error: invalid port ({wanted}): {reason}\n") from error
    bindings = ports.get(f"{number}/{protocol}")
    if not bindings:
        raise Failure(f"Error: No public port '{wanted}' published for {name}\n")
    return "".join(f"{_address(binding)}\n" for binding in bindings)


def _address(binding: dict[str, str]) -> str:
    host = binding["HostIp"]
    return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"
