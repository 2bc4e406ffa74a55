"""Health checks: what is run, what its exits make of a container, and how output is kept."""

import asyncio

import pytest

from dockwright.base.errors import EngineError
from dockwright.containers import health
from dockwright.containers.container import Container, Health
from dockwright.grammar.durations import go_duration
from dockwright.types.container import HealthConfig, HostConfig


@pytest.mark.parametrize(
    ("config", "command"),
    [
        ({}, []),
        ({"Healthcheck": {"Test": ["NONE"]}}, []),
        ({"Healthcheck": {"Test": []}}, []),
        ({"Healthcheck": {"Test": ["CMD", "a", "b"]}}, ["a", "b"]),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}, ["/bin/sh", "-c", "a b"]),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}, "Shell": ["bash", "-ec"]}, ["bash", "-ec", "a b"]),
    ],
)
def test_command(config, command):
    assert health.command(config) == command


def test_what_is_left_open_comes_from_the_image():
    image = {"Test": ["CMD", "x"], "Interval": 5, "Retries": 2}
    assert health.inherited(None, image) == image
    assert health.inherited({"Interval": 7}, image) == {"Test": ["CMD", "x"], "Interval": 7, "Retries": 2}
    assert health.inherited({"Test": ["NONE"]}, image)["Test"] == ["NONE"]
    assert health.inherited({}, None) == {}
    assert health.inherited(None, None) is None


def test_refusals():
    with pytest.raises(EngineError, match="Timeout in Healthcheck cannot be less than 1ms"):
        health.check(HealthConfig(Timeout=5))
    health.check(HealthConfig(["CMD", "x"], Timeout=health.MILLISECOND))


class Store:
    def __init__(self):
        self.events = []

    async def save(self, container):
        pass

    def event(self, container, action, **attributes):
        self.events.append(action)


def checked(*codes, retries=2, forgiven=0):
    """A container after checks with these exit codes, of which the first `forgiven` fell into its start period."""
    store = Store()
    container = Container("1", "c", "", "", {}, HostConfig())
    container.state.running, container.state.health = True, Health()
    checks = health.HealthChecks(store, None, None)

    async def run():
        for number, code in enumerate(codes):
            await checks._note(container, health.Probe("s", "e", code, "out"), retries, number < forgiven)

    asyncio.run(run())
    return container.state.health, store.events


def test_states():
    assert checked(1)[0] == Health("starting", 1, [{"Start": "s", "End": "e", "ExitCode": 1, "Output": "out"}])
    found, events = checked(1, 1, 1)
    assert (found.status, found.streak, events) == ("unhealthy", 3, ["health_status: unhealthy"])
    found, events = checked(0, 0, 1, 0, 1, 1)
    assert (found.status, events) == ("unhealthy", ["health_status: healthy", "health_status: unhealthy"])
    assert len(found.log) == 5
    assert checked(1, 1, 1, forgiven=3)[0].streak == 0
    assert checked(1, 1, 0, forgiven=3)[0].status == "healthy"


def frame(data):
    return b"\x01\0\0\0" + len(data).to_bytes(4, "big") + data


def test_output_is_taken_out_of_its_frames_and_cut():
    collector = health.Collector()
    whole = frame(b"one ") + frame(b"two")
    for index in range(len(whole)):
        collector.write(whole[index : index + 1])
    assert collector.text == "one two"
    collector.write(frame(b"x" * 5000))
    assert len(collector.text) == 4099 and collector.text.endswith("x...")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (7, "7ns"), (1500, "1.5µs"), (50_000_000, "50ms"), (1_500_000_000, "1.5s"), (90 * 10**9, "1m30s"),
     (3600 * 10**9, "1h0m0s"), (3723 * 10**9, "1h2m3s")],
)  # fmt: skip
def test_durations_as_go_prints_them(nanoseconds, text):
    assert go_duration(nanoseconds) == text


SECOND = health.SECOND


def schedule(settings: dict, until: int) -> list[float]:
    """When a container that stays `starting` is checked, in seconds; a check takes no time."""
    found, now = [], 0
    while now < until * SECOND:
        now += health.pause(settings, True, now, len(found))
        found.append(now / SECOND)
    return found


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, [1, 3, 7, 15, 30, 60]),
        ({"Interval": 2 * SECOND}, [1, 2, 4, 6, 8, 10]),
        ({"Interval": SECOND // 2}, [0.5, 1, 1.5, 2]),
        ({"Interval": 10 * SECOND, "StartInterval": 3 * SECOND}, [1, 4, 7, 10, 20]),
        ({"Interval": 10 * SECOND, "StartPeriod": 20 * SECOND}, [1, 6, 11, 16, 21, 31]),
        ({"Interval": 10 * SECOND, "StartPeriod": 5 * SECOND, "StartInterval": 2 * SECOND}, [1, 3, 5, 7, 9, 11, 21]),
    ],
)
def test_checks_come_early_and_then_as_often_as_asked(settings, times):
    assert schedule(settings, 60)[: len(times)] == times


def test_early_failures_do_not_count():
    assert health.forgiven({}, 29 * SECOND)
    assert not health.forgiven({}, 30 * SECOND)
    assert health.forgiven({"StartPeriod": 60 * SECOND}, 59 * SECOND)
    assert not health.forgiven({"StartPeriod": 5 * SECOND}, 6 * SECOND)


def test_an_action_needs_a_check():
    with pytest.raises(EngineError, match="invalid health-on-failure action: 'x'; use one of"):
        health.check(HealthConfig(["CMD", "x"], OnFailure="x"))
    with pytest.raises(EngineError, match="cannot set on-failure action to kill without a health check"):
        health.refuse_idle({"Healthcheck": {"OnFailure": "kill"}})
    health.refuse_idle({"Healthcheck": {"OnFailure": "none"}})
