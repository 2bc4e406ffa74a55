"""`dockwright`: the entry point.

Start time is the contract here: global flags are read, one command module is imported, and it runs. Nothing of argparse,
json, re, os or typing is loaded unless a command needs it; tests/unit/cli/test_imports.py holds the list.
"""

from __future__ import annotations

import posix
import sys

from dockwright.cli import commands, terminal
from dockwright.cli.failure import Failure, UsageError, usage_of
from dockwright.cli.terminal import err, out
from dockwright.client.errors import ApiError, ConnectionFailed
from dockwright.grammar.flags import FlagError, Flags, Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from dockwright.grammar.flags import Given

GLOBAL = Flags(
    "config c/context D/debug:bool H/host:list l/log-level tls:bool tlscacert tlscert tlskey tlsverify:bool v/version:bool"
)
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal", "trace", "panic", "warning")


def main() -> int:
    """Run the command line and end the process without Python's own farewell (everything is written unbuffered)."""
    terminal.open_missing()
    posix._exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit status."""
    try:
        return _dispatch(arguments)
    except Failure as failure:
        err(failure.text)
        return failure.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except terminal.WriteFailed as error:
        err(f"{error}\n")
    except ApiError as error:
        err(f"Error response from daemon: {error.message}\n")
    except ConnectionFailed as error:
        err(f"{error.message}\n")
    return 1


def _dispatch(arguments: list[str]) -> int:
    try:
        given = Parser(GLOBAL, interspersed=False).parse(arguments)
    except FlagError as error:
        raise UsageError(str(error), "dockwright [OPTIONS] COMMAND [ARG...]", "") from error
    words = given.rest
    if given.flag("version"):
        from dockwright import __version__

        out(f"Dockwright version {__version__}\n")
        return 0
    if words and words[0] == "help":
        words = [*words[1:], "--help"]
    elif not words or given.flag("help"):
        return _help(commands.Found("", [], words), out if given.flag("help") else err)
    if given.text("log-level", "info") not in LOG_LEVELS:
        raise Failure(f"Unable to parse logging level: {given.text('log-level')}\n")
    return _command(commands.find(words), given)


def _command(found: commands.Found, options: Given) -> int:
    if not found.module:
        return _group(found)
    module = _load(found.module)
    try:
        converters = getattr(module, "CONVERTERS", None)
        given = Parser(module.FLAGS, getattr(module, "INTERSPERSED", True), converters).parse(found.rest)
    except FlagError as error:
        raise UsageError(str(error), usage_of(found), found.path) from error
    for note in given.notes:
        out(note + "\n")
    if given.flag("help"):
        return _help(found, out)
    _check_count(found, given, *module.ARGUMENTS)
    from dockwright.cli.context import Context

    context = Context(found, options)
    try:
        return int(module.run(context, given))
    finally:
        context.close()


def _load(name: str) -> ModuleType:
    full = f"dockwright.cli.commands.{name}"
    __import__(full)
    return sys.modules[full]


def _group(found: commands.Found) -> int:
    """A group of commands without one: its help, or what is not in it."""
    wrong = [word for word in found.rest if not word.startswith("-")]
    if wrong:
        path = f"dockwright {found.path} {wrong[0]}".replace("  ", " ")
        usage = f"\nUsage:  dockwright {_group_usage(found.path)}\n" if found.path else ""
        name = f"dockwright {found.path}".rstrip()
        raise Failure(f"dockwright: unknown command: {path}\n{usage}\nRun '{name} --help' for more information\n")
    unknown = [word for word in found.rest if word not in ("--help", "-h")]
    if unknown:
        raise UsageError(f"unknown flag: {unknown[0]}", f"dockwright {_group_usage(found.path)}", found.path)
    return _help(found, out if found.rest else err)


def _group_usage(group: str) -> str:
    """Of docker's groups only volume says COMMAND here."""
    return f"{group} COMMAND" if group == "volume" else group


def _help(found: commands.Found, write: Callable[[str], None]) -> int:
    """The help page: on stdout if it was asked for, on stderr if a command is missing."""
    from dockwright.cli.help import page

    write(page(found))
    return 0


def _check_count(found: commands.Found, given: Given, least: int, most: int) -> None:
    """Docker's words for too few or too many arguments; `most` is -1 for any number."""
    count = len(given.rest)
    if count >= least and (most < 0 or count <= most):
        return
    see = "Run"
    if most == 0:
        what = "accepts no arguments"
    elif least == most:
        what = f"requires {least} argument{'s' * (least != 1)}"
    elif least and most > 0:
        what = f"requires at least {least} and at most {most} argument{'s' * (most != 1)}"
    elif count < least:
        what, see = f"requires at least {least} argument{'s' * (least != 1)}", "See"
    else:
        what = f"requires at most {most} argument{'s' * (most != 1)}"
    name = f"dockwright {found.path}"
    text = f"dockwright: '{name}' {what}\n\nUsage:  {usage_of(found)}\n\n{see} '{name} --help' for more information\n"
    raise Failure(text)


if __name__ == "__main__":
    main()
