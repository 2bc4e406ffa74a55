"""What only our daemon has: another one answers such requests with `page not found`, which says nothing to a user."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def ours(what: str, ask: Callable[[], T]) -> T:
    """What `ask` answers.

    Args:
        what: that the daemon is asked to do, as in "explain names".

    Raises:
        Failure: the daemon is not ours. ApiError, ConnectionFailed: as `ask`.
    """
    try:
        return ask()
    except ApiError as error:
        if error.status == 404 and "page not found" in error.message:
            raise Failure(f"the daemon does not {what}: it is not dockwrightd\n") from None
        raise
