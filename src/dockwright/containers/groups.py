"""A container's cgroup: where it is, its scope where systemd makes one, its folders.

The folders are made when the container is: a start finds them there and need not wait a millisecond for them. Limits and
processes come with the start, whose maker also makes what is missing.
"""

import asyncio
import logging

from dockwright.base.errors import Internal
from dockwright.base.steps import Step, perform
from dockwright.containers.container import Container
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.supervisor.dbus import BusError
from dockwright.supervisor.placement import SYSTEMD, Placement, whole
from dockwright.supervisor.task import Task

log = logging.getLogger("dockwright.containers")
ANSWERED = 0.0005  # seconds that the answer to a create takes to be on its way


def make_ahead(container: Container) -> None:
    """Make the folders in a worker thread, when the create has been answered; nobody waits for it but `remove`."""
    if whole(container.cgroup) == container.cgroup:  # else it is systemd who makes the first of them
        container.group = asyncio.get_running_loop().create_task(_make(container))
        container.group.add_done_callback(_said)


async def _make(container: Container) -> None:
    await asyncio.sleep(ANSWERED)
    if not container.state.removing:
        await asyncio.to_thread(Cgroup(container.cgroup).create)


def _said(made: "asyncio.Future[None]") -> None:
    if error := made.exception():
        log.debug("cgroup folders not made ahead: %s", error)  # the start makes them, or says why it cannot


async def settle(container: Container, placement: Placement) -> None:
    """Before a start: put it where this daemon has its containers. What an earlier daemon made elsewhere goes."""
    wanted = placement.cgroup(container.id, container.host.CgroupParent or "")
    if container.cgroup != wanted:
        try:
            await remove(container)
        except OSError as error:
            log.warning("cgroup %s of container %s is left: %s", container.cgroup, container.id, error)
    container.state.cgroup = wanted


async def scope(container: Container, placement: Placement, task: Task) -> list[Step]:
    """Have systemd make the container's scope, if that is the driver; answers the steps done.

    Raises:
        Internal: systemd did not.
    """
    if placement.driver != SYSTEMD:
        return []
    maker = (await task.state())["maker"]
    step = placement.scope_of(container.id, container.host.CgroupParent or "", maker)
    try:
        await asyncio.to_thread(perform, [step])
    except (OSError, BusError) as error:
        raise Internal(f"unable to start unit {step.name!r}: {error}") from None
    return [step]


def aside(container: Container) -> str:
    """Where the maker of a container's init goes when it is in the container's scope; "" if it is not."""
    scope = whole(container.cgroup)
    return f"{scope}/start" if scope != container.cgroup else ""


async def remove(container: Container) -> None:
    """Remove the folders of a container that has no processes.

    Raises:
        OSError: something is left in them.
    """
    if container.group:
        await asyncio.wait([container.group])
    await asyncio.to_thread(Cgroup(whole(container.cgroup)).remove)
