"""The spec's poststop hooks: run by a child of the shim, which goes on meanwhile.

Source: OCI runtime spec, config.md, Poststop: their failures do not count.
"""

from __future__ import annotations

import os

from dockwright.kernel import process as k
from dockwright.runtime import hooks
from dockwright.runtime.context import Context
from dockwright.supervisor import plan


def run_hooks(ident: str, directory: str) -> None:
    """Run them for the container `ident`, whose plan is in `directory`, one after the other; nobody waits.

    Where the plan has been taken away there is nothing known of hooks.
    """
    try:
        made = plan.read(directory)  # now: the folder may be taken away at any time
    except FileNotFoundError:
        return
    if os.fork():
        return
    try:
        k.set_name("dockwright-hook")
        k.close_range(3)
        spec = made["spec"]
        hooks.run_all(spec, "poststop", Context(ident, made["bundle"], spec.get("annotations") or {}))
    finally:
        os._exit(0)
