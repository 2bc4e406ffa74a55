"""A volume as a row. Its state is `ready`, or `removing` from the decision to remove it until its directory is in the trash."""

import json
import sqlite3
from dataclasses import dataclass

from dockwright.base.errors import Conflict
from dockwright.base.ids import new_id
from dockwright.metadata import references

ANONYMOUS = "com.docker.volume.anonymous"
MIGRATIONS = [
    """
    CREATE TABLE volume (name TEXT PRIMARY KEY, state TEXT NOT NULL, created INTEGER NOT NULL, options TEXT NOT NULL,
                         labels TEXT NOT NULL)
    """,
    "ALTER TABLE volume ADD COLUMN driver TEXT NOT NULL DEFAULT 'local'",
]


@dataclass(frozen=True)
class Request:
    """What a volume should be, if it is not there yet. driver: "" for whichever it is of, the local one if it is new."""

    name: str
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    driver: str = ""


def fresh(labels: dict[str, str] | None, options: dict[str, str] | None = None, driver: str = "") -> Request:
    """A volume that nobody has given a name: 64 hex digits and a label, by which `prune` knows it."""
    return Request(new_id(), options, {**(labels or {}), ANONYMOUS: ""}, driver)


@dataclass(frozen=True)
class Volume:
    """A volume. created: seconds since the epoch. labels, options: None where none were given."""

    name: str
    created: int
    options: dict[str, str] | None
    labels: dict[str, str] | None
    driver: str = "local"

    @property
    def anonymous(self) -> bool:
        """Whether nobody has given it a name."""
        return ANONYMOUS in (self.labels or {})


def _volume(row: sqlite3.Row) -> Volume:
    return Volume(row["name"], row["created"], json.loads(row["options"]), json.loads(row["labels"]), row["driver"])


def find(connection: sqlite3.Connection, name: str) -> Volume | None:
    """The volume of that name, unless it is being removed."""
    row = connection.execute("SELECT * FROM volume WHERE name = ? AND state = 'ready'", (name,)).fetchone()
    return _volume(row) if row else None


def every(connection: sqlite3.Connection) -> list[Volume]:
    """All volumes, by name."""
    return [_volume(row) for row in connection.execute("SELECT * FROM volume WHERE state = 'ready' ORDER BY name")]


def ensure(connection: sqlite3.Connection, request: Request, now: int) -> tuple[Volume, bool]:
    """The volume that was asked for and whether it is new; one that is there stays as it is.

    Raises:
        Conflict: its removal is under way, or it is of another driver.
    """
    if found := find(connection, request.name):
        if request.driver not in ("", found.driver):
            text = f"driver '{found.driver}' already has volume '{found.name}': volume name must be unique"
            raise Conflict(f"create {request.name}: {text}")
        return found, False
    if request.name in condemned(connection):
        raise Conflict(f"create {request.name}: the volume is being removed")
    made = Volume(request.name, now, _sorted(request.options), _sorted(request.labels), request.driver or "local")
    row = (made.name, now, json.dumps(made.options), json.dumps(made.labels), made.driver)
    connection.execute("INSERT INTO volume VALUES (?, 'ready', ?, ?, ?, ?)", row)
    return made, True


def _sorted(given: dict[str, str] | None) -> dict[str, str] | None:
    """By key, as Go prints maps; no options are null, no labels are what they were."""
    return given and dict(sorted(given.items()))


def users(connection: sqlite3.Connection, name: str) -> list[str]:
    """The ids of the containers that use a volume, stopped ones too."""
    return [owner for _, owner in references.users(connection, "volume", name)]


def refuse_used(connection: sqlite3.Connection, name: str) -> None:
    """Raises Conflict, in Docker's words, while a container uses a volume."""
    if owners := users(connection, name):
        raise Conflict(f"remove {name}: volume is in use - [{', '.join(owners)}]")


def condemn(connection: sqlite3.Connection, name: str) -> None:
    """Decide that a volume goes: from here on it is not found any more.

    Raises:
        Conflict: in Docker's words, while a container uses it.
    """
    refuse_used(connection, name)
    connection.execute("UPDATE volume SET state = 'removing' WHERE name = ?", (name,))


def condemn_unused(connection: sqlite3.Connection, name: str) -> Volume | None:
    """`condemn` unless somebody uses it or it has gone; returns which it was."""
    volume = find(connection, name)
    if volume is None or users(connection, name):
        return None
    condemn(connection, name)
    return volume


def spare(connection: sqlite3.Connection, name: str) -> None:
    """Take `condemn` back: it could not be removed."""
    connection.execute("UPDATE volume SET state = 'ready' WHERE name = ? AND state = 'removing'", (name,))


def condemned(connection: sqlite3.Connection) -> dict[str, str]:
    """Names and drivers of those whose removal has begun."""
    rows = connection.execute("SELECT name, driver FROM volume WHERE state = 'removing'")
    return {row["name"]: row["driver"] for row in rows}


def drop(connection: sqlite3.Connection, name: str) -> None:
    """Forget a condemned volume."""
    connection.execute("DELETE FROM volume WHERE name = ? AND state = 'removing'", (name,))
