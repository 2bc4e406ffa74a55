"""Which module serves which command, and docker's grouped spellings of them."""

from __future__ import annotations

COMMANDS = {
    name: name
    for name in (
        "run exec ps images version info attach commit cp create diff events export history import inspect kill load logs pause "
        "port pull push login logout search rename restart rm rmi save start stats stop tag top unpause update wait why"
    ).split()
}
GROUPS = {
    "checkpoint": {name: f"checkpoint_{name}" for name in "create ls rm".split()},
    "container": {
        **{
            name: name
            for name in (
                "attach commit cp create diff exec export kill logs pause port rename restart rm run start stats stop top "
                "unpause update wait why"
            ).split()
        },
        "ls": "ps",
        "inspect": "container_inspect",
        "prune": "container_prune",
    },
    "image": {
        "attestations": "image_attestations",
        "diff": "image_diff",
        "history": "history",
        "import": "import",
        "inspect": "image_inspect",
        "layers": "image_layers",
        "load": "load",
        "ls": "images",
        "prune": "image_prune",
        "pull": "pull",
        "push": "push",
        "rm": "rmi",
        "save": "save",
        "tag": "tag",
        "verify": "image_verify",
    },
    "manifest": {name: f"manifest_{name}" for name in "annotate create inspect push rm".split()},
    "network": {name: f"network_{name}" for name in "connect create disconnect dns inspect ls map prune rm".split()},
    "system": {"check": "system_check", "df": "system_df", "events": "events", "info": "info", "prune": "system_prune"},
    "volume": {name: f"volume_{name}" for name in "clone create export import inspect ls prune rm".split()},
}
ALIASES = {
    "checkpoint": {"list": "ls", "remove": "rm"},
    "container": {"list": "ls", "ps": "ls", "remove": "rm"},
    "image": {"list": "ls", "remove": "rm"},
    "network": {"list": "ls", "remove": "rm"},
    "volume": {"list": "ls", "remove": "rm"},
}


class Found:
    """What a command line asks for.

    Attributes:
        path: the command as docker names it, e.g. "container ls"; "" for none.
        module: the module in this package; "" if it is a group or nothing we know.
        rest: the words after it.
    """

    def __init__(self, path: str, rest: list[str], words: list[str], module: str = "") -> None:
        self.path, self.rest, self.words, self.module = path, rest, words, module


def find(words: list[str]) -> Found:
    """The command of `words`."""
    first = words[0]
    if first in COMMANDS:
        return Found(first, words[1:], words, module_of(COMMANDS[first]))
    if first not in GROUPS:
        return Found("", words, words)
    if len(words) > 1:
        name = ALIASES.get(first, {}).get(words[1], words[1])
        if name in GROUPS[first]:
            return Found(f"{first} {name}", words[2:], words, module_of(GROUPS[first][name]))
    return Found(first, words[1:], words)


def module_of(name: str) -> str:
    """The module of a command; two names are Python's own words."""
    return {"import": "import_", "exec": "exec_"}.get(name, name)
