"""Images made of images: which one an image was committed on, as rows of `reference` (an image uses its parent).

An image that only is a parent, without a name of its own, is part of its children: lists leave it out, and it goes with the
last of them. What is loaded or pulled has no parent, as with Docker.
"""

import sqlite3

from dockwright.metadata import references

KIND = "image"


def note(connection: sqlite3.Connection, child: str, parent: str) -> None:
    """`child` was made of `parent`."""
    references.add(connection, KIND, child, KIND, parent)


def of(connection: sqlite3.Connection, ident: str) -> str:
    """The parent of an image, "" if it has none."""
    found = [target for kind, target in references.targets(connection, KIND, ident) if kind == KIND]
    return found[0] if found else ""


def children(connection: sqlite3.Connection, ident: str) -> list[str]:
    """The images that were made of this one."""
    return [owner for kind, owner in references.users(connection, KIND, ident) if kind == KIND]


def every(connection: sqlite3.Connection) -> dict[str, str]:
    """The parents of all images that have one."""
    rows = connection.execute("SELECT owner, target FROM reference WHERE owner_kind = ? AND target_kind = ?", (KIND, KIND))
    return {row["owner"]: row["target"] for row in rows}


def descendants(connection: sqlite3.Connection, ident: str) -> set[str]:
    """An image, and those that were made of it, and of them."""
    found, waiting = set[str](), [ident]
    while waiting:
        found.add(waiting[-1])
        waiting += children(connection, waiting.pop())
    return found
