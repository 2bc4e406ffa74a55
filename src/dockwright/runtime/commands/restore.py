"""Make a container run again from the files of a checkpoint."""

from __future__ import annotations

import os

from dockwright.base.files import write_atomic
from dockwright.kernel import process as k
from dockwright.runtime import bundle, console, deletion, foreground, state
from dockwright.runtime.arguments import SWITCH, VALUE, Options
from dockwright.runtime.commands.checkpoint import IMAGE_FLAGS, network_path, settings
from dockwright.runtime.criu.restore import Restored, restore
from dockwright.runtime.criu.settings import Settings
from dockwright.runtime.failure import RuntimeFailure, words
from dockwright.runtime.launch import check_terminal
from dockwright.runtime.main import Globals

FLAGS = {
    **IMAGE_FLAGS, "bundle": VALUE, "console-socket": VALUE, "detach": SWITCH, "pid-file": VALUE, "no-subreaper": SWITCH,
    "no-pivot": SWITCH,
}  # fmt: skip
ALIASES = {"b": "bundle", "d": "detach"}
WORDS = (1, 1)


def run(options: Options, env: Globals) -> int:
    """`restore [flags] ID`: the exit code is the program's, 0 with --detach."""
    if options.on("no-pivot"):
        raise RuntimeFailure("--no-pivot is not supported")
    wanted, container_id, detach = settings(options, env), options.words[0], options.on("detach")
    state.check_id(container_id)
    where = os.path.abspath(options.text("bundle") or ".")
    spec = bundle.load(where, "")
    terminal = bool((spec.get("process") or {}).get("terminal"))
    check_terminal(terminal, detach, options.text("console-socket"))
    if not detach and not options.on("no-subreaper"):
        k.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
    if not detach:
        foreground.hold()
    made, found = _restore(container_id, spec, wanted, where, env)
    if options.text("pid-file"):
        write_atomic(options.text("pid-file"), str(made.pid).encode(), 0o644)
    if detach:
        if made.master >= 0:
            console.hand_out(console.connect(options.text("console-socket")), "/dev/ptmx", made.master)
        return 0
    code = foreground.attend(made.pid, made.master)
    deletion.destroy(found)
    return code


def _restore(
    container_id: str, spec: dict[str, object], wanted: Settings, where: str, env: Globals
) -> tuple[Restored, state.State]:
    """Make it, and its state; nothing is left if one of them fails."""
    directory = state.reserve(env.root, container_id)
    network = _network(spec)
    made = None
    try:
        made = restore(container_id, spec, wanted, bundle=where, place=directory, network=network)
        found = state.of_init(env.root, container_id, spec, where, made.pid, made.group.path)
        found.save()
    except BaseException:
        if made:
            made.undo()
        state.remove(directory)
        raise
    finally:
        if network >= 0:
            os.close(network)
    return made, found


def _network(spec: dict[str, object]) -> int:
    path = network_path(spec)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path else -1
    except OSError as error:
        raise RuntimeFailure(f"namespace path: lstat {path}: {words(error)}") from None
