"""The logger process: takes one container's pieces from its shim and brings them to a log server, or to a file.

It is a fork of the shim, made before the container starts, and lives a little longer than that: until the pipe from the shim
ends and the last piece is sent. Whatever blocks, hangs or crashes here is nobody else's trouble.

    shim -> logger   u32 length (big endian), marshal of (stream, [piece, ...], time in ns)
    logger -> shim   "\\0" when it is ready; with a text behind it when it cannot be
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import marshal
import os

from dockwright.kernel import process as k
from dockwright.supervisor.logs.outlet import Outlet
from dockwright.supervisor.logs.pipe import LINGER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.supervisor.logs.drivers.base import Driver
    from dockwright.supervisor.loop import Loop

NAME = "dockwright-log"
WIDE = 1 << 20  # bytes of the pipe, where the kernel allows it
F_SETPIPE_SZ = 1031


def start(loop: Loop, options: dict[str, Any], path: str = "") -> Outlet:
    """Fork a logger for what `options` say (see `drivers.make`); its outlet.

    Args:
        path: the file that it writes, "" for none.
    """
    pipe, end = os.pipe()
    heard, status = os.pipe()
    if not os.fork():
        _serve(pipe, status, options)
    os.close(pipe)
    os.close(status)
    os.set_blocking(end, False)
    return Outlet(loop, end, heard, options.get("buffer", -1), path)


def _serve(pipe: int, status: int, options: dict[str, Any]) -> None:
    """The process's life. It never returns."""
    code = 1
    try:
        _alone({pipe, status})
        k.set_name(NAME)
        driver = _driver(status, options)
        if driver:
            _pump(pipe, driver)
            driver.close()
            code = 0
    finally:
        os._exit(code)


def _alone(kept: set[int]) -> None:
    """Be a process of its own, with no descriptor but its own; one that hangs outlives its shim by LINGER seconds at most."""
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGTERM, lambda _number, _frame: _signal.alarm(int(LINGER)))
    k.prctl(k.PR_SET_PDEATHSIG, _signal.SIGTERM)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue  # the folder's own


def _driver(status: int, options: dict[str, Any]) -> Driver | None:
    """The driver, told to the shim; None if it cannot be."""
    from dockwright.supervisor.logs import drivers

    try:
        driver = drivers.make(options)
    except (OSError, ValueError) as error:
        os.write(status, b"\0" + str(error).encode()[:4000])
        return None
    os.write(status, b"\0")
    os.close(status)
    return driver


def _pump(pipe: int, driver: Driver) -> None:
    """Hand over what comes, until the shim ends."""
    try:
        import fcntl

        fcntl.fcntl(pipe, F_SETPIPE_SZ, WIDE)
    except OSError:
        pass  # beyond the user's share of pipe buffers (pipe(7)): it stays as it is
    with open(pipe, "rb", buffering=WIDE) as file:
        while len(head := file.read(4)) == 4:
            stream, pieces, now = marshal.loads(file.read(int.from_bytes(head, "big")))
            driver.log(stream, pieces, now)
