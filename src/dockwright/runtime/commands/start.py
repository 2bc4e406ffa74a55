"""Let a created container run its program."""

from __future__ import annotations

from dockwright.runtime import state
from dockwright.runtime.arguments import Options
from dockwright.runtime.launch import release
from dockwright.runtime.main import Globals

FLAGS: dict[str, str] = {}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`start ID`."""
    release(state.load(env.root, options.words[0]))
    return 0
