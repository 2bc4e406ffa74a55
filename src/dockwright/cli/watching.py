"""The live half of stats: a thread per container reads its stream; the newest sample of each is there to be shown."""

from __future__ import annotations

import _thread
import time

from dockwright.client.client import Client
from dockwright.client.errors import ApiError, ConnectionFailed
from dockwright.client.query import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context


class Watch:
    """Containers and their newest samples.

    Args:
        names: who to watch. follow: also those that start later (no names were given). stopped: show the ended ones too.
    """

    def __init__(self, context: Context, names: list[str], follow: bool, stopped: bool) -> None:
        self._host, self._version = context.client.address.text, context.client.version
        self._stopped = stopped
        self._follow = follow
        self._known: dict[str, dict[str, Any]] = {}
        self._first = True
        if not follow:
            for name in names:
                context.client.get(f"/containers/{quote(name)}/json")  # so that a wrong name is an error
        for name in names:
            self._start(name)
        if follow:
            _thread.start_new_thread(self._events, ())

    def _client(self) -> Client:
        return Client(self._host, self._version)

    def _start(self, name: str) -> None:
        if name not in self._known:
            self._known[name] = {}
            _thread.start_new_thread(self._read, (name,))

    def _read(self, name: str) -> None:
        try:
            for sample in self._client().request("GET", f"/containers/{quote(name)}/stats?stream=1").documents():
                self._known[name] = sample
        except (ApiError, ConnectionFailed):
            pass
        if self._follow and not self._stopped:
            self._known.pop(name, None)
        else:
            self._known[name] = {}

    def _events(self) -> None:
        query = {"filters": {"type": {"container": True}, "event": {"start": True}}}
        try:
            for event in self._client().request("GET", "/events", query).documents():
                self._start(event["Actor"]["ID"][:12])
        except (ApiError, ConnectionFailed):
            self._follow = False

    def wait(self, seconds: float) -> bool:
        """Sleep, the first time until each container has a sample; False if there is nobody left to watch."""
        deadline = time.monotonic() + 3
        while self._first and not all(self._known.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self._first:
            time.sleep(seconds)
        self._first = False
        return self._follow or bool(self._known)

    def samples(self) -> list[tuple[str, dict[str, Any]]]:
        """(name, newest sample) of each, in the order they came."""
        return list(self._known.items())
