"""What the engine counts and times while it works, for whoever asks (`--metrics-addr`): a few numbers, kept always.

One of each for the process, as with Prometheus' own libraries.  Names and buckets are dockerd's.
"""

import functools
import time
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # upper bounds, seconds

P = ParamSpec("P")
T = TypeVar("T")


class Counter:
    """A number that only grows."""

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        """One more."""
        self.value += 1


class Histogram:
    """How long something took: how often at most each of BUCKETS, and longer; and the sum of it all in seconds."""

    def __init__(self) -> None:
        self.counts, self.sum = [0] * (len(BUCKETS) + 1), 0.0

    def observe(self, seconds: float) -> None:
        """It has taken so long."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds


class Timers:
    """A histogram for each of several actions; those that are not named beforehand come with their first time."""

    def __init__(self, *actions: str) -> None:
        self.histograms = {action: Histogram() for action in actions}

    def observe(self, action: str, seconds: float) -> None:
        """`action` has taken so long."""
        self.histograms.setdefault(action, Histogram()).observe(seconds)


CONTAINER_ACTIONS = Timers("changes", "commit", "create", "delete", "start")
NETWORK_ACTIONS = Timers()
HEALTH_CHECKS, HEALTH_CHECKS_FAILED, HEALTH_CHECK_STARTS = Counter(), Counter(), Histogram()


def timed(timers: Timers, action: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Time a coroutine function; only what succeeds counts."""

    def around(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def measured(*args: P.args, **keywords: P.kwargs) -> T:
            began = time.monotonic()
            result = await function(*args, **keywords)
            timers.observe(action, time.monotonic() - began)
            return result

        return measured

    return around
