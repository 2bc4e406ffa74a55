"""A container's cgroup folders, made when it is created: a start finds them there and need not wait a millisecond for them.

Limits and processes come with the start, whose maker also makes what is missing; nothing here is needed for it to work.
"""

import asyncio
import logging

from dockwright.containers.container import Container
from dockwright.runtime.cgroups.group import Cgroup

log = logging.getLogger("dockwright.containers")
ANSWERED = 0.0005  # seconds that the answer to a create takes to be on its way


def make_ahead(container: Container) -> None:
    """Make the folders in a worker thread, when the create has been answered; nobody waits for it but `remove`."""
    container.group = asyncio.get_running_loop().create_task(_make(container))
    container.group.add_done_callback(_said)


async def _make(container: Container) -> None:
    await asyncio.sleep(ANSWERED)
    if not container.state.removing:
        await asyncio.to_thread(Cgroup(container.cgroup).create)


def _said(made: "asyncio.Future[None]") -> None:
    if error := made.exception():
        log.debug("cgroup folders not made ahead: %s", error)  # the start makes them, or says why it cannot


async def remove(container: Container) -> None:
    """Remove the folders of a container that has no processes.

    Raises:
        OSError: something is left in them.
    """
    if container.group:
        await asyncio.wait([container.group])
    await asyncio.to_thread(Cgroup(container.cgroup).remove)
