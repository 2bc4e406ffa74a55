"""dockwright logout: a registry's credentials are forgotten."""

from __future__ import annotations

from dockwright.cli import credentials
from dockwright.cli.commands.login import registry
from dockwright.cli.terminal import out
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("")
ARGUMENTS = (0, 1)


def run(context: Context, given: Given) -> int:
    """Erase them from config.json or the helper; the registry is not asked."""
    key = registry(given)
    out(f"Removing login credentials for {key}\n")
    credentials.erase(context, key)
    return 0
