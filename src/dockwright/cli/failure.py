"""How a command line ends badly: a text for stderr and a status."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.commands import Found

USAGE_STATUS = 125


class Failure(Exception):
    """The command failed.

    Args:
        text: for stderr, whole lines. status: the exit status.
    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class UsageError(Failure):
    """The command line itself is wrong: docker shows the usage and exits with 125."""

    def __init__(self, what: str, usage: str, path: str) -> None:
        name = f"dockwright {path}".rstrip()
        super().__init__(f"{what}\n\nUsage:  {usage}\n\nRun '{name} --help' for more information\n", USAGE_STATUS)


class RunFailure(Failure):
    """`run` and `create` failed: with our name before, the hint behind, and a status above 124."""

    def __init__(self, text: str, path: str, status: int = USAGE_STATUS) -> None:
        super().__init__(f"dockwright: {text}\n\nRun 'dockwright {path} --help' for more information\n", status)


def usage_of(found: Found) -> str:
    """The usage line of a command, as it was called."""
    from dockwright.cli.help import usage

    return usage(found)
