"""Run another process in a container."""

from __future__ import annotations

import os

from dockwright.base.files import write_atomic
from dockwright.kernel import process as k
from dockwright.runtime import bundle, console, execute, foreground, sealed, shape, state
from dockwright.runtime.arguments import LIST, SWITCH, VALUE, Options
from dockwright.runtime.capabilities import NUMBERS
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.launch import check_terminal, inherited, tell_pidfd
from dockwright.runtime.main import Globals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = {
    "console-socket": VALUE, "pidfd-socket": VALUE, "cwd": VALUE, "env": LIST, "tty": SWITCH, "user": VALUE,
    "additional-gids": LIST, "process": VALUE, "detach": SWITCH, "pid-file": VALUE, "cap": LIST,
    "no-new-privs": SWITCH, "apparmor": VALUE, "process-label": VALUE, "preserve-fds": VALUE, "cgroup": LIST,
    "ignore-paused": SWITCH, "no-subreaper": SWITCH,
}  # fmt: skip
ALIASES = {"e": "env", "t": "tty", "u": "user", "g": "additional-gids", "p": "process", "d": "detach", "c": "cap"}
WORDS = (1, 1 << 30)


def run(options: Options, env: Globals) -> int:
    """`exec ID COMMAND...` or `exec --process FILE ID`; the exit code is the program's, 255 for failures of ours."""
    found = state.load(env.root, options.words[0])
    _check_status(found.status(), options.on("ignore-paused"))
    process = _process(found.spec, options)
    detach = options.on("detach")
    check_terminal(bool(process.get("terminal")), detach, options.text("console-socket"))
    preserve = inherited(options, process)
    sealed.ensure_entering(found.spec)
    if not detach and not options.on("no-subreaper"):
        k.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
    if not detach:
        foreground.hold()
    pid, master = _execute(found, process, options, preserve, env.seccomp_cache)
    if options.text("pid-file"):
        write_atomic(options.text("pid-file"), str(pid).encode(), 0o644)
    return 0 if detach else foreground.attend(pid, master)


def _check_status(status: str, ignore_paused: bool) -> None:
    if status == "stopped":
        raise RuntimeFailure("cannot exec in a stopped container")
    if status == "paused" and not ignore_paused:
        raise RuntimeFailure("cannot exec in a paused container (use --ignore-paused to override)")


def _execute(
    found: state.State, process: dict[str, Any], options: Options, preserve: int, cache: str
) -> tuple[int, int]:
    """(pid, master of its terminal or -1)."""
    here, there = _terminal(process, options)
    try:
        pid = execute.execute(found, process, console_socket=there, preserve=preserve, seccomp_cache=cache)
    except RuntimeFailure as failure:
        raise failure.prefixed("unable to start container process: ") from None
    finally:
        if there >= 0:
            os.close(there)
    if options.text("pidfd-socket"):
        tell_pidfd(options.text("pidfd-socket"), pid)
    return pid, console.take(here) if here >= 0 else -1


def _terminal(process: dict[str, Any], options: Options) -> tuple[int, int]:
    if not process.get("terminal"):
        return -1, -1
    if options.on("detach"):
        return -1, console.connect(options.text("console-socket"))
    return console.pair()


def _process(spec: dict[str, Any], options: Options) -> dict[str, Any]:
    """The process object: from the file, or the container's own with what the flags change."""
    if options.text("cgroup"):
        raise RuntimeFailure("exec --cgroup is not supported")
    if options.text("process"):
        process = bundle.read(options.text("process"), options.text("process"))
    else:
        process = _of_flags(dict(spec["process"]), options)
    shape.check(process, shape.PROCESS, "Process")
    bundle.process(process)
    return process


def _of_flags(process: dict[str, Any], options: Options) -> dict[str, Any]:
    if len(options.words) < 2:
        raise RuntimeFailure("process args cannot be empty")
    process["args"] = options.words[1:]
    process["terminal"] = options.on("tty")
    process["env"] = [*(process.get("env") or ()), *options.texts("env")]
    if options.text("cwd"):
        process["cwd"] = options.text("cwd")
    if options.on("no-new-privs"):
        process["noNewPrivileges"] = True
    for flag, key in (("apparmor", "apparmorProfile"), ("process-label", "selinuxLabel")):
        if options.text(flag):
            process[key] = options.text(flag)
    if options.texts("cap"):
        process["capabilities"] = _with_capabilities(process.get("capabilities") or {}, options.texts("cap"))
    _user(process, options)
    return process


def _with_capabilities(sets: dict[str, Any], added: list[str]) -> dict[str, Any]:
    """`sets` with `added` in those that count for a program, never in the inheritable one (CVE-2022-29162)."""
    for name in added:
        if name not in NUMBERS:
            raise RuntimeFailure(f"unknown capability {name}")
    return {**sets, **{kind: [*(sets.get(kind) or ()), *added] for kind in ("bounding", "effective", "permitted")}}


def _user(process: dict[str, Any], options: Options) -> None:
    user = dict(process.get("user") or {})
    try:
        if options.text("user"):
            uid, _, gid = options.text("user").partition(":")
            user["uid"] = int(uid)
            user["gid"] = int(gid) if gid else user.get("gid", 0)
        if options.texts("additional-gids"):
            user["additionalGids"] = [*(user.get("additionalGids") or ()), *map(int, options.texts("additional-gids"))]
    except ValueError as error:
        raise RuntimeFailure(f"parsing user: {error}") from None
    process["user"] = user
