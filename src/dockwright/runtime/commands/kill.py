"""Send a signal to a container's init, or to all its processes."""

from __future__ import annotations

from dockwright.runtime import deletion, state
from dockwright.runtime.arguments import SWITCH, Options
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals

FLAGS = {"all": SWITCH}
ALIASES = {"a": "all"}
WORDS = (1, 2)


def run(options: Options, env: Globals) -> int:
    """`kill [--all] ID [SIGNAL]`; the signal as number or name, SIGTERM by default."""
    found = state.load(env.root, options.words[0])
    number = signal_number(options.words[1] if len(options.words) > 1 else "SIGTERM")
    if options.on("all"):
        deletion.signal_all(found, number)
    else:
        deletion.signal_init(found, number)
    return 0


def signal_number(text: str) -> int:
    """A signal's number.

    Raises:
        RuntimeFailure: there is no such signal.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    import _signal  # type: ignore[import-not-found]

    name = text.upper()
    number = getattr(_signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if not isinstance(number, int) or name in ("SIG_DFL", "SIG_IGN", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"):
        raise RuntimeFailure(f'unknown signal "{text}"')
    return number
