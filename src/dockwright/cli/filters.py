"""`--filter name=value` as the API takes it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.grammar.flags import Given


def filters_of(given: Given, *more: tuple[str, str]) -> dict[str, dict[str, bool]] | None:
    """The filters as `{"name": {"value": true}}`; None if there are none."""
    found: dict[str, dict[str, bool]] = {}
    for name, value in [*given.list("filter"), *more]:
        found.setdefault(name, {})[value] = True
    return {name: dict(sorted(values.items())) for name, values in sorted(found.items())} or None
