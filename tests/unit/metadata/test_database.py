"""The database: transactions, grouped commits, references, a broken file."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator

import pytest

from dockwright.metadata import Database, references


@pytest.fixture
def database(tmp_path: str) -> Iterator[Database]:
    database = Database.open(f"{tmp_path}/metadata.db")
    database.migrate("test", ["CREATE TABLE thing (name TEXT PRIMARY KEY)"])
    yield database
    database.close()


def insert(name: str):  # type: ignore[no-untyped-def]
    return lambda connection: connection.execute("INSERT INTO thing VALUES (?)", (name,)).rowcount


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.read().execute("SELECT name FROM thing ORDER BY name")]


def test_a_failed_job_undoes_only_itself(database: Database) -> None:
    async def run() -> list[object]:
        jobs = [database.write(insert(name), durable=False) for name in ("a", "b", "a", "c")]
        return await asyncio.gather(*jobs, return_exceptions=True)

    results = asyncio.run(run())
    assert [type(r) for r in results] == [int, int, sqlite3.IntegrityError, int]
    assert names(database) == ["a", "b", "c"]


def test_an_exception_rolls_back_what_its_function_did(database: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO thing VALUES ('half')")
        raise KeyError("no")

    with pytest.raises(KeyError):
        asyncio.run(database.write(half))
    assert names(database) == []


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError):
        database.read().execute("INSERT INTO thing VALUES ('x')")


def test_migrations_run_once(database: Database) -> None:
    database.migrate("test", ["CREATE TABLE thing (name TEXT)", "ALTER TABLE thing ADD COLUMN size INTEGER"])
    database.migrate("test", ["", "ALTER TABLE thing ADD COLUMN size INTEGER"])
    assert [row["name"] for row in database.read().execute("PRAGMA table_info(thing)")] == ["name", "size"]


def test_references_tell_who_uses_what(database: Database) -> None:
    def note(connection: sqlite3.Connection) -> None:
        references.add(connection, "container", "c1", "image", "i1")
        references.add(connection, "container", "c1", "volume", "v1")
        references.add(connection, "container", "c2", "image", "i1")
        references.drop_owner(connection, "container", "c2")

    asyncio.run(database.write(note))
    assert references.users(database.read(), "image", "i1") == [("container", "c1")]
    assert references.targets(database.read(), "container", "c1") == [("image", "i1"), ("volume", "v1")]


def test_a_broken_file_is_set_aside_and_not_deleted(tmp_path: str) -> None:
    path = f"{tmp_path}/metadata.db"
    with open(path, "wb") as file:
        file.write(b"SQLite format 3\0" + b"nonsense" * 1000)
    Database.open(path).close()
    assert [name for name in os.listdir(tmp_path) if ".broken-" in name]


def test_a_write_after_the_close_is_refused(tmp_path):
    from dockwright.base.errors import Internal

    async def work():
        database = Database.open(str(tmp_path / "db"))
        await database.write(lambda c: c.execute("CREATE TABLE t (x)"))
        database.close()
        with pytest.raises(Internal, match="closed"):
            await database.write(lambda c: None)

    asyncio.run(work())


def filled(database: Database) -> None:
    """From now on there is room for nothing, until the reserve is given up."""
    (pages,) = database._writer.execute("PRAGMA page_count").fetchone()
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    give_up = database._give_up_reserve

    def freed() -> bool:
        if given := give_up():
            database._writer.execute(f"PRAGMA max_page_count = {pages + 50}")
        return given

    database._give_up_reserve = freed  # type: ignore[method-assign]


def test_on_a_full_disk_the_reserve_is_for_what_does_not_grow(database: Database) -> None:
    async def run() -> None:
        long = "x" * 5000  # a page of its own
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await database.write(insert(f"new {long}"), grows=True)
        assert os.path.exists(f"{database.path}.reserve")
        both = [database.write(insert(f"new {long}"), grows=True), database.write(insert(f"end {long}"))]
        new, end = await asyncio.gather(*both, return_exceptions=True)
        assert isinstance(new, sqlite3.OperationalError) and end == 1

    filled(database)
    asyncio.run(run())
    assert [name[:3] for name in names(database)] == ["end"]
