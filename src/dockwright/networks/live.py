"""Changing a sandbox while its container runs: an interface comes or goes, the default route moves.

A network namespace belongs to a thread (setns(2)), so each change has a thread of its own, which ends with it.
"""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dockwright.base.errors import Internal
from dockwright.kernel import netlink
from dockwright.kernel.process import CLONE_NEWNET, setns

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
    """Delete an interface of a running sandbox, one that has gone already is fine. Raises Internal."""
    await _within(namespace, lambda outside, fd: _detach(fd, interface, routes))


async def _within(namespace: str, work: Callable[[netlink.Netlink, int], None]) -> None:
    """Run `work` in a thread of its own, with a socket of the host's namespace and a descriptor of the sandbox's."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        failure: OSError | None = None
        try:
            fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                with netlink.Netlink() as outside:
                    work(outside, fd)
            finally:
                os.close(fd)
        except OSError as error:
            failure = error
        loop.call_soon_threadsafe(_settle, done, failure)

    threading.Thread(target=run, name="sandbox", daemon=True).start()
    await asyncio.shield(done)


def _settle(done: "asyncio.Future[None]", failure: OSError | None) -> None:
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(Internal(failure.strerror or str(failure)))


def _attach(outside: netlink.Netlink, fd: int, interface: Interface, routes: Routes) -> None:
    netlink.make_host_link(outside, interface, fd)
    setns(fd, CLONE_NEWNET)
    with netlink.Netlink() as inside:
        try:
            netlink.write_sysctls(interface.get("sysctls") or {})
            netlink.configure_inside(inside, [interface], ())
            netlink.replace_routes(inside, routes)
        except OSError:
            _delete(inside, interface["name"])
            raise


def _detach(fd: int, interface: str, routes: Routes) -> None:
    setns(fd, CLONE_NEWNET)
    with netlink.Netlink() as inside:
        _delete(inside, interface)
        netlink.replace_routes(inside, routes)


def _delete(inside: netlink.Netlink, name: str) -> None:
    found = netlink.link(inside, name)
    if found is None:
        return
    try:
        inside.batch([netlink.link_delete(found["index"])])
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
