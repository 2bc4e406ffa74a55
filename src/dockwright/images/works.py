"""Work that several want at the same time: it is done once, and given up when nobody waits for it any more."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

Report = Callable[[str, int, int], None]  # status in Docker's words, current, total (0: no numbers): from any thread


class Work(Generic[S, T]):
    """One thing being done, or done.

    Attributes:
        key: its name. subject: what is worked on. task: its outcome. watchers: how many have joined and not left.
    """

    def __init__(self, key: str, subject: S, task: "asyncio.Task[T]") -> None:
        self.key, self.subject, self.task, self.watchers = key, subject, task, 0

    async def result(self) -> T:
        """Its outcome. A waiter that is cancelled does not end it: `Works.leave` does, for the last one."""
        return await asyncio.shield(self.task)


class Works(Generic[S, T]):
    """What is under way, by key."""

    def __init__(self) -> None:
        self._running: dict[str, Work[S, T]] = {}

    def subject(self, key: str) -> S | None:
        """What the work called `key` is on; None if nobody does it."""
        work = self._running.get(key)
        return work.subject if work else None

    def join(self, key: str, subject: S, begin: Callable[[S], Coroutine[Any, Any, T]]) -> Work[S, T]:
        """The work called `key`, begun on `subject` if nobody does it yet. Every `join` is followed by a `leave`."""
        work = self._running.get(key)
        if work is None:
            task = asyncio.get_running_loop().create_task(begin(subject))
            work = self._running[key] = Work(key, subject, task)
            task.add_done_callback(lambda task, work=work: self._ended(work, task))  # type: ignore[misc]
        work.watchers += 1
        return work

    def _ended(self, work: Work[S, T], task: "asyncio.Task[T]") -> None:
        """What failed is not joined any more: who comes later tries again."""
        if task.cancelled() or task.exception():
            self._forget(work)

    def _forget(self, work: Work[S, T]) -> None:
        if self._running.get(work.key) is work:
            del self._running[work.key]

    async def leave(self, work: Work[S, T]) -> None:
        """Want it no longer; the last to leave ends it, and waits until it has ended."""
        work.watchers -= 1
        if work.watchers:
            return
        self._forget(work)
        work.task.cancel()
        await waited(work.task)


async def waited(task: "asyncio.Future[Any]") -> None:
    """Wait until `task` is over, even if the waiter is cancelled meanwhile: its cancellation is raised afterwards."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled


class Reports:
    """Who hears how a piece of work goes; who comes later hears the latest first."""

    def __init__(self) -> None:
        self._listeners: list[Report] = []
        self._last: tuple[str, int, int] | None = None

    def add(self, listener: Report) -> None:
        """One more listener."""
        self._listeners.append(listener)
        if self._last:
            listener(*self._last)

    def __call__(self, status: str, current: int = 0, total: int = 0) -> None:
        """Tell all."""
        self._last = (status, current, total)
        for listener in self._listeners:
            listener(status, current, total)
