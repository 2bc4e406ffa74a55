"""Signals by name or number, as `docker kill` takes them."""

import signal

from dockwright.base.errors import InvalidParameter


def parse(text: str) -> int:
    """`KILL`, `SIGKILL`, `sigkill` and `9` are 9.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if text.isdigit():
        number = int(text)
        if number == 0:
            raise InvalidParameter(f"invalid signal: {text}")
        if number > signal.SIGRTMAX:
            raise InvalidParameter(f"the linux daemon does not support signal {number}")
        return number
    name = text.upper().removeprefix("SIG")
    found = getattr(signal.Signals, f"SIG{name}", None)
    if found is None:
        raise InvalidParameter(f"invalid signal: {text}")
    return int(found)
