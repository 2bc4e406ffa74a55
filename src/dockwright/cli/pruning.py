"""What all prunes share: ask, remove, say what went and how much space that gave."""

from __future__ import annotations

from dockwright.cli.filters import filters_of
from dockwright.cli.prompt import agreed
from dockwright.cli.terminal import out
from dockwright.grammar.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given


def prune(
    context: Context, given: Given, kind: str, what: str, filters: Iterable[tuple[str, str]] = ()
) -> dict[str, Any] | None:
    """The daemon's report; None if the user does not agree.

    Args:
        kind: "containers", "images", "networks", "volumes". what: is removed, for the question.
    """
    if not given.flag("force") and not agreed(f"WARNING! This will remove {what}.\n"):
        return None
    report: dict[str, Any] = context.client.post(f"/{kind}/prune", {"filters": filters_of(given, *filters)})
    return report


def show(title: str, lines: list[str]) -> None:
    """A list under its title, if it is not empty."""
    if lines:
        out(f"{title}:\n" + "".join(f"{line}\n" for line in lines) + "\n")


def show_space(lines: list[str], report: dict[str, Any]) -> None:
    """How much space it gave back, if anything went."""
    out(f"Total reclaimed space: {human_size(report.get('SpaceReclaimed', 0) if lines else 0)}\n")
