"""Change a container's limits while it is there."""

from __future__ import annotations

import os

from dockwright.runtime import bundle, document, shape, state
from dockwright.runtime.arguments import VALUE, Options, UsageError
from dockwright.runtime.cgroups import limits
from dockwright.runtime.cgroups.change import change
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# flag: where it goes in linux.resources
NUMBERS = {
    "blkio-weight": ("blockIO", "weight"), "cpu-period": ("cpu", "period"), "cpu-quota": ("cpu", "quota"),
    "cpu-burst": ("cpu", "burst"), "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"), "cpu-share": ("cpu", "shares"), "cpu-idle": ("cpu", "idle"),
    "memory": ("memory", "limit"), "memory-reservation": ("memory", "reservation"), "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}  # fmt: skip
TEXTS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}
FLAGS = {"resources": VALUE, **dict.fromkeys(NUMBERS, VALUE), **dict.fromkeys(TEXTS, VALUE)}
ALIASES = {"r": "resources", "cpu-shares": "cpu-share"}
WORDS = (1, 1)
LIMIT = 1 << 20


def run(options: Options, env: Globals) -> int:
    """`update [--resources FILE|-] [--memory N] ... ID`: what is not given stays as it is."""
    found = state.load(env.root, options.words[0])
    if found.status() == "stopped":
        raise RuntimeFailure("container not running")
    wanted = _of_file(options.text("resources")) if options.text("resources") else _of_flags(options)
    shape.check(wanted, shape.RESOURCES, "LinuxResources")
    change(found.group, wanted)
    kept = found.spec.setdefault("linux", {}).setdefault("resources", {})
    limits.merge(kept, wanted)
    found.save()
    return 0


def _of_file(path: str) -> dict[str, Any]:
    if path != "-":
        return bundle.read(path, path)
    with open(os.dup(0), encoding="utf-8") as file:
        text = file.read(LIMIT + 1)
    try:
        value = document.loads(text)
    except ValueError as error:
        raise RuntimeFailure(str(error)) from None
    if not isinstance(value, dict):
        raise RuntimeFailure(f"json: cannot unmarshal {shape.kind_of(value)} into Go value of type specs.LinuxResources")
    return value


def _of_flags(options: Options) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for flag, (part, key) in NUMBERS.items():
        if options.text(flag):
            wanted.setdefault(part, {})[key] = size(options.text(flag), flag)
    for flag, (part, key) in TEXTS.items():
        if options.text(flag):
            wanted.setdefault(part, {})[key] = options.text(flag)
    return wanted


def size(text: str, flag: str) -> int:
    """A number, or bytes with a unit (`64m`, units.RAMInBytes).

    Raises:
        UsageError: it is neither.
    """
    units = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
    plain = text.lower().removesuffix("b") if text.lower()[:-1].rstrip("kmgt") != text.lower()[:-1] else text.lower()
    try:
        if plain[-1:] in units and plain[-1:].isalpha():
            return int(plain[:-1]) * units[plain[-1]]
        return int(plain)
    except ValueError:
        raise UsageError(f"invalid value for {flag}: invalid size: '{text}'") from None
