"""Events that outlive the daemon."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from dockwright.events import EventBus, History, history
from dockwright.metadata import Database


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "metadata.db")


def told(path: str, work: Any) -> Any:
    """Run `work(bus)` with a daemon's database that is closed afterwards."""

    async def run() -> Any:
        database = Database.open(path)
        bus = EventBus(History(database))
        result = await work(bus)
        await bus.close()
        database.close()
        return result

    return asyncio.run(run())


async def heard(bus: EventBus, **wanted: Any) -> list[str]:
    with bus.subscribe(**wanted) as listener:
        return [event["Actor"]["ID"] async for event in listener]


def publishing(*names: str) -> Any:
    async def work(bus: EventBus) -> list[int]:
        return [bus.publish("container", "start", name, {"name": name})["timeNano"] for name in names]

    return work


def test_another_daemon_finds_them_in_their_order(path: str) -> None:
    told(path, publishing("a", "b"))
    told(path, publishing("c"))
    assert told(path, lambda bus: heard(bus, since=0, until=time.time_ns())) == ["a", "b", "c"]


def test_old_ones_then_new_ones_then_live_ones_each_once(path: str) -> None:
    names = [str(number) for number in range(1200)]  # pages, the ring, and what the ring has lost
    told(path, publishing(*names[:700]))

    async def work(bus: EventBus) -> list[str]:
        await publishing(*names[700:1199])(bus)
        listener = bus.subscribe(since=0)
        await publishing(names[1199])(bus)
        listener.close()
        return [event["Actor"]["ID"] async for event in listener]

    assert told(path, work) == names


def test_since_until_and_filters(path: str) -> None:
    times = told(path, publishing("a", "b", "c", "d"))

    async def work(bus: EventBus) -> list[list[str]]:
        return [
            await heard(bus, since=times[1], until=times[2]),
            await heard(bus, until=times[1]),
            await heard(bus, since=0, until=times[3], filters={"container": ["c"]}),
            await heard(bus, since=times[3] + 1, until=time.time_ns()),
        ]

    assert told(path, work) == [["b", "c"], ["a", "b"], ["c"], []]


def test_what_is_old_goes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 10)
    monkeypatch.setattr(history, "_TRIMMED", 5)
    told(path, publishing(*(str(number) for number in range(40))))
    told(path, publishing("last"))
    rows = sqlite3.connect(path).execute("SELECT count(*) FROM event").fetchone()
    assert rows[0] == 10


def test_a_database_that_fails_fails_nobody_else(path: str) -> None:
    async def work(bus: EventBus) -> list[str]:
        database = Database.open(path + "2")
        broken = EventBus(History(database))
        database.read()
        await database.write(lambda c: c.execute("DROP TABLE event"))
        broken.publish("container", "start", "a")
        await broken.close()
        database.close()
        with broken.subscribe(until=time.time_ns()) as listener:
            return [event["Actor"]["ID"] for event in listener._queue]

    assert told(path, work) == ["a"]
