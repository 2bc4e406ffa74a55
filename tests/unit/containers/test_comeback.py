"""When a container is started again: the pauses between an end and the next start, on a clock that only jumps."""

import asyncio
import selectors
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from dockwright.base.times import rfc3339
from dockwright.containers.container import Container, State
from dockwright.containers.life import Life
from dockwright.supervisor.task import ExitEvent
from dockwright.types.container import HostConfig, RestartPolicy

EPOCH = 1_800_000_000


class _Jumping(selectors.SelectSelector):
    """Nothing ever happens: what is waited for is over at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for ever"
        self.now += timeout
        return []


def on_a_jumping_clock(coroutine: Any) -> Any:
    selector = _Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 100_000))
    finally:
        loop.close()


class Lived:
    """A container whose runs have the given lengths, in seconds, with a real Life and nothing else.

    Attributes:
        pauses: seconds between each end and the start after it.
    """

    def __init__(self, policy: RestartPolicy, *runs: float) -> None:
        self.runs, self.pauses = list(runs), list[float]()
        self.container = Container(
            "i", "n", "", "", {"Labels": {}, "Image": "x"}, HostConfig(RestartPolicy=policy), State()
        )
        mocks = {
            name: MagicMock() for name in ("store", "paths", "images", "supervisor", "execs", "stopping", "defaults")
        }
        others = {name: AsyncMock() for name in ("removal", "networks", "mounting")}
        self.life = Life(**mocks, **others)
        self.life._store.find.return_value = self.container  # type: ignore[attr-defined]
        self.life._start = self._start  # type: ignore[method-assign]

    async def _start(self, container: Container, *_: Any) -> None:
        """A start that works."""
        container.state.running, container.state.restarting, container.state.started_at = True, False, rfc3339(_wall())

    async def live(self) -> None:
        """All runs, until it is not started again."""
        await self.life.start("n")
        for length in self.runs:
            await asyncio.sleep(length)
            ended = asyncio.get_running_loop().time()
            await self.life.ended(self.container, None, ExitEvent("", 1, False, _wall()))
            if not self.container.state.restarting or not self.container.comeback:
                return
            await self.container.comeback
            self.pauses.append(asyncio.get_running_loop().time() - ended)


def _wall() -> int:
    """Nanoseconds since the epoch."""
    return EPOCH * 1_000_000_000 + round(asyncio.get_running_loop().time() * 1_000_000_000)


ALWAYS = RestartPolicy("always", 0)


@pytest.mark.parametrize(
    ("runs", "pauses"),
    [
        ([0.01] * 6, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]),
        ([0.01] * 13, [0.1 * 2**n for n in range(10)] + [60.0] * 3),
        ([1, 1, 9.9, 10, 1, 1], [0.1, 0.2, 0.4, 0.1, 0.2, 0.4]),
        ([1, 1, 1, 3600, 1], [0.1, 0.2, 0.4, 0.1, 0.2]),
    ],
)
def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_run_of_ten_seconds(
    runs: list[float], pauses: list[float]
) -> None:
    lived = Lived(ALWAYS, *runs)
    on_a_jumping_clock(lived.live())
    assert lived.pauses == pytest.approx(pauses)
    assert lived.container.state.restart_count == len(runs)


def test_a_start_by_hand_begins_anew() -> None:
    lived = Lived(ALWAYS, 1, 1, 1)

    async def twice() -> None:
        await lived.live()
        lived.container.state.running = False
        await lived.live()

    on_a_jumping_clock(twice())
    assert lived.pauses == pytest.approx([0.1, 0.2, 0.4] * 2)


def test_failures_are_counted() -> None:
    lived = Lived(RestartPolicy("on-failure", 2), 1, 1, 1, 1)
    on_a_jumping_clock(lived.live())
    assert (len(lived.pauses), lived.container.state.status) == (2, "exited")
