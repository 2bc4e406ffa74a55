"""HTTP/1.1 on one socket, from the client's side: heads, bodies of known length, chunks, and the hijack.

One request per `send`; its answer must be read to the end before the next (the client opens another connection instead
when a stream is still running). Sources: RFC 9112.
"""

from __future__ import annotations

from dockwright.client.errors import ConnectionFailed, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterable, Iterator

    from dockwright.client.secure import SecureSocket

    Socket = _socket.socket | SecureSocket

HEAD_LIMIT = 1 << 16
LINE_LIMIT = 1 << 12
RECEIVE, LARGE = 1 << 16, 1 << 18  # bytes received at a time: of anything, and of a body that is known to be long


class Wire:
    """A connected socket with what has been received and not yet used."""

    def __init__(self, sock: Socket) -> None:
        self.sock = sock
        self.early = b""

    def receive(self, most: int = RECEIVE) -> bytes:
        """More bytes, `most` at a time: the early ones first; b"" at the end of the stream."""
        if self.early:
            data, self.early = self.early, b""
            return data
        try:
            return self.sock.recv(most)
        except OSError as error:
            raise ConnectionFailed(f"error during connect: {error.strerror}") from error

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise ConnectionFailed(f"error during connect: {error.strerror}") from error

    def head(self) -> tuple[int, str, dict[str, str]]:
        """Read a response head: status, reason, headers by lower-case name. Skips 1xx answers other than 101."""
        while True:
            status, reason, headers = self._one_head()
            if status == 101 or status >= 200:
                return status, reason, headers

    def _one_head(self) -> tuple[int, str, dict[str, str]]:
        block = self._until(b"\r\n\r\n", HEAD_LIMIT)
        first, *lines = block.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        code, _, reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or not code.isdecimal():
            raise ProtocolError(f"error during connect: malformed HTTP response {first[:80]!r}")
        headers = {"connection": "close"} if version == "HTTP/1.0" else {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip(" \t")
        return int(code), reason, headers

    def chunks(self) -> Iterator[bytes]:
        """The pieces of a chunked body, as they come; trailers are read and dropped."""
        while True:
            size = self._chunk_size()
            if size == 0:
                while self._until(b"\r\n", HEAD_LIMIT):
                    continue
                return
            yield from self.exactly(size)
            if self._until(b"\r\n", 2):
                raise ProtocolError("error during connect: malformed chunked encoding")

    def exactly(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces."""
        while size:
            data = self.receive(LARGE if size > RECEIVE else RECEIVE)
            if not data:
                raise ConnectionFailed("unexpected EOF")
            if len(data) > size:
                data, self.early = data[:size], data[size:]
            size -= len(data)
            yield data

    def to_end(self) -> Iterator[bytes]:
        """Everything until the other side closes."""
        while data := self.receive():
            yield data

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _chunk_size(self) -> int:
        digits = self._until(b"\r\n", LINE_LIMIT).partition(b";")[0].strip()
        try:
            return int(digits, 16)
        except ValueError:
            raise ProtocolError("error during connect: malformed chunked encoding") from None

    def _until(self, mark: bytes, limit: int) -> bytes:
        """What comes before `mark`, which is consumed too; what follows it stays early."""
        block = self.receive()
        while (end := block.find(mark)) < 0:
            data = self.receive() if len(block) <= limit else b""
            if not data:
                raise ConnectionFailed("unexpected EOF" if block or limit < HEAD_LIMIT else "EOF")
            block += data
        self.early = block[end + len(mark) :]
        return block[:end]


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request.

    Raises:
        ProtocolError: a control character would break out of its line.
    """
    text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    block = text.encode("latin-1", "replace")
    if text.count("\r") != text.count("\r\n") or text.count("\n") != text.count("\r\n"):
        raise ProtocolError("invalid header field value")
    return block


def chunk(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body; b"" ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
