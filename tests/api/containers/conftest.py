"""One container that runs, and the bare API."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Answer = tuple[int, Any]
Ask = Callable[..., Answer]
NONE = ("--network", "none")


class Raw(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, daemon: Any) -> None:
        super().__init__("d", timeout=30)
        self._path = daemon.host.removeprefix("unix://")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


@pytest.fixture
def tidy(daemon: Any) -> Iterator[Any]:
    """The daemon; whatever containers a test has made are removed after it."""
    yield daemon
    idents = daemon.docker("ps", "-aq").stdout.decode().split()
    if idents:
        daemon.docker("rm", "-f", *idents)


@pytest.fixture
def ask(tidy: Any) -> Ask:
    """One request; answers status and document (or text)."""

    def request(method: str, path: str, body: Any = None) -> Answer:
        raw = Raw(tidy)
        data = None if body is None else json.dumps(body)
        raw.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = raw.getresponse()
        text = answer.read()
        raw.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    return request


@pytest.fixture
def sleeper(tidy: Any) -> str:
    """A container that sleeps, by name."""
    done = tidy.docker("run", *NONE, "-d", "--name", "sleeper", "--label", "kind=bed", "busybox", "sleep", "1000")
    assert done.returncode == 0, done.stderr
    return "sleeper"


@pytest.fixture
def heard(tidy: Any) -> Callable[[], list[dict[str, Any]]]:
    """The events since the test began."""
    begun = time.time()

    def events() -> list[dict[str, Any]]:
        raw = Raw(tidy)
        raw.request("GET", f"/events?since={begun:.9f}&until={time.time():.9f}")
        return [json.loads(line) for line in raw.getresponse().read().splitlines()]

    return events
