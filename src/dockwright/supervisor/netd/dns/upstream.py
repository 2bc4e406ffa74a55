"""Asking real servers: what is not ours goes on as it came, by the asker's transport, and so does what comes back.

Each attempt has a socket of its own: the kernel draws its port, we draw the id, and only the server asked is heard. The
next server is asked after four seconds, after an error, and after SERVFAIL or REFUSED.
"""

from __future__ import annotations

import _socket
import os
import time

from dockwright.supervisor.netd.dns import message
from dockwright.supervisor.netd.dns.message import MAX_SIZE, REFUSED, SERVFAIL, Question
from dockwright.supervisor.netd.loop import IN, NEVER, OUT, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[int, int], _socket.socket]  # family and type to a socket, in the right network namespace

PATIENCE = 4.0  # seconds for one server
IN_FLIGHT = 1024  # questions that wait at a time, of all containers
PORT = 53
OWN = "127.0.0.11"


class Server:
    """A server, and where it is asked from.

    Attributes:
        address: IPv4, or IPv6 with an optional %ZONE. place: "host" or "container". make: makes sockets there.
    """

    __slots__ = ("address", "make", "place")

    def __init__(self, address: str, place: str, make: Make) -> None:
        self.address, self.place, self.make = address, place, make

    def __str__(self) -> str:
        return f"{self.address} (asked from the {self.place})"

    def connect(self, kind: int) -> _socket.socket:
        """A socket connected (or connecting) to it. Raises OSError, also for an address that is none."""
        plain, _, zone = self.address.partition("%")
        family = _socket.AF_INET6 if ":" in plain else _socket.AF_INET
        packed = _socket.inet_ntop(family, _socket.inet_pton(family, plain))
        sock = self.make(family, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            scope = _socket.if_nametoindex(zone) if zone else 0
            sock.connect((packed, PORT, 0, scope) if family == _socket.AF_INET6 else (packed, PORT))
        except OSError as error:
            if error.errno not in NEVER:
                sock.close()
                raise
        return sock


class Forwarder:
    """All questions that wait for real servers."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waiting = loop.within(PATIENCE)

    def ask(self, exchange: Exchange) -> None:
        """Begin; its `reply` is called once, perhaps at once."""
        if len(self.waiting) >= IN_FLIGHT:
            exchange.finish(message.answer(exchange.question, [], MAX_SIZE, REFUSED), "too many questions wait")
            return
        exchange.begin(self)


class Exchange:
    """One question on its way through the servers.

    Args:
        question, data: as it came. servers: in order. stream: it came by TCP.
        reply: called with the answer and a list of what was tried, in words.
    """

    def __init__(
        self, question: Question, data: bytes, servers: list[Server], stream: bool,
        reply: Callable[[bytes, list[str]], None],
    ) -> None:  # fmt: skip
        self.question, self.data, self.servers, self.stream, self.reply = question, data, servers, stream, reply
        self.tried: list[str] = []
        self.refused = b""  # the last answer that was a failure
        self.forwarder: Forwarder | None = None
        self.socket: _socket.socket | None = None
        self.next = 0
        self.started = 0.0
        self.buffer = b""
        self.ident = b""

    def begin(self, forwarder: Forwarder) -> None:
        """Ask the first server."""
        self.forwarder = forwarder
        self._attempt()

    def _attempt(self) -> None:
        """Ask the next server there is; without one the exchange is over."""
        while self.next < len(self.servers):
            server = self.servers[self.next]
            self.next += 1
            self.started = time.monotonic()
            try:
                self._send(server)
            except (OSError, ValueError) as error:
                number = error.errno if isinstance(error, OSError) else None
                self._leave(os.strerror(number) if number else "no address of a server")
                continue
            return
        if self.refused:
            self.finish(self.refused, "")
        else:
            why = "" if self.tried else "there is no server to ask"
            self.finish(message.answer(self.question, [], MAX_SIZE, SERVFAIL), why)

    def _send(self, server: Server) -> None:
        assert self.forwarder
        self.socket = server.connect(_socket.SOCK_STREAM if self.stream else _socket.SOCK_DGRAM)
        self.ident = os.urandom(2)
        self.buffer = self.ident + self.data[2:]
        events = IN
        if self.stream:
            self.buffer = len(self.buffer).to_bytes(2, "big") + self.buffer
            events = OUT
        else:
            self.socket.send(self.buffer)
        self.forwarder.loop.watch(self.socket.fileno(), self, events)
        self.forwarder.waiting.start(self)

    def ready(self, events: int) -> None:
        """Send on what could not be sent, or take what the server says."""
        assert self.socket and self.forwarder
        try:
            if self.stream and events & OUT:
                self._push()
            else:
                self._take(self.socket.recv(MAX_SIZE + 2))
        except OSError as error:
            if error.errno not in NEVER:
                self._fail(os.strerror(error.errno or 0))

    def _push(self) -> None:
        assert self.socket and self.forwarder
        self.buffer = self.buffer[self.socket.send(self.buffer) :]
        if not self.buffer:
            self.forwarder.loop.watch(self.socket.fileno(), self, IN)

    def _take(self, data: bytes) -> None:
        if self.stream:
            self.buffer += data
            length = int.from_bytes(self.buffer[:2], "big")
            if not data:
                self._fail("the connection was closed")
            if not data or len(self.buffer) < 2 + length or len(self.buffer) < 2:
                return
            data = self.buffer[2 : 2 + length]
        if not message.answers(data, int.from_bytes(self.ident, "big"), self.question.section):
            if self.stream:
                self._fail("it answered something else")
            return  # by UDP somebody may be guessing: the right answer may still come
        answer = self.question.ident.to_bytes(2, "big") + data[2:]
        if message.rcode_of(answer) in (SERVFAIL, REFUSED):
            self.refused = answer
            self._fail("SERVFAIL" if message.rcode_of(answer) == SERVFAIL else "REFUSED")
        else:
            self.finish(answer, "answered")

    def expired(self) -> None:
        """The server has not answered in time."""
        self._fail("no answer")

    def _fail(self, why: str) -> None:
        self._leave(why)
        self._attempt()

    def _leave(self, why: str) -> None:
        """Be done with the server asked last."""
        if why:
            milliseconds = (time.monotonic() - self.started) * 1000
            self.tried.append(f"{self.servers[self.next - 1]}: {why} after {milliseconds:.1f} ms" if self.next else why)
        if self.socket is not None and self.forwarder:
            self.forwarder.loop.forget(self.socket.fileno())
            self.socket.close()
            self.socket = None
            self.forwarder.waiting.stop(self)

    def finish(self, answer: bytes, why: str) -> None:
        """Tell the asker."""
        self._leave(why)
        self.reply(answer, self.tried)

    def cancel(self) -> None:
        """The asker is gone."""
        self.reply = lambda answer, tried: None
        self.next = len(self.servers)
        self.finish(b"", "")
