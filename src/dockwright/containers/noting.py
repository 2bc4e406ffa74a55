"""What is written down about a container, where a full disk must not stop what follows."""

import logging
import sqlite3
from collections.abc import Awaitable

from dockwright.containers.container import Container

log = logging.getLogger("dockwright.containers")


async def noted(container: Container, work: Awaitable[None]) -> bool:
    """Do a part of an end or a removal that is written down; False if it could not be: what makes room must not need any."""
    try:
        await work
    except sqlite3.Error as error:
        log.warning("what happens to container %s goes on without being written down: %s", container.id, error)
        return False
    return True
