"""Restart policies: when, and how soon."""

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.containers import restarts
from dockwright.containers.container import Container, State
from dockwright.types.container import HostConfig, RestartPolicy

STARTED = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("policy", "code", "count", "by_hand", "wanted"),
    [
        ("no", 1, 0, False, False),
        ("always", 0, 0, False, True),
        ("always", 1, 99, True, True),
        ("unless-stopped", 0, 0, False, True),
        ("unless-stopped", 0, 0, True, False),
        ("on-failure", 0, 0, False, False),
        ("on-failure", 1, 0, False, True),
        ("on-failure:3", 1, 2, False, True),
        ("on-failure:3", 1, 3, False, False),
    ],
)
def test_an_end(policy: str, code: int, count: int, by_hand: bool, wanted: bool) -> None:
    name, _, limit = policy.partition(":")
    state = State(exit_code=code, restart_count=count, stopped_by_hand=by_hand)
    assert restarts.wanted(RestartPolicy(name, int(limit or 0)), state) is wanted


@pytest.mark.parametrize(
    ("policy", "code", "by_hand", "wanted"),
    [
        ("no", 1, False, False),
        ("always", 0, True, True),
        ("unless-stopped", 0, True, False),
        ("unless-stopped", 0, False, True),
        ("on-failure", 0, False, False),
        ("on-failure", 3, False, True),
    ],
)
def test_a_new_daemon(policy: str, code: int, by_hand: bool, wanted: bool) -> None:
    host = HostConfig(RestartPolicy=RestartPolicy(policy, 0))
    ended = Container("i", "n", "", "", {}, host, State(exit_code=code, started_at=STARTED, stopped_by_hand=by_hand))
    assert restarts.wanted_at_boot(ended) is wanted
    assert not restarts.wanted_at_boot(Container("i", "n", "", "", {}, host, State()))


def test_the_delay_doubles_up_to_a_minute_and_begins_anew_after_a_steady_run() -> None:
    delay, delays = 0.0, []
    for _ in range(12):
        delay = restarts.delay(delay, 0.5)
        delays.append(delay)
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == 60.0
    assert restarts.delay(60.0, 10.0) == 0.1


def test_a_count_that_cannot_be() -> None:
    for policy, text in ((RestartPolicy("on-failure", -1), "cannot be negative"), (RestartPolicy("no", 2), "only be used")):
        with pytest.raises(InvalidParameter, match=text):
            restarts.check(HostConfig(RestartPolicy=policy))
    restarts.check(HostConfig(RestartPolicy=RestartPolicy("on-failure", 5), AutoRemove=False))
