"""The sockets of one container's resolver, and its questions on their way.

Sockets belong to the network namespace they were made in: netd makes them inside the container's and never runs there.
"""

from __future__ import annotations

import _socket
import errno
import os
from select import EPOLLERR, EPOLLHUP

from dockwright.kernel.process import CLONE_NEWNET, setns
from dockwright.supervisor.netd.dns import answers, message
from dockwright.supervisor.netd.dns.message import MAX_SIZE, Malformed, Question
from dockwright.supervisor.netd.dns.names import Directory, View
from dockwright.supervisor.netd.dns.redirect import PORT, redirect
from dockwright.supervisor.netd.dns.servers import MOST, HostServers
from dockwright.supervisor.netd.dns.upstream import OWN, Exchange, Forwarder, Server
from dockwright.supervisor.netd.loop import IN, NEVER, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Reply = Callable[[bytes], None]

AT_ONCE = 32  # datagrams of one container before others have their turn
STREAMS = 64  # TCP connections of one container
IDLE = 10.0  # seconds a TCP connection may say nothing
BACKLOG = 64
KEPT = 1 << 20  # bytes of answers a TCP client may leave unread


class Common:
    """What all resolvers share."""

    def __init__(self, loop: Loop, host_servers: HostServers | None = None) -> None:
        self.loop = loop
        self.directory = Directory()
        self.forwarder = Forwarder(loop)
        self.host_servers = host_servers or HostServers()
        self.idle = loop.within(IDLE)


class Namespace:
    """A network namespace that is entered to make sockets.

    Raises:
        OSError: there is none at `path`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def inside(self, make: Callable[[], _socket.socket]) -> _socket.socket:
        """What `make` answers when called inside. Raises OSError."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(self.fd, CLONE_NEWNET)
            try:
                return make()
            finally:
                setns(home, CLONE_NEWNET)
        finally:
            os.close(home)

    def socket(self, family: int, kind: int) -> _socket.socket:
        """A socket inside. Raises OSError."""
        return self.inside(lambda: _socket.socket(family, kind))

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


class Resolver:
    """Answers one container at 127.0.0.11.

    Args:
        path: of the container's network namespace. view: how it sees names; may be replaced at any time.

    Raises:
        OSError: no such namespace, or the kernel refused; nothing is left then.
    """

    def __init__(self, common: Common, path: str, view: View) -> None:
        self.common, self.view = common, view
        self.pending: set[Exchange] = set()
        self.streams: set[Stream] = set()
        self.namespace = Namespace(path)
        self.sockets: list[_socket.socket] = []
        try:
            self.namespace.inside(self._listen)
        except OSError:
            self.close()
            raise
        self.udp, self.tcp = self.sockets
        self.common.loop.watch(self.udp.fileno(), self, IN)
        self.listener = Listener(self)

    def _listen(self) -> _socket.socket:
        """Both sockets, inside; where the kernel has no nf_tables they take port 53 itself."""
        for port in (0, PORT):
            self.sockets = [_bound(_socket.SOCK_DGRAM, port)]
            self.sockets.append(_bound(_socket.SOCK_STREAM, port))
            self.sockets[1].listen(BACKLOG)
            if port:
                break
            try:
                redirect(OWN, self.sockets[0].getsockname()[1], self.sockets[1].getsockname()[1])
                break
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOENT):
                    raise
                for sock in self.sockets:
                    sock.close()
        return self.sockets[0]

    def ready(self, events: int) -> None:
        """Answer the datagrams that are there."""
        for _ in range(AT_ONCE):
            try:
                data, client = self.udp.recvfrom(MAX_SIZE)
            except OSError:
                return
            self.handle(data, False, lambda answer, client=client: self._send(answer, client))  # type: ignore[misc]

    def _send(self, answer: bytes, client: tuple[str, int]) -> None:
        try:
            self.udp.sendto(answer, client)
        except OSError:  # it does not listen any more, or its buffer is full: as any datagram, it is lost
            return

    def handle(self, data: bytes, stream: bool, reply: Reply) -> bool:
        """Answer one message, at once or when a server has. False: it deserves no answer."""
        try:
            question = message.parse(data)
        except Malformed as error:
            if error.rcode >= 0:
                reply(message.refusal(data, error.rcode))
            return error.rcode >= 0
        found = answers.answer(self.common.directory, self.view, question)
        if found is not None:
            reply(message.answer(question, found.records, MAX_SIZE if stream else question.size))
        else:
            self.forward(question, data, stream, lambda answer, tried: reply(answer))
        return True

    def forward(self, question: Question, data: bytes, stream: bool, reply: Callable[[bytes, list[str]], None]) -> None:
        """Ask the container's servers."""

        def done(answer: bytes, tried: list[str]) -> None:
            self.pending.discard(exchange)
            reply(answer, tried)

        exchange = Exchange(question, data, self.servers(), stream, done)
        self.pending.add(exchange)
        self.common.forwarder.ask(exchange)

    def servers(self) -> list[Server]:
        """Who is asked: the container's own servers from inside, else the host's from the host."""
        if self.view.servers is not None:
            return [Server(one, "container", self.namespace.socket) for one in self.view.servers[:MOST] if one != OWN]
        if not self.view.outside:
            return []
        return [Server(one, "host", _socket.socket) for one in self.common.host_servers.current()]

    def close(self) -> None:
        """Answer no more; the namespace can go."""
        for exchange in list(self.pending):
            exchange.cancel()
        for stream in list(self.streams):
            stream.close()
        for sock in self.sockets:
            self.common.loop.forget(sock.fileno())
            sock.close()
        self.namespace.close()


