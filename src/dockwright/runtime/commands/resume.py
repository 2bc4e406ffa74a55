"""Let a paused container go on."""

from __future__ import annotations

from dockwright.runtime import state
from dockwright.runtime.arguments import Options
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

FLAGS: dict[str, str] = {}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`resume ID`."""
    found = state.load(env.root, options.words[0])
    if found.status() != "paused":
        raise RuntimeFailure("container not paused")
    found.group.freeze(False)
    return 0
