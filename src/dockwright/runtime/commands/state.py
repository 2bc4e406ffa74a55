"""Print the state of a container as JSON."""

from __future__ import annotations

from dockwright.runtime import state
from dockwright.runtime.arguments import Options
from dockwright.runtime.document import dumps
from dockwright.runtime.main import Globals, say

FLAGS: dict[str, str] = {}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`state ID`."""
    return say(dumps(state.load(env.root, options.words[0]).document(), 2) + "\n")
