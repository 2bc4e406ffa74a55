"""Who uses what, as rows: in-use rules are read here, written in the owner's own transaction (DECISIONS 31)."""

import sqlite3

Row = tuple[str, str]


def add(connection: sqlite3.Connection, owner_kind: str, owner: str, target_kind: str, target: str) -> None:
    """Note that `owner` uses `target`; noting it twice is fine."""
    connection.execute("INSERT OR IGNORE INTO reference VALUES (?, ?, ?, ?)", (owner_kind, owner, target_kind, target))


def drop(connection: sqlite3.Connection, owner_kind: str, owner: str, target_kind: str, target: str) -> None:
    """Take one note back."""
    connection.execute(
        "DELETE FROM reference WHERE owner_kind = ? AND owner = ? AND target_kind = ? AND target = ?",
        (owner_kind, owner, target_kind, target),
    )


def drop_owner(connection: sqlite3.Connection, owner_kind: str, owner: str) -> None:
    """Take back everything noted for an owner that goes away."""
    connection.execute("DELETE FROM reference WHERE owner_kind = ? AND owner = ?", (owner_kind, owner))


def users(connection: sqlite3.Connection, target_kind: str, target: str) -> list[Row]:
    """(owner kind, owner) of everything that uses `target`."""
    rows = connection.execute(
        "SELECT owner_kind, owner FROM reference WHERE target_kind = ? AND target = ? ORDER BY owner_kind, owner",
        (target_kind, target),
    )
    return [(row[0], row[1]) for row in rows]


def targets(connection: sqlite3.Connection, owner_kind: str, owner: str) -> list[Row]:
    """(target kind, target) of everything an owner uses."""
    rows = connection.execute(
        "SELECT target_kind, target FROM reference WHERE owner_kind = ? AND owner = ? ORDER BY target_kind, target",
        (owner_kind, owner),
    )
    return [(row[0], row[1]) for row in rows]
