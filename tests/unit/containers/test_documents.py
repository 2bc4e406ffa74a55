"""Lengths of time and status texts as Docker words them."""

import time
from typing import Any

import pytest

from dockwright.base.times import rfc3339
from dockwright.containers import documents
from dockwright.containers.container import Container, State
from dockwright.types.container import HostConfig

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0.4, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (119, "About a minute"),
        (120, "2 minutes"), (45 * 60, "45 minutes"), (HOUR, "About an hour"), (2 * HOUR, "2 hours"), (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"), (13 * DAY, "13 days"), (14 * DAY, "2 weeks"), (59 * DAY, "8 weeks"), (60 * DAY, "2 months"),
        (729 * DAY, "24 months"), (730 * DAY, "2 years"),
    ],
)  # fmt: skip
def test_durations(length: float, text: str) -> None:
    assert documents.duration(length) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Created"),
        ({"started_at": 5, "running": True}, "Up 5 seconds"),
        ({"started_at": 130, "running": True, "paused": True}, "Up 2 minutes (Paused)"),
        ({"started_at": 9, "finished_at": 3, "exit_code": 137}, "Exited (137) 3 seconds ago"),
        ({"started_at": 9, "finished_at": 3, "exit_code": 1, "running": True, "restarting": True},
         "Restarting (1) 3 seconds ago"),
        ({"removing": True}, "Removal In Progress"),
    ],
)
def test_status_texts(changes: dict[str, Any], text: str) -> None:
    now = time.time_ns()
    for name in ("started_at", "finished_at"):
        if name in changes:
            changes = {**changes, name: rfc3339(now - changes[name] * 1_000_000_000 - 1_000_000)}
    assert documents.status(Container("i", "n", "", "", {}, HostConfig(), State(**changes))) == text
