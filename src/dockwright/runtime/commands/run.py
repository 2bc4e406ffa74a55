"""Make a container and run its program; without --detach wait for its end and delete it."""

from __future__ import annotations

from dockwright.kernel import process as k
from dockwright.runtime import deletion, foreground
from dockwright.runtime.arguments import SWITCH, Options
from dockwright.runtime.container import start
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.launch import LAUNCH_ALIASES, LAUNCH_FLAGS, Launch
from dockwright.runtime.main import Globals

FLAGS = {**LAUNCH_FLAGS, "detach": SWITCH, "keep": SWITCH, "no-subreaper": SWITCH}
ALIASES = {**LAUNCH_ALIASES, "d": "detach"}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`run`: the exit code is the program's, 128+n for signal n."""
    launch = Launch(options, env, detach=options.on("detach"))
    if not launch.detach and not options.on("no-subreaper"):
        k.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
    if not launch.detach:
        foreground.hold()
    init, state = launch.create(wait=False)
    try:
        start(init)
    except RuntimeFailure as failure:
        deletion.destroy(state)
        raise failure.prefixed("unable to start container process: ") from None
    if launch.detach:
        return 0
    code = foreground.attend(init.pid, launch.master)
    if not options.on("keep"):
        deletion.destroy(state)
    return code
