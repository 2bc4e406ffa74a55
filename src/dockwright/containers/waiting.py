"""`docker wait`: listening for an exit or a removal from a moment before the answer's head goes out."""

import asyncio
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.containers.container import Container

CONDITIONS = ("not-running", "next-exit", "removed")


class Waiter:
    """One wait.

    Raises:
        InvalidParameter: an unknown condition.
    """

    def __init__(self, container: Container, condition: str) -> None:
        if condition not in CONDITIONS:
            raise InvalidParameter(f'invalid condition: "{condition}"')
        loop = asyncio.get_running_loop()
        self._container = container
        self._exit: asyncio.Future[int] | None = None
        self._removal: asyncio.Future[None] | None = None
        if condition == "removed":
            self._removal = loop.create_future()
            container.removals.append(self._removal)
        elif condition == "next-exit" or container.state.running:
            self._exit = container.next_exit()

    async def result(self) -> dict[str, Any]:
        """{"StatusCode": n}, once the condition holds."""
        if self._removal:
            await self._removal
        code = await self._exit if self._exit else self._container.state.exit_code
        return {"StatusCode": code}
