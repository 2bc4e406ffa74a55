"""Print a container's figures as JSON lines."""

from __future__ import annotations

import time

from dockwright.runtime import state
from dockwright.runtime.arguments import SWITCH, VALUE, Options, UsageError
from dockwright.runtime.cgroups import stats
from dockwright.runtime.document import dumps
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals, say

FLAGS = {"interval": VALUE, "stats": SWITCH}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`events [--stats | --interval 5s] ID`: once, or until the container ends."""
    found = state.load(env.root, options.words[0])
    interval = seconds(options.text("interval", "5s"))
    if found.status() == "stopped":
        raise RuntimeFailure(f"container with id {found.id} is not running")
    while True:
        say(dumps({"type": "stats", "id": found.id, "data": stats.read_all(found.group)}) + "\n")
        if options.on("stats"):
            return 0
        time.sleep(interval)
        if found.status() == "stopped":
            return 0


def seconds(text: str) -> float:
    """A Go duration of one unit (`500ms`, `5s`, `1m`).

    Raises:
        UsageError: it is none, or not above zero.
    """
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return float(number) * factor
    raise UsageError(f"invalid value {text!r} for flag -interval: parse error")
