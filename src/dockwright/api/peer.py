"""The process at the other end of a connection."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path

from dockwright.base.caller import NOBODY, Caller

_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid (unix(7))


def caller(transport: asyncio.BaseTransport) -> Caller:
    """Who has connected; NOBODY where it cannot be told, as of another pid namespace's process."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return NOBODY
    if sock.family != socket.AF_UNIX:
        name = transport.get_extra_info("peername")
        return Caller(address=str(name[0])) if name else NOBODY
    try:
        pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    except OSError:
        return NOBODY  # it has hung up
    program = ""
    if pid:
        with contextlib.suppress(OSError):
            program = Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    return Caller(pid, uid, program)
