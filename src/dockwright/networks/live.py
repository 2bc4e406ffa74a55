"""Changing a sandbox while its container runs: an interface comes or goes, the default route moves.

A network namespace belongs to a thread (setns(2)), so each change has a thread of its own, which ends with it.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dockwright.base.errors import Internal
from dockwright.kernel import interfaces, netlink
from dockwright.kernel.process import CLONE_NEWNET, setns

T = TypeVar("T")
Interface = Mapping[str, Any]
Routes = Sequence[Mapping[str, Any]]


async def attach(namespace: str, interface: Interface, routes: Routes) -> None:
    """Make an interface in a running sandbox and let its default routes be `routes`; an error leaves nothing behind.

    Args:
        namespace: a path of it. interface, routes: as in a sandbox's plan.

    Raises:
        Internal: with the kernel's words.
    """
    await _within(namespace, lambda outside, fd: _attach(outside, fd, interface, routes))


async def detach(namespace: str, interface: str, routes: Routes) -> None:
    """Delete an interface of a running sandbox, one that has gone already (or never was: "") is fine. Raises Internal."""
    if interface:
        await _within(namespace, lambda _, fd: _detach(fd, interface, routes))


async def names(namespace: str) -> set[str]:
    """The interfaces of a running sandbox. Raises Internal."""
    return await _within(namespace, lambda _, fd: _names(fd))


async def inside(namespace: str, work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own that is in the sandbox's namespace. Raises Internal for its OSError."""

    def enter(_: netlink.Netlink, fd: int) -> None:
        setns(fd, CLONE_NEWNET)
        work()

    await _within(namespace, enter)


async def _within(namespace: str, work: Callable[[netlink.Netlink, int], T]) -> T:
    """Run `work` in a thread of its own, with a socket of the host's namespace and a descriptor of the sandbox's."""

    def run() -> T:
        fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with netlink.Netlink() as outside:
                return work(outside, fd)
        finally:
            os.close(fd)

    thread = ThreadPoolExecutor(1, "sandbox")
    try:
        return await asyncio.shield(asyncio.wrap_future(thread.submit(run)))
    except OSError as error:
        raise Internal(error.strerror or str(error)) from None
    finally:
        thread.shutdown(wait=False)


def _attach(outside: netlink.Netlink, fd: int, interface: Interface, routes: Routes) -> None:
    interfaces.make_host_link(outside, interface, fd)
    setns(fd, CLONE_NEWNET)
    with netlink.Netlink() as inside:
        try:
            netlink.write_sysctls(interface.get("sysctls") or {})
            interfaces.configure_inside(inside, [interface], ())
            interfaces.replace_routes(inside, routes)
        except OSError:
            _delete(inside, interface["name"])
            raise


def _detach(fd: int, interface: str, routes: Routes) -> None:
    setns(fd, CLONE_NEWNET)
    with netlink.Netlink() as inside:
        _delete(inside, interface)
        interfaces.replace_routes(inside, routes)


def _names(fd: int) -> set[str]:
    setns(fd, CLONE_NEWNET)
    with netlink.Netlink() as inside:
        return {item["name"] for item in netlink.links(inside)}


def _delete(inside: netlink.Netlink, name: str) -> None:
    found = netlink.link(inside, name)
    if found is None:
        return
    try:
        inside.batch([netlink.link_delete(found["index"])])
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def hairpin(host: str) -> None:
    """Let the bridge port `host` send back what comes from it: a container may reach its own published port then.

    Raises:
        Internal: the kernel refused.
    """
    try:
        with netlink.Netlink() as outside:
            outside.batch([netlink.port_hairpin(host)])
    except OSError as error:
        raise Internal(f"bridge port {host}: {error.strerror}") from None
