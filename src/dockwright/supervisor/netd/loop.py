"""netd's event loop: one epoll(7), one handler per descriptor, deadlines of equal length."""

from __future__ import annotations

import errno
import select
import time

IN, OUT = select.EPOLLIN, select.EPOLLOUT
NEVER = frozenset((errno.EAGAIN, errno.EINTR, errno.EINPROGRESS))


class Deadlines:
    """What is to happen within a number of seconds, the same for all: what came first is due first.

    Members have a method `expired()`.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[object, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def start(self, member: object) -> None:
        """Give `member` its time, from now on."""
        self._due.pop(member, None)
        self._due[member] = time.monotonic() + self.seconds

    def stop(self, member: object) -> None:
        """`member` is done."""
        self._due.pop(member, None)

    def next(self) -> float | None:
        """When the first one is due (time.monotonic)."""
        return next(iter(self._due.values()), None)

    def expire(self, now: float) -> None:
        """Call `expired` of each one that is due."""
        for member in [member for member, due in self._due.items() if due <= now] if self._due else ():
            if self._due.pop(member, None) is not None:
                member.expired()  # type: ignore[attr-defined]


class Loop:
    """epoll with one handler per descriptor: an object with `ready(events)`."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.handlers: dict[int, object] = {}
        self.deadlines: list[Deadlines] = []

    def watch(self, fd: int, handler: object, events: int) -> None:
        """Call `handler.ready` for `events` on `fd`, from now on."""
        if fd in self.handlers:
            self.epoll.modify(fd, events)
        else:
            self.epoll.register(fd, events)
        self.handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching `fd`."""
        if self.handlers.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def within(self, seconds: float) -> Deadlines:
        """Deadlines of that length, looked after by this loop."""
        made = Deadlines(seconds)
        self.deadlines.append(made)
        return made

    def once(self, timeout: float) -> None:
        """Wait for something to happen, at most `timeout` seconds, and handle it."""
        due = [when for each in self.deadlines if (when := each.next()) is not None]
        if due:
            timeout = min(timeout, max(min(due) - time.monotonic(), 0))
        for fd, events in self.epoll.poll(timeout):
            handler = self.handlers.get(fd)
            if handler is not None:
                handler.ready(events)  # type: ignore[attr-defined]
        now = time.monotonic()
        for each in self.deadlines:
            each.expire(now)
