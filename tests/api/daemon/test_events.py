"""docker events over the ends of daemons."""

import json
import signal
import time
from typing import Any


def actions(daemon: Any, *options: str) -> list[str]:
    time.sleep(1.1)  # the client's 0s is the second that has begun
    lines = (
        daemon.docker("events", "--since", "1h", "--until", "0s", "--format", "{{json .}}", *options)
        .stdout.decode()
        .splitlines()
    )
    return [f"{event['Type']} {event['Action']}" for event in map(json.loads, lines)]


def test_what_an_earlier_daemon_has_told(daemon: Any) -> None:
    own = type(daemon)()
    own.start()
    try:
        own.docker("load", stdin=daemon.docker("save", "busybox").stdout)
        own.docker("volume", "create", "told")
        own.end(signal.SIGTERM)
        own.start()
        assert actions(own, "--filter", "volume=told") == ["volume create"]
        own.docker("create", "--name", "seen", "busybox", "true")
        time.sleep(0.5)
        own.end(signal.SIGKILL)
        own.start()
        own.docker("rm", "seen")
        assert actions(own, "--filter", "container=seen") == ["container create", "container destroy"]
        assert actions(own, "--filter", "type=image") == ["image load"]
        own.docker("volume", "rm", "told")
        assert actions(own, "--filter", "volume=told") == ["volume create", "volume destroy"]
    finally:
        own.close()
