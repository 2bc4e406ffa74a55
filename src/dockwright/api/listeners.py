"""Listening: unix sockets, tcp, and descriptors that systemd passes.

A unix socket is root:group 0660 and never open to others in between (bound under umask 0177). A socket somebody listens
on is never taken away; one that nobody answers on is stale and replaced.  Sources: unix(7), sd_listen_fds(3).
"""

import grp
import logging
import os
import socket
import stat
from collections.abc import Iterable

from dockwright.base.errors import Conflict, InvalidParameter

_log = logging.getLogger("dockwright.api")

FIRST_PASSED = 3
BACKLOG = 1024


def listen(hosts: Iterable[str], group: str) -> list[socket.socket]:
    """A listening socket for each of `hosts` (`unix://`, `tcp://`, `fd://`); all or none.

    Raises:
        EngineError: one of them cannot be had.
    """
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            sockets += listen_one(host, group)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def listen_one(host: str, group: str) -> list[socket.socket]:
    """The sockets of one host; `fd://` may stand for several."""
    scheme, _, rest = host.partition("://")
    if scheme == "unix":
        return [listen_unix(rest, group)]
    if scheme == "tcp":
        return listen_tcp(rest)
    if scheme == "fd":
        return passed(rest)
    raise InvalidParameter(f"invalid protocol: {scheme}")


def listen_unix(path: str, group: str) -> socket.socket:
    """Listen on `path`, owned by root and `group`.

    Raises:
        Conflict: somebody lives there. InvalidParameter: a path that cannot be a socket, an unknown group.
    """
    gid = group_id(group)
    make_way(path)
    os.makedirs(os.path.dirname(path) or "/", mode=0o755, exist_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(path)
    except OSError as error:
        sock.close()
        raise InvalidParameter(f"can't create unix socket {path}: {error.strerror or error}") from None
    finally:
        os.umask(mask)
    if os.geteuid() == 0:
        os.chown(path, 0, gid)
    os.chmod(path, 0o660)
    sock.listen(BACKLOG)
    return sock


def group_id(group: str) -> int:
    """The gid of `group`, a name or a number; dockerd's default group may be missing and is root then.

    Raises:
        InvalidParameter: another group that does not exist.
    """
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if group.isdigit():
            return int(group)
    if group in ("docker", ""):
        _log.warning("could not change group of the socket to docker: group docker not found")
        return 0
    raise InvalidParameter(f"group {group} not found")


def make_way(path: str) -> None:
    """Remove a stale socket at `path`.

    Raises:
        Conflict: a live one. InvalidParameter: no socket at all.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise InvalidParameter(f"can't create unix socket {path}: file exists and is no socket")
    if alive(path):
        raise Conflict(f"can't create unix socket {path}: somebody listens there")
    os.unlink(path)


def alive(path: str) -> bool:
    """Whether somebody accepts connections at `path` (a full backlog is life, too)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            return True
    return True


def listen_tcp(address: str) -> list[socket.socket]:
    """Listen on `host:port`, on each address the host has; without a port, dockerd's 2375.

    Raises:
        InvalidParameter: no such address, or it is taken.
    """
    name, separator, port = address.rstrip("/").rpartition(":")
    if not separator or address.endswith("]"):
        name, port = address.rstrip("/"), "2375"
    if not port.isdecimal() or int(port) > 65535:
        raise InvalidParameter(f"invalid bind address (tcp://{address}): invalid port: {port}")
    try:
        return bound(name.strip("[]"), int(port))
    except OSError as error:
        raise InvalidParameter(f"listen tcp {address}: {error.strerror or error}") from None


def bound(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on each address that `host` has; "" is every address.

    Raises:
        OSError: one of them cannot be had.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, target in found:
            sockets.append(_bound(family, target))
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bound(family: int, target: object) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(target)  # type: ignore[arg-type]
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def passed(which: str) -> list[socket.socket]:
    """The sockets systemd passed: all of them (`fd://`), one by number or by its name (LISTEN_FDNAMES).

    Raises:
        InvalidParameter: there are none, or not that one.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise InvalidParameter("no sockets found via socket activation: make sure the service was started by systemd")
    numbers = range(FIRST_PASSED, FIRST_PASSED + int(os.environ.get("LISTEN_FDS", "0")))
    names = dict(zip(numbers, os.environ.get("LISTEN_FDNAMES", "").split(":"), strict=False))
    chosen = [number for number in numbers if which in ("", "*", str(number), names.get(number))]
    if not chosen:
        raise InvalidParameter(f"failed to find systemd activated file or socket: {which}")
    sockets = [socket.socket(fileno=number) for number in chosen]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets
