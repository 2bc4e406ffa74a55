"""The OCI runtimes containers can ask for: ours, called runc, and programs with runc's command line."""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.supervisor.spawner import find

OWN = "runc"
_SHIM = re.compile(r"io\.containerd\.([a-z0-9_-]+)\.v[0-9]+")  # containerd's names: who has runc's command line is driven by it


@dataclass(frozen=True)
class Runtime:
    """One runtime that is not ours.

    Attributes:
        path: its program, absolute or to be looked for. args: of each call, before everything else.
    """

    path: str
    args: tuple[str, ...] = ()

    def plan(self, root: str) -> dict[str, Any]:
        """What its drivers need to know; `root` is where it keeps its state.

        Raises:
            InvalidParameter: it is not installed, in Docker's words.
        """
        program = self.path if self.path.startswith("/") else find(self.path)
        if not program or not os.access(program, os.X_OK):
            missing = f'exec: "{self.path}": executable file not found in $PATH'
            if self.path.startswith("/"):
                missing = f"fork/exec {self.path}: {_why(self.path)}"
            raise Internal(missing)
        return {"path": program, "args": list(self.args), "root": root}


def _why(path: str) -> str:
    return "permission denied" if os.path.exists(path) else "no such file or directory"


@dataclass(frozen=True)
class Runtimes:
    """All of a daemon: those of --add-runtime by name, and what `--runtime` says beyond.

    Attributes:
        default: the name containers get that do not say.
    """

    added: dict[str, Runtime] = field(default_factory=dict)
    default: str = OWN

    def check(self, name: str) -> None:
        """Whether there is such a runtime.

        Raises:
            InvalidParameter: in Docker's words.
        """
        if not (name == OWN or name in self.added or name.startswith("/") or _SHIM.fullmatch(name)):
            raise InvalidParameter(f"unknown or invalid runtime name: {name}")

    def of(self, name: str) -> Runtime | None:
        """The runtime called `name`; None for ours.

        Raises:
            InvalidParameter: there is none any more.
        """
        self.check(name)
        if name in self.added:
            return self.added[name]
        if match := _SHIM.fullmatch(name):
            return None if match[1] == OWN else Runtime(match[1])
        return None if name == OWN else Runtime(name)

    def shown(self, own: str) -> dict[str, dict[str, Any]]:
        """Runtimes of info; `own` is the path of ours."""
        others = {name: {"path": r.path, **({"runtimeArgs": [*r.args]} if r.args else {})} for name, r in self.added.items()}
        return {**others, "io.containerd.runc.v2": {"path": own}, OWN: {"path": own}}


def is_own(name: str) -> bool:
    """Whether a container's runtime is ours by name."""
    return name == OWN or name.startswith(f"io.containerd.{OWN}.")


def configured(wanted: dict[str, Any], default: str) -> Runtimes:
    """What --add-runtime (a path each) and daemon.json's `runtimes` (an object each) say.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    runtimes = Runtimes({name: _runtime(name, entry) for name, entry in wanted.items()}, default or OWN)
    if runtimes.default not in (OWN, *runtimes.added) and not _SHIM.fullmatch(runtimes.default):
        raise InvalidParameter(f"specified default runtime '{runtimes.default}' does not exist")
    return runtimes


def _runtime(name: str, entry: Any) -> Runtime:
    if name == OWN:
        raise InvalidParameter(f"runtime name '{OWN}' is reserved")
    if isinstance(entry, str):
        entry = {"path": entry}
    if not isinstance(entry, dict) or set(entry) - {"path", "runtimeArgs", "runtimeType", "options"}:
        raise InvalidParameter(f"runtime {name}: invalid configuration")
    path, kind = entry.get("path") or "", entry.get("runtimeType") or ""
    options, args = entry.get("options") or {}, entry.get("runtimeArgs") or []
    if not path and not kind:
        raise InvalidParameter(f"runtime {name}: either a runtimeType or a path must be configured")
    if path and kind:
        raise InvalidParameter(f"runtime {name}: cannot configure both path and runtimeType for the same runtime")
    if path and options:
        raise InvalidParameter(f"runtime {name}: options cannot be used with a path runtime")
    if kind and args:
        raise InvalidParameter(f"runtime {name}: args cannot be used with a runtimeType runtime")
    return Runtime(path, tuple(map(str, args))) if path else _of_type(name, kind, options)


def _of_type(name: str, kind: str, options: dict[str, Any]) -> Runtime:
    """A runtime named as containerd names its shims; what is driven is the program behind it."""
    match = _SHIM.fullmatch(kind)
    if not match:
        raise InvalidParameter(f"runtime {name}: invalid runtimeType {kind}")
    if unknown := sorted(set(options) - {"BinaryName"}):
        raise InvalidParameter(f"runtime {name}: option {unknown[0]} is not implemented")
    return Runtime(str(options.get("BinaryName") or match[1]))
