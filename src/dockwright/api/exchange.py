"""One request and its answer, as handlers see them."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dockwright.api.answers import JSON, MULTIPLEXED_STREAM, RAW_STREAM, Answer, Fields, head
from dockwright.api.body import Body
from dockwright.api.encoding import line
from dockwright.api.errors import ClientGone, StreamBroken, translate
from dockwright.api.managers import Managers
from dockwright.api.query import Query
from dockwright.api.stream import HijackedStream
from dockwright.api.versions import NEWEST, Version
from dockwright.api.websocket import WebSocket, handshake
from dockwright.base.caller import Caller

if TYPE_CHECKING:
    from dockwright.api.connection import Connection


class Exchange:
    """A request, the managers to ask, and the ways to answer.

    A handler returns an `Answer`, or streams one (`begin`, `send`, `end`), or takes the connection over (`hijack`)
    and returns None.

    Attributes:
        method, path: as requested, the path decoded and without its version.
        name: the variable part of the path (a container, an image, an exec).
        version: of the API, from the path, else the newest.
        fields: request headers by lower-case name.
    """

    def __init__(self, connection: "Connection", managers: Managers, method: str, target: str, fields: Fields) -> None:
        self.connection = connection
        self.managers = managers
        self.method = method
        self.target = target
        self.fields = fields
        self.path = ""
        self.name = self.second = ""
        self.version: Version = NEWEST
        self.query = Query("")
        self.body: Body = Body(connection, "", None)
        self.begun = False
        self.chunked = False
        self.hijacked = False
        self.keep_alive = True
        self.old_http = False

    @property
    def what(self) -> str:
        """The request in a log line."""
        return f"{self.method} {self.path or self.target[:200]}"

    @property
    def upgrades(self) -> bool:
        """Whether the client asks for 101 at a hijack."""
        return "upgrade" in self.fields

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.connection.caller

    def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        self.begun = True
        fields = dict(answer.fields)
        if answer.status not in (204, 304):
            fields["Content-Length"] = "0" if self.method == "HEAD" else str(len(answer.body))
        if not self.keep_alive:
            fields["Connection"] = "close"
        body = b"" if self.method == "HEAD" else answer.body
        self.connection.write(head(answer.status, answer.content_type, fields) + body)

    def begin(self, status: int = 200, content_type: str = JSON, fields: Fields | None = None) -> None:
        """Send the head of a streamed answer now; HTTP/1.0 gets its end by the close."""
        self.begun = True
        fields = dict(fields or {})
        self.chunked = not self.old_http
        if self.chunked:
            fields["Transfer-Encoding"] = "chunked"
        else:
            self.keep_alive = False
        if not self.keep_alive:
            fields["Connection"] = "close"
        self.connection.write(head(status, content_type, fields))

    async def send(self, data: bytes) -> None:
        """Send a piece of a streamed answer; waits while the client is behind.

        Raises:
            ClientGone: it has hung up.
        """
        if data:
            self.connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
            await self.connection.drain()

    def end(self) -> None:
        """End a streamed answer."""
        if self.chunked:
            self.connection.write(b"0\r\n\r\n")

    async def stream(self, pieces: AsyncIterator[bytes], content_type: str, fields: Fields | None = None) -> None:
        """Stream `pieces`; the head goes out before the first of them, the status of an early error is still ours.

        Raises:
            EngineError: before the first piece. StreamBroken: later; the connection is cut then.
        """
        first = await anext(pieces, b"")
        self.begin(content_type=content_type, fields=fields)
        try:
            await self.send(first)
            async for piece in pieces:
                await self.send(piece)
        except ClientGone:
            raise
        except Exception as error:
            raise StreamBroken(translate(error, self.what)[1]) from error
        self.end()

    async def progress(self, documents: AsyncIterator[Any]) -> None:
        """Stream progress documents; an error after the first becomes the last document, as Docker does it.

        Raises:
            EngineError: before the first document.
        """
        first = await anext(documents, None)
        self.begin()
        try:
            if first is not None:
                await self.send(line(first))
            async for document in documents:
                await self.send(line(document))
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the status has been sent: any error goes into the stream
            message = translate(error, self.what)[1]
            await self.send(line({"errorDetail": {"message": message}, "error": message}))
        self.end()

    def websocket(self) -> WebSocket:
        """Leave HTTP for a WebSocket.

        Raises:
            InvalidParameter: the client does not ask for one.
        """
        fields = handshake(self.fields)
        self.begun = self.hijacked = True
        self.connection.write(head(101, "", fields, "Switching Protocols"))
        return WebSocket(self.connection.take_over())

    def hijack(self, multiplexed: bool = False) -> HijackedStream:
        """Leave HTTP: 101 UPGRADED if the client asked for it, else 200; then raw bytes both ways.

        Args:
            multiplexed: what goes out is in stream frames; said by the content type to upgraded clients from 1.42 on.
        """
        self.begun = self.hijacked = True
        if self.upgrades:
            framed = multiplexed and self.version >= (1, 42)
            fields = {"Connection": "Upgrade", "Upgrade": "tcp"}
            block = head(101, MULTIPLEXED_STREAM if framed else RAW_STREAM, fields, "UPGRADED")
        else:
            block = head(200, RAW_STREAM, {})
        self.connection.write(block)
        return self.connection.take_over()

    async def head_taken(self) -> None:
        """Wait until the client has read the head of a hijacked connection, before there is output."""
        await self.connection.taken()

    def refuse_raw(self, status: int, message: str) -> None:
        """Refuse a hijack as Docker's attach does: plain text, typed as a raw stream, and the end of the connection."""
        self.begun = True
        self.keep_alive = False
        self.connection.write(head(status, RAW_STREAM, {"Connection": "close"}) + message.encode() + b"\r\n")
