"""A shape is a table of rules; a rule says what a document looked like before a version.

Documents come from the managers in the newest shape and are changed in place: they are made for one answer.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dockwright.api.versions import Version

Document = dict[str, Any]
EACH = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """Below version `before`, `change` is applied to each dictionary at `path`.

    Attributes:
        path: keys from the top; `*` stands for each value of a dictionary.
    """

    before: Version
    path: tuple[str, ...]
    change: Callable[[Document], None]


def without(*keys: str) -> Callable[[Document], None]:
    """The change that takes fields away which did not exist yet."""

    def change(document: Document) -> None:
        for key in keys:
            document.pop(key, None)

    return change


def with_(**fields: Any) -> Callable[[Document], None]:
    """The change that gives fields back which have gone since."""

    def change(document: Document) -> None:
        for key, value in fields.items():
            document.setdefault(key, value)

    return change


def copied(target: str, source: str) -> Callable[[Document], None]:
    """The change that gives back a field which was the same as another one."""

    def change(document: Document) -> None:
        if source in document:
            document.setdefault(target, document[source])

    return change


def shaped(document: Document, version: Version, rules: Iterable[Rule]) -> Document:
    """`document` as it looks in `version`."""
    for rule in rules:
        if version < rule.before:
            for place in _places(document, rule.path):
                rule.change(place)
    return document


def _places(document: Any, path: tuple[str, ...]) -> Iterator[Document]:
    if not isinstance(document, dict):
        return
    if not path:
        yield document
    elif path[0] == EACH:
        for value in document.values():
            yield from _places(value, path[1:])
    else:
        yield from _places(document.get(path[0]), path[1:])