def _bound(kind: int, port: int) -> _socket.socket:
    sock = _socket.socket(_socket.AF_INET, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        if port:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        sock.bind((OWN, port))
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Takes a resolver's TCP connections."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        resolver.common.loop.watch(resolver.tcp.fileno(), self, IN)

    def ready(self, events: int) -> None:
        """Accept one; too many are closed at once."""
        try:
            fd, _ = self.resolver.tcp._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        sock = _socket.socket(fileno=fd)
        sock.setblocking(False)
        if len(self.resolver.streams) >= STREAMS:
            sock.close()
        else:
            Stream(self.resolver, sock)


class Stream:
    """One TCP connection: questions and answers, each with two bytes of length before it (RFC 1035 4.2.2, RFC 7766)."""

    def __init__(self, resolver: Resolver, sock: _socket.socket) -> None:
        self.resolver, self.socket = resolver, sock
        self.data, self.out = b"", b""
        self.ended = False
        self.waiting = 0  # questions without an answer
        resolver.streams.add(self)
        resolver.common.loop.watch(sock.fileno(), self, IN)
        resolver.common.idle.start(self)

    def ready(self, events: int) -> None:
        """Take questions, send answers."""
        try:
            if events & (EPOLLHUP | EPOLLERR):
                self.close()
            elif events & IN and not self.ended:
                self._read()
            if self.out and self in self.resolver.streams:
                self.out = self.out[self.socket.send(self.out) :]
        except OSError as error:
            if error.errno not in NEVER:
                self.close()
        self._update()

    def _read(self) -> None:
        data = self.socket.recv(MAX_SIZE)
        self.ended = not data
        self.data += data
        self.resolver.common.idle.start(self)
        while len(self.data) >= 2 and len(self.data) >= (end := 2 + int.from_bytes(self.data[:2], "big")):
            question, self.data = self.data[2:end], self.data[end:]
            self.waiting += 1
            if not self.resolver.handle(question, True, self._reply):
                self.close()
                return

    def _reply(self, answer: bytes) -> None:
        self.waiting -= 1
        if self not in self.resolver.streams:
            return
        self.out += len(answer).to_bytes(2, "big") + answer
        self._update()

    def _update(self) -> None:
        """Wait for what can happen now; done when the client is and has everything."""
        if self not in self.resolver.streams:
            return
        if len(self.out) > KEPT or (self.ended and not self.out and not self.waiting):
            self.close()
            return
        events = (0 if self.ended else IN) | (OUT if self.out else 0)
        self.resolver.common.loop.watch(self.socket.fileno(), self, events)

    def expired(self) -> None:
        """It has said nothing for long."""
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self in self.resolver.streams:
            self.resolver.streams.discard(self)
            self.resolver.common.idle.stop(self)
            self.resolver.common.loop.forget(self.socket.fileno())
            self.socket.close()
