"""What the API says of volumes, and which of them a filter means."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.base.times import ZERO
from dockwright.volumes.store import Volume

Filters = dict[str, list[str]]
LIST = ("dangling", "driver", "label", "name")
PRUNE = ("all", "label", "label!")
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


def document(volume: Volume, mountpoint: str, scope: str = "local") -> dict[str, Any]:
    """One volume."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(volume.created))
    return {
        "CreatedAt": created, "Driver": volume.driver, "Labels": volume.labels, "Mountpoint": mountpoint, "Name": volume.name,
        "Options": volume.options, "Scope": scope,
    }  # fmt: skip


def told(volume: Volume, scope: str, said: dict[str, Any]) -> dict[str, Any]:
    """One volume, with what its plug-in says of it; without a row nobody knows more, not even when it was made."""
    shown = document(volume, "", scope)
    return {**shown, **({} if volume.created else {"CreatedAt": ZERO}), **said}


def check(filters: Filters, known: Sequence[str]) -> None:
    """Refuse filters that do not exist.

    Raises:
        InvalidParameter: in Docker's words.
    """
    for name in filters:
        if name not in known:
            raise InvalidParameter(f"invalid filter '{name}'")


def truth(filters: Filters, name: str) -> bool | None:
    """A filter that is true or false; None if it is not given or says both.

    Raises:
        InvalidParameter: in Docker's words.
    """
    given = filters.get(name) or []
    for value in given:
        if value.lower() not in _TRUE + _FALSE:
            raise InvalidParameter(f"invalid filter '{name}=[{' '.join(given)}]'")
    says = {value.lower() in _TRUE for value in given}
    return says.pop() if len(says) == 1 else None


def listed(volumes: list[Volume], filters: Filters, in_use: Callable[[str], bool]) -> list[Volume]:
    """The volumes that GET /volumes shows.

    Raises:
        InvalidParameter: an unknown filter, a bad value.
    """
    check(filters, LIST)
    dangling = truth(filters, "dangling")
    chosen = [v for v in volumes if _named(v, filters.get("name")) and _labelled(v, filters.get("label"))]
    if drivers := filters.get("driver"):
        chosen = [v for v in chosen if v.driver in drivers]
    return [v for v in chosen if dangling is None or in_use(v.name) != dangling]


def prunable(volumes: list[Volume], filters: Filters, everything: bool) -> list[Volume]:
    """The volumes that a prune takes if nobody uses them.

    Args:
        everything: also named ones (clients before 1.42).

    Raises:
        InvalidParameter: an unknown filter, a bad value.
    """
    check(filters, PRUNE)
    everything = bool(truth(filters, "all")) or everything
    spared = filters.get("label!") or []
    return [
        v
        for v in volumes
        if (everything or v.anonymous)
        and not v.options
        and _labelled(v, filters.get("label"))
        and not any(_labelled(v, [label]) for label in spared)
    ]


def _named(volume: Volume, patterns: Sequence[str] | None) -> bool:
    """By a regular expression, found anywhere in the name."""
    return not patterns or any(_matches(pattern, volume.name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _labelled(volume: Volume, wanted: Sequence[str] | None) -> bool:
    """All of them must be there."""
    own = volume.labels or {}
    for label in wanted or ():
        key, equals, value = label.partition("=")
        if key not in own or (equals and own[key] != value):
            return False
    return True
