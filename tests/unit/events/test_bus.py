"""The event bus: shape of an event, history, until, backlog."""

import asyncio
import time

import pytest

from dockwright.events import EventBus
from dockwright.events.bus import BACKLOG, RING


async def collect(subscription):
    return [event["Action"] async for event in subscription]


def test_container_events_carry_the_old_fields():
    event = EventBus().publish("container", "start", "abc", {"image": "busybox", "name": "x"})
    assert list(event) == ["status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"]
    assert (event["status"], event["id"], event["from"], event["scope"]) == ("start", "abc", "busybox", "local")
    assert event["Actor"] == {"ID": "abc", "Attributes": {"image": "busybox", "name": "x"}}
    assert event["time"] == event["timeNano"] // 10**9


def test_network_events_do_not():
    assert "status" not in EventBus().publish("network", "connect", "n1", {"name": "bridge"})


def test_image_events_have_no_from():
    event = EventBus().publish("image", "tag", "sha256:1", {"name": "a:1"})
    assert event["id"] == "sha256:1"
    assert "from" not in event


def test_a_listener_hears_only_what_comes_after_it():
    async def run():
        bus = EventBus()
        bus.publish("container", "create", "a")
        with bus.subscribe() as listener:
            bus.publish("container", "start", "a")
            assert bus.listeners == 1
        assert bus.listeners == 0
        return await collect(listener)

    assert asyncio.run(run()) == ["start"]


def test_since_reads_the_ring_and_goes_on():
    async def run():
        bus = EventBus()
        bus.publish("container", "create", "a")
        since = bus.publish("container", "start", "a")["timeNano"]
        listener = bus.subscribe(since=since)
        bus.publish("container", "die", "a")
        listener.close()
        return await collect(listener)

    assert asyncio.run(run()) == ["start", "die"]


def test_until_in_the_past_ends_at_once_with_the_history():
    async def run():
        bus = EventBus()
        last = bus.publish("container", "create", "a")["timeNano"]
        return await collect(bus.subscribe(until=last))

    assert asyncio.run(run()) == ["create"]


def test_until_in_the_future_ends_then():
    async def run():
        bus = EventBus()
        listener = bus.subscribe(until=time.time_ns() + 30_000_000)
        bus.publish("container", "create", "a")
        actions = await collect(listener)
        assert bus.listeners == 0
        return actions

    assert asyncio.run(run()) == ["create"]


def test_the_ring_keeps_256():
    async def run():
        bus = EventBus()
        for number in range(RING + 10):
            bus.publish("container", str(number), "a")
        return await collect(bus.subscribe(since=0, until=time.time_ns()))

    assert asyncio.run(run()) == [str(number) for number in range(10, RING + 10)]


def test_a_listener_that_does_not_read_is_cut_off():
    async def run():
        bus = EventBus()
        listener = bus.subscribe()
        for _ in range(BACKLOG + 5):
            bus.publish("container", "start", "a")
        assert bus.listeners == 0
        return await collect(listener)

    assert len(asyncio.run(run())) == BACKLOG


def test_a_waiting_listener_wakes_up():
    async def run():
        bus = EventBus()
        listener = bus.subscribe()
        waiting = asyncio.ensure_future(listener.__anext__())
        await asyncio.sleep(0)
        bus.publish("volume", "create", "v")
        return (await waiting)["Type"]

    assert asyncio.run(run()) == "volume"


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"event": ["start"]}, True),
        ({"event": ["sta"]}, False),
        ({"event": ["die", "start"]}, True),
        ({"type": ["container"]}, True),
        ({"type": ["image"]}, False),
        ({"type": ["container"], "event": ["die"]}, False),
        ({"container": ["abc"]}, True),
        ({"container": ["we"]}, True),
        ({"container": ["eb"]}, False),
        ({"image": ["busybox:1"]}, True),
        ({"image": ["busybox"]}, True),
        ({"image": ["busy"]}, False),
        ({"label": ["team"]}, True),
        ({"label": ["team=a"]}, True),
        ({"label": ["team=a", "other"]}, False),
        ({"label": ["team=b"]}, False),
        ({"scope": ["local"]}, True),
        ({"scope": ["swarm"]}, False),
        ({"label": []}, True),
    ],
)
def test_filters(filters, passes):
    async def run():
        bus = EventBus()
        bus.publish("container", "start", "abcdef", {"image": "busybox:1", "name": "web", "team": "a"})
        return await collect(bus.subscribe(since=0, until=time.time_ns(), filters=filters))

    assert bool(asyncio.run(run())) is passes


@pytest.mark.parametrize("wanted", ["exec_create", "exec_create: ls", "exec_start", "health_status"])
def test_actions_with_a_colon_match_by_prefix(wanted):
    async def run():
        bus = EventBus()
        for action in ("exec_create: ls -l", "exec_start: ls -l", "health_status: healthy", "exec_die"):
            bus.publish("container", action, "a")
        return await collect(bus.subscribe(since=0, until=time.time_ns(), filters={"event": [wanted]}))

    actions = asyncio.run(run())
    if ": " in wanted:
        assert actions == []
    else:
        assert len(actions) == 1
        assert actions[0].startswith(wanted)


def test_image_filter_knows_registry_ports():
    async def run():
        bus = EventBus()
        bus.publish("image", "pull", "host:5000/app:2", {"name": "host:5000/app"})
        return await collect(bus.subscribe(since=0, until=time.time_ns(), filters={"image": ["host:5000/app"]}))

    assert asyncio.run(run()) == ["pull"]
