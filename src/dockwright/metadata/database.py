"""The engine's database: SQLite in WAL mode, one writer thread, readers anywhere.

Writes are functions run on the writer thread. What waits there together is committed together: one fsync serves all.
Durable writes (what the user asked for) commit with synchronous=FULL; the others (run state, addresses, --rm containers)
with NORMAL, which after a power cut may lose the last of them but never corrupts (sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from dockwright.base.errors import Internal

log = logging.getLogger("dockwright.metadata")
T = TypeVar("T")

SOON = 0.02  # seconds that a write nobody waits for is put off at most
GROUP = 64  # jobs that share one commit at most
RESERVE = 1 << 20  # bytes set aside beside the database: on a full disk they let a removal be written


class _Job(NamedTuple):
    """A write that waits for its turn."""

    function: Callable[[sqlite3.Connection], Any]
    durable: bool
    grows: bool
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"


_Answer = tuple[_Job, Any, BaseException | None]  # what its function returned, or why it failed by itself


class Database:
    """One database file and its writer thread. Make it with `Database.open`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._writer = _connect(path)
        self._writer.execute("CREATE TABLE IF NOT EXISTS migration (room TEXT, step INTEGER, PRIMARY KEY (room, step))")
        self._writer.execute(
            "CREATE TABLE IF NOT EXISTS reference (owner_kind TEXT NOT NULL, owner TEXT NOT NULL,"
            " target_kind TEXT NOT NULL, target TEXT NOT NULL,"
            " PRIMARY KEY (owner_kind, owner, target_kind, target)) WITHOUT ROWID"
        )
        self._writer.execute("CREATE INDEX IF NOT EXISTS reference_target ON reference (target_kind, target)")
        self._thread: threading.Thread | None = None
        self._synchronous = ""
        self._later: list[_Job] = []
        self._flush: asyncio.TimerHandle | None = None
        self._reserved = self._closed = False
        self._reserve()

    @classmethod
    def open(cls, path: str) -> "Database":
        """Open or make the database at `path`. A file that fails its integrity check is set aside, never deleted.

        Raises:
            Internal: the file cannot be opened.
        """
        try:
            if os.path.exists(path) and not _sound(path):
                _set_aside(path)
            return cls(path)
        except sqlite3.Error as error:
            raise Internal(f"failed to open the metadata database {path}: {error}") from error

    def migrate(self, room: str, steps: Sequence[str]) -> None:
        """Apply those of a room's `steps` (SQL scripts) that were not applied yet, each in one transaction. At start only."""
        done = {row[0] for row in self._writer.execute("SELECT step FROM migration WHERE room = ?", (room,))}
        for number, script in enumerate(steps):
            if number not in done:
                self._writer.executescript(
                    f"BEGIN; {script}; INSERT INTO migration VALUES ('{room}', {number}); COMMIT;"
                )

    async def write(
        self, function: Callable[[sqlite3.Connection], T], durable: bool = True, grows: bool = False
    ) -> T:
        """Run `function(connection)` on the writer thread, as a transaction of its own, and wait for its commit.

        Args:
            function: must neither commit nor roll back. An exception of its own rolls back what it did, and only that.
            durable: survive a power cut.
            grows: it is about something new: on a full disk the reserve is not for it.

        Raises:
            sqlite3.Error: also when the commit itself failed (disk full); nothing of the group is stored then.
        """
        return await asyncio.shield(self.queue(function, durable, grows))

    def queue(
        self, function: Callable[[sqlite3.Connection], T], durable: bool = True, grows: bool = False
    ) -> "asyncio.Future[T]":
        """Like `write`, without waiting: what is queued first is committed first, and the caller can work meanwhile."""
        job = self._job(function, durable, grows)
        self._hand_over(job)
        return job.future

    def write_soon(
        self, function: Callable[[sqlite3.Connection], T], put_off: bool = False, grows: bool = False
    ) -> None:
        """A write that nobody waits for, since the kernel can tell it again after a crash. A failure is logged.

        Args:
            put_off: it goes with the next write, or by itself a moment later: each commit costs everybody a change of threads.
            grows: as of `write`.
        """
        if not put_off:
            self.queue(function, False, grows).add_done_callback(_complain)
            return
        job = self._job(function, False, grows)
        job.future.add_done_callback(_complain)
        self._later.append(job)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(SOON, self._hand_over)

    def _job(self, function: Callable[[sqlite3.Connection], T], durable: bool, grows: bool = False) -> _Job:
        if self._closed:
            raise Internal("the metadata database is closed")
        loop = asyncio.get_running_loop()
        return _Job(function, durable, grows, loop, loop.create_future())

    def _hand_over(self, *jobs: _Job) -> None:
        """Give the writer what was put off, and then `jobs`."""
        if self._flush:
            self._flush.cancel()
            self._flush = None
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="metadata-writer", daemon=True)
            self._thread.start()
        later, self._later = self._later, []
        for job in (*later, *jobs):
            self._jobs.put(job)

    def write_now(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a durable write at once. Only before the event loop runs (start) or after it ended.

        Raises:
            RuntimeError: the writer thread is running.
        """
        if self._thread is not None:
            raise RuntimeError("the writer thread owns the connection")
        with self._writer:
            self._writer.execute("BEGIN IMMEDIATE")
            return function(self._writer)

    def read(self) -> sqlite3.Connection:
        """A read-only connection of the calling thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Finish what is queued and close the writer; a write that comes later is refused."""
        self._closed = True
        if self._later:
            self._hand_over()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._writer.close()

    def _work(self) -> None:
        """The writer thread: take what waits, run it, commit it together."""
        open_ = True
        while open_:
            group = [self._jobs.get()]
            while len(group) < GROUP and group[-1] is not None and not self._jobs.empty():
                group.append(self._jobs.get())
            if group[-1] is None:
                open_ = False
                group.pop()
            jobs = [job for job in group if job is not None]
            if jobs:
                self._commit(jobs)

    def _commit(self, jobs: list[_Job]) -> None:
        """Run and commit jobs; where the disk is full, once more with the reserve given up, if there is a job that it is for."""
        answers, failure = self._attempt(jobs)
        if failure and _full(failure) and (entitled := [job for job in jobs if not job.grows]) and self._give_up_reserve():
            _tell([answer for answer in answers if answer[0].grows], failure)
            answers, failure = self._attempt(entitled)
        _tell(answers, failure)
        if not self._reserved and not failure:
            self._reserve()

    def _attempt(self, jobs: list[_Job]) -> tuple[list[_Answer], sqlite3.Error | None]:
        """The answer of each job, and why none of them counts."""
        synchronous = "FULL" if any(job.durable for job in jobs) else "NORMAL"
        try:
            if synchronous != self._synchronous:
                self._writer.execute(f"PRAGMA synchronous = {synchronous}")
                self._synchronous = synchronous
            self._writer.execute("BEGIN IMMEDIATE")
            answers = [(job, *self._run(job)) for job in jobs] if len(jobs) > 1 else [(jobs[0], *self._alone(jobs[0]))]
            if self._writer.in_transaction:
                self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return [(job, None, error) for job in jobs], error
        return answers, None

    def _reserve(self) -> None:
        """Set the reserve aside, if the disk has room for it."""
        path = f"{self.path}.reserve"
        try:
            with open(path, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE)
            self._reserved = True
        except OSError:
            self._give_up_reserve()

    def _give_up_reserve(self) -> bool:
        """Free the reserve; False if there is none."""
        self._reserved = False
        try:
            os.unlink(f"{self.path}.reserve")
        except FileNotFoundError:
            return False
        return True

    def _alone(self, job: _Job) -> tuple[Any, BaseException | None]:
        """The only job of a transaction; its failure undoes all of it."""
        try:
            return job.function(self._writer), None
        except Exception as error:
            if _full(error):
                raise
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return None, error

    def _run(self, job: _Job) -> tuple[Any, BaseException | None]:
        """One job inside the group's transaction; its own failure undoes only its own part."""
        self._writer.execute("SAVEPOINT job")
        try:
            value = job.function(self._writer)
        except Exception as error:
            if _full(error):
                raise  # it ends the whole transaction
            self._writer.execute("ROLLBACK TO job")
            self._writer.execute("RELEASE job")
            return None, error  # it belongs to whoever asked, and is handed to them
        self._writer.execute("RELEASE job")
        return value, None


def _full(error: Exception) -> bool:
    """Whether SQLite found no room on the disk."""
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def _tell(answers: list[_Answer], failure: BaseException | None) -> None:
    """Hand their answers to those who wait."""
    for job, value, own in answers:
        job.loop.call_soon_threadsafe(_settle, job.future, value, own or failure)


def _settle(future: "asyncio.Future[Any]", value: Any, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(value)
    else:
        future.set_exception(failure)


def _complain(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled() and (error := future.exception()):
        log.error("a write to the metadata database failed: %s", error)


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _sound(path: str) -> bool:
    """Whether the file passes SQLite's quick check."""
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


def _set_aside(path: str) -> None:
    """Rename a broken database and its companions, so that a person can look at them."""
    suffix = time.strftime(".broken-%Y%m%d%H%M%S", time.gmtime())
    for companion in ("", "-wal", "-shm"):
        if os.path.exists(path + companion):
            os.rename(path + companion, path + suffix + companion)
