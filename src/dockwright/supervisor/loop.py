"""The shim's event loop: one epoll(7), callbacks by descriptor, one thread."""

from __future__ import annotations

import select
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Callback = Callable[[bool, bool], None]
    Timer = Callable[[], None]


class Loop:
    """Callbacks get (readable, writable)."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._interest: dict[int, int] = {}
        self._timers: list[tuple[float, Timer]] = []
        self.running = True

    def add(self, fd: int, callback: Callback, read: bool = False, write: bool = False) -> None:
        """Call `callback` when `fd` is ready."""
        self._callbacks[fd] = callback
        self._interest[fd] = _mask(read, write)
        self._epoll.register(fd, self._interest[fd])

    def change(self, fd: int, read: bool, write: bool) -> None:
        """Change what is waited for; unknown descriptors are fine, they were removed meanwhile."""
        mask = _mask(read, write)
        if fd in self._callbacks and self._interest[fd] != mask:
            self._interest[fd] = mask
            self._epoll.modify(fd, mask)

    def has(self, fd: int) -> bool:
        """Whether `fd` is listened to."""
        return fd in self._callbacks

    def remove(self, fd: int) -> None:
        """Forget `fd`. Call before closing it."""
        if self._callbacks.pop(fd, None):
            del self._interest[fd]
            self._epoll.unregister(fd)

    def later(self, seconds: float, timer: Timer) -> None:
        """Call `timer` once, after `seconds`."""
        self._timers.append((monotonic() + seconds, timer))

    def run(self) -> None:
        """Serve until `running` is False."""
        while self.running:
            self.turn(self._patience() if self._timers else None)
            if self._timers:
                self._ring()

    def _patience(self) -> float:
        """Seconds until the next timer."""
        return max(0.0, min(at for at, _ in self._timers) - monotonic())

    def _ring(self) -> None:
        now = monotonic()
        due = [timer for at, timer in self._timers if at <= now]
        self._timers = [(at, timer) for at, timer in self._timers if at > now]
        for timer in due:
            timer()

    def turn(self, timeout: float | None = None) -> None:
        """Wait for something, at most `timeout` seconds (None: as long as it takes), and call who waits for it."""
        for fd, events in self._epoll.poll(timeout):
            callback = self._callbacks.get(fd)
            if callback:
                hung_up = bool(events & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP))
                callback(bool(events & select.EPOLLIN) or hung_up, bool(events & select.EPOLLOUT))

    def close(self) -> None:
        """Let go of the epoll descriptor."""
        self._epoll.close()


def _mask(read: bool, write: bool) -> int:
    mask = 0
    if read:
        mask |= select.EPOLLIN | select.EPOLLRDHUP
    if write:
        mask |= select.EPOLLOUT
    return mask
