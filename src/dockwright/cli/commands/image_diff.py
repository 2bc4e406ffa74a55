"""dockwright image diff: the files and the config in which one image differs from another."""

from __future__ import annotations

from dockwright.cli.ours import ours
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("config:bool files:bool s/size:bool")
ARGUMENTS = (2, 2)
LETTERS = "CAD"


def run(context: Context, given: Given) -> int:
    """Print files as docker diff does, then fields of the config."""
    old, new = given.rest
    found = ours("compare images", lambda: context.client.get(f"/dockwright/v1/images/{old}/diff", {"with": new}))
    if not given.flag("config") or given.flag("files"):
        for file in found["Files"]:
            sizes = f"\t{human_size(file['Before'])} -> {human_size(file['After'])}" if given.flag("size") else ""
            out(f"{LETTERS[file['Kind']]} {_visible(file['Path'])}{sizes}\n")
    if not given.flag("files") or given.flag("config"):
        for entry in found["Config"]:
            _field(entry["Field"], entry["Before"], entry["After"])
    return 0


def _field(name: str, before: Any, after: Any) -> None:
    """Lists and maps entry by entry."""
    old, new = _entries(before), _entries(after)
    out(f"{name}:\n")
    out("".join(f"- {entry}\n" for entry in old if entry not in new))
    out("".join(f"+ {entry}\n" for entry in new if entry not in old))
    if sorted(old) == sorted(new):
        out(f"  in another order: {', '.join(new)}\n")


def _entries(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [f"{key}={entry}" if isinstance(entry, str) else f"{key}={_text(entry)}" for key, entry in sorted(value.items())]
    return [_text(entry) for entry in value] if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    from dockwright.grammar.template.values import json_text

    return value if isinstance(value, str) else json_text(value)


def _visible(path: str) -> str:
    """A path as one harmless line."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in path)
