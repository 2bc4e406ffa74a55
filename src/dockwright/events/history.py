"""Events in the database, so that `since` also finds what an earlier daemon has told.

Events are written a moment later, several in one commit: nobody's start waits for them. A daemon that is killed loses that
moment.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from dockwright.events.message import Event

MIGRATIONS = [
    "CREATE TABLE event (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, document TEXT NOT NULL);"
    "CREATE INDEX event_time ON event (time)"
]
MOST = 20_000  # events that are kept
AGE = 7 * 24 * 3600 * 1_000_000_000  # ns that they are kept
MOMENT = 0.1  # seconds until events are written
_TRIMMED = 500  # events between two looks at what is too old
_PAGE = 500  # events read at a time
Rows = list[tuple[int, str]]


class Storage(Protocol):
    """What is needed of the database (`metadata.Database`)."""

    def migrate(self, room: str, steps: Sequence[str]) -> None:
        """Apply those of a room's steps that were not applied yet."""

    def queue(
        self, function: Callable[[sqlite3.Connection], Any], durable: bool = True, grows: bool = False
    ) -> "asyncio.Future[Any]":
        """Run a function in a transaction, without waiting."""

    def read(self) -> sqlite3.Connection:
        """A read-only connection of the calling thread."""


class History:
    """The events of the last week, at most 20,000."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._waiting: Rows = []
        self._timer: asyncio.TimerHandle | None = None
        self._written = _TRIMMED  # the first write looks, too
        storage.migrate("events", MIGRATIONS)

    def note(self, event: Event) -> None:
        """Keep an event; it is written soon."""
        self._waiting.append((event["timeNano"], json.dumps(event, separators=(",", ":"), ensure_ascii=False)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._write)

    def _write(self) -> "asyncio.Future[Any] | None":
        if self._timer:
            self._timer.cancel()
            self._timer = None
        rows, self._waiting = self._waiting, []
        if not rows:
            return None
        self._written += len(rows)
        trim, self._written = self._written > _TRIMMED, self._written % _TRIMMED
        written = self._storage.queue(lambda connection: _insert(connection, rows, trim), durable=False, grows=True)
        written.add_done_callback(lambda done: done.cancelled() or done.exception())  # a full disk keeps no history
        return written

    async def flush(self) -> None:
        """Write what waits. A failure loses it: events are no reason to fail anything else."""
        written = self._write()
        if written:
            await asyncio.wait([written])

    async def between(self, since: int, before: int) -> AsyncIterator[Event]:
        """The events of [since, before) in nanoseconds, oldest first."""
        await self.flush()
        last = 0
        while page := await asyncio.to_thread(self._page, since, before, last):
            for _, document in page:
                yield json.loads(document)
            last = page[-1][0]

    def _page(self, since: int, before: int, last: int) -> Rows:
        rows = self._storage.read().execute(
            "SELECT id, document FROM event WHERE id > ? AND time >= ? AND time < ? ORDER BY id LIMIT ?",
            (last, since, before, _PAGE),
        )
        return [(row[0], row[1]) for row in rows.fetchall()]


def _insert(connection: sqlite3.Connection, rows: Rows, trim: bool) -> None:
    connection.executemany("INSERT INTO event (time, document) VALUES (?, ?)", rows)
    if trim:
        old = "DELETE FROM event WHERE time < ? OR id <= (SELECT max(id) FROM event) - ?"
        connection.execute(old, (time.time_ns() - AGE, MOST))
