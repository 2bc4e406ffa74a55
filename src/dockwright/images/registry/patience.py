"""Waiting before the next attempt, longer each time, as Docker tells it."""

import asyncio
from collections.abc import Callable

from dockwright.images.registry.failures import Refused, RegistryError

LONGEST = 60.0  # seconds a registry may ask us to wait


async def wait(seconds: float, error: RegistryError, tell: Callable[[str], None]) -> None:
    """Wait `seconds`, or as long as the registry asked for, counting down.

    Args:
        tell: takes `Retrying in 5 seconds`, once a second.
    """
    asked = error.wait if isinstance(error, Refused) else 0.0
    left = max(seconds, min(asked, LONGEST))
    while left > 0:
        shown = round(left) or 1
        tell(f"Retrying in {shown} second{'s' if shown > 1 else ''}")
        await asyncio.sleep(min(left, 1.0))
        left -= 1.0
