"""Reserved host ports, and what is carried from them to containers while no rule of the firewall does."""

from __future__ import annotations

import _socket
import errno
import time

from dockwright.supervisor.netd.carrying import Flow, Pair
from dockwright.supervisor.netd.dialing import Manner, family_of
from dockwright.supervisor.netd.loop import IN, Loop

UDP_IDLE = 90.0  # seconds a UDP client's flow is remembered
CHUNK = 65536
BACKLOG = 4096
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
IPV6_V6ONLY = 26
IP_PKTINFO, IPV6_RECVPKTINFO = 8, 49

KINDS = {"tcp": _socket.SOCK_STREAM, "udp": _socket.SOCK_DGRAM, "sctp": _socket.SOCK_STREAM}
NUMBERS = {"tcp": _socket.IPPROTO_TCP, "udp": _socket.IPPROTO_UDP, "sctp": 132}

Binding = tuple[str, str, int]


def bind(binding: Binding) -> _socket.socket | None:
    """A socket bound to a published address, which answers nobody yet. Raises OSError.

    None where the kernel has no SCTP sockets: then no program of the host can take the port either.
    """
    protocol, address, port = binding
    family = family_of(address)
    try:
        sock = _socket.socket(family, KINDS[protocol] | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC, NUMBERS[protocol])
    except OSError as error:
        if protocol == "sctp" and error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
            return None
        raise
    try:
        if family == _socket.AF_INET6:
            sock.setsockopt(_socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)
        if protocol == "udp":
            prepare_udp(sock, family)
        else:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if protocol != "udp":  # it has passed over connections in TIME_WAIT; who listens now meets a socket that does not share
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 0)
    except OSError:
        sock.close()
        raise
    return sock


def prepare_udp(sock: _socket.socket, family: int) -> None:
    """Drop every datagram until the port is opened, and ask to be told which of our addresses each one is for."""
    import ctypes  # only hosts that publish UDP pay for it

    drop = ctypes.create_string_buffer((0x06).to_bytes(2, "little") + bytes(6), 8)  # BPF_RET | BPF_K, 0
    program = bytes(ctypes.c_uint16(1)) + bytes(6) + bytes(ctypes.c_void_p(ctypes.addressof(drop)))
    sock.setsockopt(_socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    if family == _socket.AF_INET6:
        sock.setsockopt(_socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(_socket.IPPROTO_IP, IP_PKTINFO, 1)


class Port:
    """One reserved port; with a target it also carries connections (or datagrams) to the container.

    SCTP is reserved only: its messages are not a stream that could be carried.
    """

    def __init__(self, loop: Loop, binding: Binding, manner: Manner | None = None) -> None:
        self.loop = loop
        self.manner = manner or Manner()
        self.binding = binding
        self.socket = bind(binding)
        self.target = ("", 0)
        self.carried: set[object] = set()
        self.flows: dict[tuple[object, bytes], Flow] = {}

    def open(self, target: tuple[str, int]) -> None:
        """Begin to carry to `target`. Raises OSError when another listener has the port."""
        if self.socket is None or self.binding[0] == "sctp":
            return
        if not self.target[1]:
            if self.binding[0] == "tcp":
                self.socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
                self.socket.listen(BACKLOG)
            else:
                self.socket.setsockopt(_socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            self.loop.watch(self.socket.fileno(), self, IN)
        self.target = target

    def close(self) -> None:
        """Give the port up and end what it carries."""
        if self.socket is not None:
            self.loop.forget(self.socket.fileno())
            self.socket.close()
        for carried in list(self.carried) + list(self.flows.values()):
            carried.close()  # type: ignore[attr-defined]

    def ready(self, events: int) -> None:
        """Accept a connection, or carry a datagram."""
        assert self.socket
        try:
            if self.binding[0] == "tcp":
                fd, client = self.socket._accept()  # type: ignore[attr-defined]
                Pair(self, _socket.socket(fileno=fd), client)
            else:
                self.datagram()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.01)

    def datagram(self) -> None:
        """Send one datagram on, by the flow of its client and of the address it was sent to."""
        assert self.socket
        data, control, _, client = self.socket.recvmsg(CHUNK, 128)
        info = control[0][2] if control else b""
        key = (client, info)
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = Flow(self, client, info)
        flow.used = time.monotonic()
        flow.socket.send(data)

    def expire(self, now: float) -> None:
        """Forget UDP flows nobody uses."""
        for flow in [flow for flow in self.flows.values() if now - flow.used > UDP_IDLE]:
            flow.close()
