"""Write a config.json to begin with."""

from __future__ import annotations

import os

from dockwright.runtime import template
from dockwright.runtime.arguments import SWITCH, VALUE, Options
from dockwright.runtime.document import dumps
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

FLAGS = {"bundle": VALUE, "rootless": SWITCH}
ALIASES = {"b": "bundle"}
WORDS = (0, 0)


def run(options: Options, _env: Globals) -> int:
    """`spec [--bundle DIR]`; a config.json that is there already stays."""
    if options.on("rootless"):
        raise RuntimeFailure("rootless containers are not supported")
    path = os.path.join(options.text("bundle") or ".", "config.json")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise RuntimeFailure("File config.json exists. Remove it first") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(dumps(template.spec(), 4) + "\n")
    return 0
