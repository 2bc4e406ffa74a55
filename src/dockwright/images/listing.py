"""Images as lists see them: a row each, without their configs; and which of them filters mean."""

import functools
import sqlite3
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from dockwright.base.errors import InvalidParameter
from dockwright.grammar import reference
from dockwright.images import created
from dockwright.images.glob import matches
from dockwright.images.store import Image

_TRUE, _FALSE = ("1", "true", "t", "T", "TRUE", "True"), ("0", "false", "f", "F", "FALSE", "False")
Filters = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Listed:
    """One image.

    Attributes:
        created: when it was made, ns since the epoch; 0 if it does not say. parent: id of the image it was built on here, "" if
            none. tags, digests: its names as users write them. is_head: no other image was built on it.
    """

    id: str
    created: int
    labels: dict[str, str] | None
    parent: str
    size: int
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    is_head: bool


Test = Callable[[Listed], bool] | None  # None: all pass


def every(connection: sqlite3.Connection) -> list[Listed]:
    """All images."""
    tags = _names(connection, "SELECT image, name FROM image_tag ORDER BY name")
    digests = _names(connection, "SELECT image, name || '@' || digest AS name FROM image_digest ORDER BY name, digest")
    rows = connection.execute("SELECT id, created, labels, parent, size FROM image ORDER BY id").fetchall()
    parents = {row["parent"] for row in rows}
    return [
        Listed(
            row["id"], _moment(row["created"]), msgspec.json.decode(row["labels"]), row["parent"], row["size"],
            tuple(tags.get(row["id"], ())), tuple(digests.get(row["id"], ())), row["id"] not in parents,
        )
        for row in rows
    ]  # fmt: skip


@functools.lru_cache(4096)
def _moment(text: str) -> int:
    return created.nanoseconds(text) or 0


def _names(connection: sqlite3.Connection, query: str) -> dict[str, list[str]]:
    """The familiar forms of names in their full form, by image."""
    found: dict[str, list[str]] = {}
    for image, name in connection.execute(query):
        found.setdefault(image, []).append(reference.familiar(name))
    return found


def filtered(images: Collection[Listed], filters: Filters, resolve: Callable[[str], Image]) -> list[Listed]:
    """The images that pass dangling, label, label!, before, since and until, newest first.

    Raises:
        InvalidParameter: a bad value. NotFound: `before` or `since` of no image.
    """
    for test in (_dangling(filters), _labelled(filters), *_dated(filters, resolve)):
        images = [image for image in images if test(image)] if test else images
    return sorted(images, key=lambda image: image.created, reverse=True)


def truth(filters: Filters, name: str) -> bool | None:
    """A filter that says yes or no; None if it is not there.

    Raises:
        InvalidParameter: it says something else, or both.
    """
    values = filters.get(name) or []
    wanted = {value in _TRUE for value in values}
    if len(wanted) > 1 or any(value not in _TRUE + _FALSE for value in values):
        raise InvalidParameter(f"invalid filter '{name}=[{' '.join(values)}]'")
    return wanted.pop() if wanted else None


def _dangling(filters: Filters) -> Test:
    """Dangling is what has no tag; what has a digest all the same is in both lists, and what others are built on in neither."""
    wanted = truth(filters, "dangling")
    if wanted is None:
        return None
    if wanted:
        return lambda image: not image.tags and image.is_head
    return lambda image: bool(image.tags or image.digests)


def _labelled(filters: Filters) -> Test:
    """All of `label`, none of `label!`."""
    wanted, unwanted = filters.get("label") or (), filters.get("label!") or ()
    if not wanted and not unwanted:
        return None

    def has(image: Listed, text: str) -> bool:
        key, equals, value = text.partition("=")
        own = image.labels or {}
        return key in own and (not equals or own[key] == value)

    return lambda image: all(has(image, text) for text in wanted) and not any(has(image, text) for text in unwanted)


def _dated(filters: Filters, resolve: Callable[[str], Image]) -> list[Test]:
    """before and since an image, until a moment; all of them strict, all of them together."""
    upper = [resolve(name).created for name in filters.get("before") or ()]
    upper += [created.moment(text, time.time_ns()) for text in filters.get("until") or ()]
    lower = [resolve(name).created for name in filters.get("since") or ()]
    tests: list[Test] = []
    if upper:
        tests.append(lambda image: image.created < min(upper))
    if lower:
        tests.append(lambda image: image.created > max(lower))
    return tests


def named(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern: as users write it or whole, with or without its tag.

    Raises:
        InvalidParameter: the pattern is none.
    """
    parsed = reference.parse(name)
    forms = (name, parsed.familiar_name, parsed.name, str(parsed))
    try:
        return any(matches(pattern, form) for form in forms)
    except ValueError:
        raise InvalidParameter("syntax error in pattern") from None
