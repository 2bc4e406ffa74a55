"""Make a container; its program waits for `start`."""

from __future__ import annotations

from dockwright.runtime.arguments import Options
from dockwright.runtime.launch import LAUNCH_ALIASES, LAUNCH_FLAGS, Launch
from dockwright.runtime.main import Globals

FLAGS = LAUNCH_FLAGS
ALIASES = LAUNCH_ALIASES
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`create [--bundle DIR] [--console-socket PATH] [--pid-file FILE] ID`."""
    Launch(options, env, detach=True).create(wait=True)
    return 0
