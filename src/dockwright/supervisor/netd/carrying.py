"""What netd carries: UDP flows and TCP connections between a published port and its container."""

from __future__ import annotations

import _socket
import errno
import select
import time

from dockwright.supervisor.netd.dialing import DATAGRAM, STREAM, Address, dial, family_of
from dockwright.supervisor.netd.loop import IN, NEVER, OUT

CHUNK = 65536
IP_PKTINFO, IPV6_PKTINFO = 8, 50

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.supervisor.netd.ports import Port


class Flow:
    """One UDP client of one of our addresses: answers go back to it from that address."""

    def __init__(self, port: Port, client: Address, info: bytes) -> None:
        self.port, self.client, self.info = port, client, info
        self.used = time.monotonic()
        self.socket = dial(DATAGRAM, client, port.target, port.manner)
        port.loop.watch(self.socket.fileno(), self, IN)

    def ready(self, events: int) -> None:
        """Carry an answer back; a refusal by the container ends the flow."""
        try:
            data = self.socket.recv(CHUNK)
            self.used = time.monotonic()
            assert self.port.socket
            self.port.socket.sendmsg([data], [self.source()], 0, self.client)
        except OSError as error:
            if error.errno not in NEVER:
                self.close()

    def source(self) -> tuple[int, int, bytes]:
        """The control message that makes the answer leave from the address the client asked (ip(7), ipv6(7))."""
        if family_of(self.port.binding[1]) == _socket.AF_INET6:
            return _socket.IPPROTO_IPV6, IPV6_PKTINFO, self.info
        return _socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + self.info[8:12] + bytes(4)

    def close(self) -> None:
        """Forget the flow."""
        self.port.loop.forget(self.socket.fileno())
        self.socket.close()
        self.port.flows.pop((self.client, self.info), None)


class Pair:
    """One TCP connection carried: the client's socket and the container's, a buffer and an end for each direction."""

    def __init__(self, port: Port, client: _socket.socket, address: Address) -> None:
        self.port = port
        client.setblocking(False)
        try:
            container = dial(STREAM, address, port.target, port.manner)
        except OSError:
            client.close()
            raise
        self.client = Side(self, client, IN)
        self.container = Side(self, container, IN | OUT)
        self.client.other, self.container.other = self.container, self.client
        port.carried.add(self)
        for side in (self.client, self.container):
            port.loop.watch(side.socket.fileno(), side, side.events)

    def close(self) -> None:
        """End both connections."""
        for side in (self.client, self.container):
            self.port.loop.forget(side.socket.fileno())
            side.socket.close()
        self.port.carried.discard(self)


class Side:
    """One end of a Pair: reads into the other's buffer, writes its own; a half-close travels once the buffer is empty."""

    other: Side

    def __init__(self, pair: Pair, sock: _socket.socket, events: int) -> None:
        self.pair, self.socket, self.events = pair, sock, events
        self.buffer = b""
        self.ended = False  # the peer sends no more
        self.shut = False  # we have said that the other side sends no more

    def ready(self, events: int) -> None:
        """Move what can be moved; an error of either end closes both."""
        try:
            if events & (IN | select.EPOLLHUP | select.EPOLLERR) and not self.ended and not self.other.buffer:
                self.read()
            if events & OUT or self.buffer or self.other.ended:
                self.write()
            self.other.write()
        except OSError as error:
            if error.errno not in NEVER:
                self.pair.close()
                return
        if self.shut and self.other.shut:
            self.pair.close()
            return
        self.update()
        self.other.update()

    def read(self) -> None:
        """Take bytes from this end for the other one."""
        data = self.socket.recv(CHUNK)
        self.other.buffer = data
        self.ended = not data

    def write(self) -> None:
        """Give this end what is waiting for it, then the end of the stream."""
        if self.buffer:
            try:
                self.buffer = self.buffer[self.socket.send(self.buffer) :]
            except OSError as error:
                if error.errno not in NEVER and error.errno != errno.ENOTCONN:
                    raise
        if self.other.ended and not self.buffer and not self.shut:
            try:
                self.socket.shutdown(_socket.SHUT_WR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
            self.shut = True

    def update(self) -> None:
        """Ask epoll for what this end can do now."""
        events = (0 if self.ended or self.other.buffer else IN) | (OUT if self.buffer else 0)
        if events != self.events:
            self.events = events
            self.pair.port.loop.watch(self.socket.fileno(), self, events)
