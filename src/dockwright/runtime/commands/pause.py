"""Suspend all processes of a container."""

from __future__ import annotations

from dockwright.runtime import state
from dockwright.runtime.arguments import Options
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

FLAGS: dict[str, str] = {}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`pause ID`."""
    found = state.load(env.root, options.words[0])
    if found.status() not in ("running", "created"):
        raise RuntimeFailure("container not running")
    found.group.freeze(True)
    return 0
