"""`dockwright-runc`: runc's command line.

One verb is one file under commands/, and only that file is loaded. Start time is part of the contract: no re, json,
typing, dataclasses, pathlib, subprocess, logging, argparse, contextlib or socket (tests/unit/runtime/test_imports.py).
"""

from __future__ import annotations

import gc
import os
import sys

from dockwright import __version__
from dockwright.runtime.arguments import SWITCH, VALUE, Options, UsageError, parse
from dockwright.runtime.failure import RuntimeFailure, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

NAME = "dockwright-runc"
VERBS = (
    "checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause", "ps", "restore", "resume",
    "run", "spec", "start", "state", "update",
)  # fmt: skip
FLAGS = {
    "root": VALUE, "log": VALUE, "log-format": VALUE, "debug": SWITCH, "systemd-cgroup": SWITCH, "rootless": VALUE,
    "cgroup-manager": VALUE, "criu": VALUE, "help": SWITCH, "version": SWITCH,
}  # fmt: skip
ALIASES = {"h": "help", "v": "version"}
# verbs whose errors runc introduces; the others' it prints as they are
_INTRODUCTION = {"run": "runc run failed: ", "create": "runc create failed: ", "exec": "exec failed: "}


def main() -> None:
    """Run the command line and end the process: what the interpreter would tidy up, the kernel does faster."""
    gc.disable()  # nothing here lives long enough to become garbage worth a look
    code = run(sys.argv[1:])
    os._exit(code)


def run(words: list[str]) -> int:
    """Run one command line; returns its exit code."""
    given, verb = Options(), ""
    try:
        given = parse(FLAGS, words, aliases=ALIASES, stop=True)
        if given.on("version"):
            return say(version())
        if given.on("help") or not given.words or given.words[0] == "help":
            return say(usage())
        verb, *rest = given.words
        if verb not in VERBS:
            _report(given, refusal(verb))
            return 3
        return _verb(verb, rest, given)
    except UsageError as error:
        say(f"Incorrect Usage: {error.message}\n\n{usage()}")
        _report(given, error.message)
    except RuntimeFailure as error:
        _report(given, _INTRODUCTION.get(verb, "") + error.message)
    except OSError as error:
        _report(given, _INTRODUCTION.get(verb, "") + explain(error))
    return 255 if verb == "exec" else 1


def _verb(verb: str, words: list[str], given: Options) -> int:
    module: ModuleType = __import__(f"dockwright.runtime.commands.{verb}", fromlist=["run"])
    table = {**FLAGS, **module.FLAGS}  # callers give global flags behind the verb too
    options = parse(table, words, aliases={**ALIASES, **getattr(module, "ALIASES", {})}, stop=verb == "exec")
    if options.on("help"):
        return say(f"NAME:\n   {NAME} {verb} - {module.__doc__ or ''}\nOPTIONS:\n   --{'  --'.join(sorted(table))}\n")
    least, most = module.WORDS
    if not least <= len(options.words) <= most:
        bound = f"exactly {least}" if least == most else f"a minimum of {least}"
        raise UsageError(f'{NAME}: "{verb}" requires {bound} argument(s)')
    given.values.update({name: value for name, value in options.values.items() if name not in module.FLAGS})
    check_globals(given)
    code: int = module.run(options, Globals(given))
    return code


class Globals:
    """What holds for every verb.

    Attributes:
        root: the state directory. seccomp_cache: directory of compiled filters. criu: the program's name or path.
    """

    def __init__(self, given: Options) -> None:
        self.root = os.path.abspath(given.text("root") or default_root())
        self.criu = given.text("criu") or "criu"
        self.seccomp_cache = default_root() + "-seccomp"  # shared by all roots: what it holds depends on the profile only


def default_root() -> str:
    """Where state lives without --root."""
    if os.geteuid() == 0:
        return "/run/dockwright-runc"
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/dockwright-runc-{os.geteuid()}", "dockwright-runc")


def check_globals(given: Options) -> None:
    """Refuse what this runtime does not do.

    Raises:
        RuntimeFailure: in words.
    """
    if given.on("systemd-cgroup") or given.text("cgroup-manager") == "systemd":
        raise RuntimeFailure("systemd cgroup flag passed, but this runtime manages cgroups by cgroupfs only")
    if given.text("cgroup-manager", "cgroupfs") != "cgroupfs":
        raise RuntimeFailure(f"unknown cgroup manager {given.text('cgroup-manager')}")
    if given.text("log-format", "text") not in ("text", "json"):
        raise RuntimeFailure(f"invalid log-format: {given.text('log-format')}")
    if given.text("rootless", "auto") not in ("auto", "true", "false"):
        raise UsageError(f'invalid value "{given.text("rootless")}" for flag -rootless')
    if given.text("rootless", "auto") == "true":
        raise RuntimeFailure("rootless containers are not supported")


def _report(given: Options, text: str) -> None:
    """Log an error; where the log itself cannot be written, on standard error."""
    from dockwright.runtime.log import Log

    try:
        log = Log(given.text("log"), given.text("log-format", "text"), given.on("debug"))
    except OSError:
        log = Log("", "text", False)
    log.error(text)


def refusal(verb: str) -> str:
    """What an unknown verb is told."""
    if verb in ("mips", "init"):
        return f"{verb} is not supported"
    return f"No help topic for '{verb}'"


def version() -> str:
    """The answer to --version, line by line as dockerd and podman read it."""
    from dockwright.runtime.context import OCI_VERSION

    return f"{NAME} version {__version__}\nspec: {OCI_VERSION}\n+SECCOMP +APPARMOR +CAP\n"


def usage() -> str:
    """The overview."""
    return (
        f"NAME:\n   {NAME} - runs containers from bundles of the Open Container Initiative\n\n"
        f"USAGE:\n   {NAME} [global options] command [command options] [arguments...]\n\n"
        f"COMMANDS:\n   {'  '.join(VERBS)}\n\nGLOBAL OPTIONS:\n   --{'  --'.join(sorted(FLAGS))}\n"
    )


def say(text: str) -> int:
    """Print to standard output; returns exit code 0."""
    view = memoryview(text.encode("utf-8", "surrogateescape"))
    while view:
        view = view[os.write(1, view) :]
    return 0
