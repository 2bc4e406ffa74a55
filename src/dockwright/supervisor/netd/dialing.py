"""How netd connects to a container: from an address of this host, or from the client's own (ip(7), IP_TRANSPARENT).

The second needs rules that lead the answers back to this host (networks.firewall.wayback), so a daemon asks for it.
"""

from __future__ import annotations

import _socket
import errno

from dockwright.supervisor.netd.loop import NEVER

IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75
STREAM, DATAGRAM = _socket.SOCK_STREAM, _socket.SOCK_DGRAM
IN_USE = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)

Address = tuple[object, ...]  # of a client: host, port and, in IPv6, flow and scope


class Manner:
    """How a daemon wants it. `transparent`: from the client's own address."""

    def __init__(self) -> None:
        self.transparent = False

    def source(self, client: Address, target: str) -> str:
        """The address to connect from, "" for one of this host's.

        What goes no further than a link cannot be routed back, and a container without the client's family cannot see it.
        """
        host = str(client[0])
        here = host.startswith(("127.", "fe80:", "169.254.")) or host == "::1"
        return host if self.transparent and not here and (":" in host) == (":" in target) else ""


def family_of(address: str) -> int:
    """AF_INET or AF_INET6."""
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def dial(kind: int, client: Address, target: tuple[str, int], manner: Manner) -> _socket.socket:
    """A socket that is being connected to `target` for `client`, with its port too unless that is in use.

    Args:
        kind: STREAM or DATAGRAM.

    Raises:
        OSError: there is no way to the target.
    """
    source = manner.source(client, target[0])
    for port in (client[1], 0) if source else (0,):
        sock = _socket.socket(family_of(target[0]), kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            if source:
                _become(sock, source, port)
            sock.connect(target)
        except OSError as error:
            if error.errno in NEVER:
                return sock
            sock.close()
            if not port or error.errno not in IN_USE:
                raise
        else:
            return sock
    raise AssertionError  # the last round returns or raises


def _become(sock: _socket.socket, source: str, port: object) -> None:
    """Send from an address that is not this host's."""
    if family_of(source) == _socket.AF_INET6:
        sock.setsockopt(_socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(_socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    sock.bind((source, port))
