"""Write a running container to files by criu."""

from __future__ import annotations

import os

from dockwright.runtime import deletion, state
from dockwright.runtime.arguments import SWITCH, VALUE, Options
from dockwright.runtime.criu.dump import dump
from dockwright.runtime.criu.settings import SWITCHES, Settings
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

IMAGE_FLAGS = {
    "image-path": VALUE, "work-path": VALUE, "manage-cgroups-mode": VALUE, **dict.fromkeys(SWITCHES, SWITCH),
    "lazy-pages": SWITCH, "empty-ns": VALUE, "lsm-profile": VALUE, "lsm-mount-context": VALUE,
}  # fmt: skip
FLAGS = {
    **IMAGE_FLAGS, "parent-path": VALUE, "pre-dump": SWITCH, "leave-running": SWITCH, "page-server": VALUE,
    "status-fd": VALUE,
}  # fmt: skip
WORDS = (1, 1)
REFUSED = ("lazy-pages", "page-server", "status-fd", "empty-ns", "lsm-profile", "lsm-mount-context")


def run(options: Options, env: Globals) -> int:
    """`checkpoint [flags] ID`. Without --leave-running and --pre-dump the container ends."""
    wanted = settings(options, env)
    found = state.load(env.root, options.words[0])
    status = found.status()
    if status in ("created", "stopped"):
        raise RuntimeFailure(f"Container cannot be checkpointed in {status} state")
    stays = options.on("leave-running") or options.on("pre-dump")
    dump(
        found, wanted, given_network=bool(network_path(found.spec)), leave_running=stays, parent=options.text("parent-path"),
        memory_only=options.on("pre-dump"),
    )  # fmt: skip
    if not stays:
        deletion.destroy(found)
    return 0


def settings(options: Options, env: Globals) -> Settings:
    """What `checkpoint` and `restore` have in common.

    Raises:
        RuntimeFailure: something is asked for that is not done here.
    """
    for name in REFUSED:
        if options.values.get(name):
            raise RuntimeFailure(f"--{name} is not supported")
    images, work = options.text("image-path") or "checkpoint", options.text("work-path")
    on = tuple(name for name in SWITCHES if options.on(name))
    return Settings(
        os.path.abspath(images), work and os.path.abspath(work), env.criu, on, options.text("manage-cgroups-mode")
    )


def network_path(spec: dict[str, object]) -> str:
    """The path of the network namespace that a container joins, "" for none."""
    linux = spec.get("linux")
    entries = (linux.get("namespaces") or ()) if isinstance(linux, dict) else ()
    return next((str(entry.get("path") or "") for entry in entries if entry["type"] == "network"), "")
