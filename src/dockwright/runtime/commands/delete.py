"""Delete what a container left: its cgroup and its state."""

from __future__ import annotations

from dockwright.runtime import deletion, state
from dockwright.runtime.arguments import SWITCH, Options
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

FLAGS = {"force": SWITCH}
ALIASES = {"f": "force"}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`delete [--force] ID`: of a stopped or a created container; with --force of any, and an unknown one is no error."""
    force = options.on("force")
    try:
        found = state.load(env.root, options.words[0])
    except RuntimeFailure as failure:
        if force and failure.message == "container does not exist":
            deletion.forget(env.root, options.words[0])
            return 0
        raise
    status = found.status()
    if status not in ("stopped", "created") and not force:
        raise RuntimeFailure(f"cannot delete container {found.id} that is not stopped: {status}")
    deletion.destroy(found)
    return 0
