"""One client's connection: bytes to requests, in order, and back.

The head of a request is collected and checked strictly (headblock.py), then h11 parses it and the body. Answers are
composed by answers.py. One request is served at a time; what a pipelining client sends meanwhile waits, bounded. At a
hijack the connection leaves h11; what came early goes to the stream first.
"""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Awaitable, Callable
from typing import Any, cast

import h11

from dockwright.api import peer
from dockwright.api.answers import Answer
from dockwright.api.body import Body
from dockwright.api.errors import ClientGone
from dockwright.api.exchange import Exchange
from dockwright.api.headblock import HEAD_LIMIT, HeadError, check, check_unfinished
from dockwright.api.managers import Managers
from dockwright.api.stream import HijackedStream
from dockwright.base.caller import Caller
from dockwright.base.errors import InvalidParameter

HEAD_SECONDS_LOCAL = 300.0
HEAD_SECONDS_REMOTE = 30.0
LINGER_SECONDS = 2.0
PIPELINE_LIMIT = 256 * 1024
TAKEN_SECONDS, TAKEN_POLL = 0.1, 0.0005

Serve = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """The server's side of one connection.

    Args:
        managers: handed to each exchange.
        serve: answers one exchange; never raises.
        remote: it came over TCP.
        connections: the server's set of open connections, which this one enters and leaves.
        secured: and with TLS.
    """

    def __init__(
        self, managers: Managers, serve: Serve, remote: bool, connections: "set[Connection]", secured: bool = False
    ) -> None:
        self.remote, self.secured = remote, secured
        self.cancellable = False
        self._managers = managers
        self._serve = serve
        self._connections = connections
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._pending = bytearray()
        self._parser: h11.Connection | None = None
        self._exchange: Exchange | None = None
        self._stream: HijackedStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writable = True
        self._held = False
        self._eof = False
        self._lost = False
        self._lingering = False
        self._closing = False

    # --- the transport calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        if self._stream:
            self._stream.feed(data)
        elif self._parser and self._exchange and not self._exchange.body.complete:
            self._parser.receive_data(data)
            self._pump_body()
        else:
            self._pending += data
            if not self._exchange:
                self._next_request()
            elif len(self._pending) > PIPELINE_LIMIT:
                self.hold()

    def eof_received(self) -> bool:
        """The client sends no more. Streams go on in the other direction; a stream for reading only ends."""
        self._eof = True
        if self._lingering:
            return False
        if self._stream:
            self._stream.feed_eof()
        elif self._exchange:
            self._client_left()
        else:
            return False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._disarm()
        self._connections.discard(self)
        if self._stream:
            self._stream.feed_eof(lost=True)
        elif self._exchange:
            self._client_left()
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    # --- exchanges and streams call these

    @property
    def caller(self) -> Caller:
        """Who has connected."""
        return peer.caller(self._transport)

    def hold(self) -> None:
        """Stop reading from the socket."""
        if not self._held and not self._transport.is_closing():
            self._held = True
            self._transport.pause_reading()

    def release(self) -> None:
        """Read from the socket again."""
        if self._held and not self._transport.is_closing():
            self._held = False
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Queue bytes for the client."""
        if not self._lost:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the client is behind.

        Raises:
            ClientGone: it has hung up.
        """
        if not self._writable and not self._lost:
            self._drained = self._loop.create_future()
            await self._drained
        if self._lost:
            raise ClientGone("the client is gone")

    async def taken(self) -> None:
        """Wait until the client has read what was sent, for a tenth of a second at most.

        Clients that read an answer's head through a buffer and then go on with the bare socket (docker-py) lose what
        has come in the same read. How much of a Unix socket is unread is known (SIOCOUTQ, unix(7)); of TCP it is not.
        """
        sock = self._transport.get_extra_info("socket")
        deadline = self._loop.time() + TAKEN_SECONDS
        while not self.remote and not self._lost and self._loop.time() < deadline:
            if not int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder):
                return
            await asyncio.sleep(TAKEN_POLL)

    def extra(self, name: str) -> Any:
        """What the transport knows of itself, by asyncio's names (`ssl_object`); None if there is no such thing."""
        return self._transport.get_extra_info(name)

    def half_close(self) -> None:
        """Send no more."""
        if not self._lost and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """Close after what is queued has been sent; a stream's client that may still send is read to its end first."""
        if self._stream and not self._eof and not self._lost:
            self._linger()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection, so that the client sees that its answer is not whole."""
        self._transport.abort()

    def take_over(self) -> HijackedStream:
        """Leave HTTP: from here on all bytes are the stream's, first those that came early."""
        early = bytes(self._pending)
        if self._parser:
            early = self._parser.trailing_data[0] + early
        self._pending.clear()
        self._stream = HijackedStream(self, early, self._eof)
        self.release()
        return self._stream

    def finish_idle(self) -> None:
        """The server ends: close now if idle or hijacked, stop what only streams, let other requests end."""
        self._closing = True
        if self._task and self.cancellable:
            self._task.cancel()
        elif self._stream or not self._exchange:
            self._transport.close()

    # --- requests

    def _next_request(self) -> None:
        """Start the next request, if its head is here."""
        while self._pending.startswith(b"\r\n"):
            del self._pending[:2]
        try:
            end = self._pending.find(b"\r\n\r\n", 0, HEAD_LIMIT + 4)
            if end < 0:
                check_unfinished(self._pending)
                if self._pending:
                    self._arm()
                return
            check(bytes(self._pending[:end]))
            self._begin_request()
        except HeadError as error:
            self._refuse(error.status, error.reason)
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, str(error))

    def _begin_request(self) -> None:
        self._disarm()
        parser = self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        parser.receive_data(bytes(self._pending))
        self._pending.clear()
        request = cast(h11.Request, parser.next_event())
        self._exchange = self._make_exchange(request)
        self._pump_body()
        self._task = self._loop.create_task(self._run(self._exchange))

    def _make_exchange(self, request: h11.Request) -> Exchange:
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        exchange = Exchange(self, self._managers, request.method.decode(), request.target.decode("latin-1"), fields)
        waits = self._parser is not None and self._parser.they_are_waiting_for_100_continue
        exchange.body = Body(self, fields.get("content-type", ""), self._continue if waits else None)
        exchange.old_http = request.http_version < b"1.1"
        wish = fields.get("connection", "").lower()
        stays = "keep-alive" in wish if exchange.old_http else "close" not in wish
        exchange.keep_alive = stays and not self._closing
        return exchange

    def _continue(self) -> None:
        if self._exchange and not self._exchange.begun and not self._exchange.body.complete:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _pump_body(self) -> None:
        """Hand the body's bytes from h11 to the exchange."""
        assert self._parser and self._exchange
        body = self._exchange.body
        try:
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Data):
                    body.feed(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    return body.finish()
                else:
                    return None
        except h11.RemoteProtocolError as error:
            self._exchange.keep_alive = False
            return body.fail(InvalidParameter(f"malformed request body: {error}"))

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self._serve(exchange)
        finally:
            self._task = None
            self._finish(exchange)

    def _finish(self, exchange: Exchange) -> None:
        """After a request: on to the next one, or close."""
        self.cancellable = False
        if exchange.hijacked or self._lost:
            return
        self._exchange = None
        if not exchange.body.complete:
            self._linger()
        elif self._eof or self._closing or not exchange.keep_alive:
            self._transport.close()
        else:
            self._recycle()

    def _recycle(self) -> None:
        if self._parser:
            self._pending[:0] = self._parser.trailing_data[0]
            self._parser = None
        self.release()
        if self._pending:
            self._next_request()

    def _linger(self) -> None:
        """The answer came before the end of what the client sends: let it read that before the connection is closed.

        Closing with unread bytes in the socket would reset the connection and could swallow the answer.
        """
        self._lingering = True
        self.release()
        self.half_close()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what is no request, in net/http's form, and close."""
        self._disarm()
        exchange = Exchange(self, self._managers, "GET", "", {})
        exchange.keep_alive = False
        exchange.answer(Answer(status, f"{status} {reason}".encode(), "text/plain; charset=utf-8"))
        self._linger()

    def _client_left(self) -> None:
        """The client hung up in the midst of a request: its body ends; a handler that only streams to it is stopped.

        Verbs go on: a stop or a restart must not be left half-way because somebody pressed ctrl-c.
        """
        if self._exchange:
            self._exchange.body.fail(ClientGone("the client is gone"))
        if self._task and self.cancellable:
            self._task.cancel()

    # --- the deadline for a head

    def _arm(self) -> None:
        if not self._timer:
            seconds = HEAD_SECONDS_REMOTE if self.remote else HEAD_SECONDS_LOCAL
            self._timer = self._loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._pending:
            self._refuse(408, "Request Timeout")
        else:
            self._transport.close()
