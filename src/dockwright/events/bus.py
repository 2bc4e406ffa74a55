"""Publishing events and listening to them.

Everything here runs in the event loop's thread: `publish` never blocks and never waits for a listener.
A listener that does not read is cut off after BACKLOG events, so that it cannot eat the daemon's memory.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

from dockwright.events.filters import includes
from dockwright.events.history import History
from dockwright.events.message import Event, message

RING = 256
BACKLOG = 1024

Filters = dict[str, list[str]]


class Subscription:
    """One listener: an async iterator of event documents.

    It hears from the moment it is made; iterate it, then `close` it (or use it as a context manager).
    """

    def __init__(
        self, bus: "EventBus", older: AsyncGenerator[Event, None] | None, history: list[Event], until: int | None,
        filters: Filters,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._older = older
        self._queue: deque[Event] = deque(history)
        self._until = until
        self._filters = filters
        self._ended = until is not None and until <= time.time_ns()
        self._wake = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Take a new event if this listener wants it; a full backlog ends the subscription."""
        if self._ended or not includes(self._filters, event):
            return
        if len(self._queue) >= BACKLOG:
            self.close()
        else:
            self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        """Stop listening. What is queued can still be read."""
        self._ended = True
        self._bus.forget(self)
        self._wake.set()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        if self._older:
            async for event in self._older:
                return event
            self._older = None
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            await self._pause()
        return self._queue.popleft()

    async def _pause(self) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), self._remaining())
        except TimeoutError:
            self.close()

    def _remaining(self) -> float | None:
        return None if self._until is None else max(0.0, (self._until - time.time_ns()) / 1e9)


class EventBus:
    """The daemon's events: a ring of the last 256, the listeners of the moment, and a history that outlives the daemon.

    Args:
        history: None to keep nothing but the ring.

    Attributes:
        told: how many events there were since the daemon began.
    """

    def __init__(self, history: History | None = None) -> None:
        self._history = history
        self._ring: deque[Event] = deque(maxlen=RING)
        self._listeners: set[Subscription] = set()
        self.told = 0

    def publish(self, type: str, action: str, actor_id: str, attributes: dict[str, str] | None = None) -> Event:
        """Tell everybody that `action` happened to the `type` object `actor_id`; returns the event's document."""
        event = message(type, action, actor_id, attributes or {}, time.time_ns())
        self._ring.append(event)
        self.told += 1
        if self._history:
            self._history.note(event)
        for listener in tuple(self._listeners):
            listener.offer(event)
        return event

    def subscribe(
        self, since: int | None = None, until: int | None = None, filters: Filters | None = None
    ) -> Subscription:
        """Listen from now on.

        Args:
            since: also what was told from this moment on (nanoseconds since the epoch).
            until: end at this moment; without `since` all that is known comes first, as with Docker.
            filters: parsed filters; values of one key are alternatives, keys must all hold.
        """
        filters = filters or {}
        older, recent = self._older(since, until, filters), self._recent(since, until, filters)
        subscription = Subscription(self, older, recent, until, filters)
        self._listeners.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Drop a listener; one that is already gone is fine."""
        self._listeners.discard(subscription)

    @property
    def listeners(self) -> int:
        """How many listen now (`NEventsListener` of info)."""
        return len(self._listeners)

    async def close(self) -> None:
        """Write down what has been told."""
        if self._history:
            await self._history.flush()

    def _older(self, since: int | None, until: int | None, filters: Filters) -> AsyncGenerator[Event, None] | None:
        """What was told before the ring begins, from the history; None if nobody wants it."""
        begin = self._ring[0]["timeNano"] if self._ring else time.time_ns()
        if self._history is None or (since is None and until is None) or (since or 0) >= begin:
            return None
        before = begin if until is None else min(begin, until + 1)
        return _chosen(self._history.between(since or 0, before), filters)

    def _recent(self, since: int | None, until: int | None, filters: Filters) -> list[Event]:
        if since is None and until is None:
            return []
        young = itertools.dropwhile(lambda event: event["timeNano"] < (since or 0), self._ring)
        return [event for event in young if (until is None or event["timeNano"] <= until) and includes(filters, event)]


async def _chosen(events: AsyncIterator[Event], filters: Filters) -> AsyncGenerator[Event, None]:
    async for event in events:
        if includes(filters, event):
            yield event
