"""dockwright inspect: everything the daemon knows of containers, images, networks, volumes."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.inspecting import fetcher, inspect
from dockwright.client.errors import ApiError
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("f/format s/size:bool type")
ARGUMENTS = (1, -1)
PATHS = {
    "container": "/containers/{}/json", "image": "/images/{}/json", "network": "/networks/{}", "volume": "/volumes/{}",
    "service": "/services/{}", "task": "/tasks/{}", "node": "/nodes/{}", "plugin": "/plugins/{}/json",
    "secret": "/secrets/{}", "config": "/configs/{}",
}  # fmt: skip
TRIED = ("container", "image", "network", "volume", "plugin")
ABSENT = (404, 406, 501, 503)  # not there, or no swarm and no plug-ins to look in


def run(context: Context, given: Given) -> int:
    """Print them; without --type the kinds are tried one after the other."""
    kind = given.text("type")
    if "type" in given and kind not in PATHS:
        known = ", ".join(f'"{name}"' for name in sorted(PATHS))
        raise Failure(f'unknown type: "{kind}": must be one of {known}\n')
    size: dict[str, object] = {"size": given.flag("size")}
    if given.flag("size") and kind not in ("", "container"):
        from dockwright.cli.terminal import err

        err(f"WARNING: --size ignored for {kind}s\n")
    fetch = fetcher(context, PATHS[kind], size if kind == "container" else None) if kind else _any(context, size)
    return inspect(given.rest, fetch, given.text("format"))


def _any(context: Context, size: dict[str, object]) -> Callable[[str], bytes]:
    def fetch(name: str) -> bytes:
        for kind in TRIED:
            try:
                return fetcher(context, PATHS[kind], size if kind == "container" else None)(name)
            except ApiError as error:
                if error.status not in ABSENT:
                    raise
        raise Failure(f"Error: No such object: {name}\n")

    return fetch
