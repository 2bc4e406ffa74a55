"""Requests to a daemon: documents, streams of documents, raw streams, and hijacked connections."""

from __future__ import annotations

from dockwright.client.address import Address
from dockwright.client.documents import dumps, loads
from dockwright.client.errors import ApiError, ConnectionFailed
from dockwright.client.query import encode
from dockwright.client.wire import Wire, chunk, request_head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from dockwright.client.secure import Trust
    from dockwright.client.wire import Socket

    Query = Mapping[str, object]

NEWEST = "1.47"
OLDEST = "1.24"
USER_AGENT = "Docker-Client/27.5.1 (linux)"


class Response:
    """An answer whose body has not been read yet.

    Attributes:
        status: HTTP status. headers: by lower-case name.
    """

    def __init__(self, client: Client, wire: Wire, method: str) -> None:
        self._client = client
        self._wire = wire
        self.status, self.reason, self.headers = wire.head()
        self._pieces = self._body(method)
        self._done = False

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, as they arrive."""
        yield from self._pieces
        self._done = True
        self._client._give_back(self._wire, self.headers)

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self)

    def json(self) -> Any:
        """The body as a JSON document; None if it is empty."""
        body = self.read()
        return loads(body) if body.strip() else None

    def documents(self) -> Iterator[Any]:
        """The JSON documents of a stream with one per line (events, progress, stats), each as it arrives."""
        rest = b""
        for piece in self:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield loads(line)
        if rest.strip():
            yield loads(rest)

    def close(self) -> None:
        """Let go of the connection; in the midst of a stream this breaks it off."""
        if not self._done:
            self._wire.close()

    def _body(self, method: str) -> Iterator[bytes]:
        if method == "HEAD" or self.status in (101, 204, 304):
            return iter(())
        if "chunked" in self.headers.get("transfer-encoding", ""):
            return self._wire.chunks()
        if "content-length" in self.headers:
            return self._wire.exactly(int(self.headers["content-length"]))
        self.headers["connection"] = "close"
        return self._wire.to_end()


class Hijacked:
    """A connection that has left HTTP: attach, exec.

    Attributes:
        sock: the socket, for poll and sendall. early: bytes of the stream that came with the head.
        multiplexed: whether what comes is in stdcopy frames by its content type (API 1.42 and up; None: not said).
    """

    def __init__(self, wire: Wire, status: int, headers: Mapping[str, str]) -> None:
        self.wire = wire
        self.sock: Socket = wire.sock
        self.status = status
        self.closed = False
        kind = headers.get("content-type", "")
        self.multiplexed = None if "raw-stream" in kind else "multiplexed" in kind

    @property
    def unsent(self) -> bool:
        """Whether TLS still has something for the socket, which a `send` of b"" gives it."""
        return bool(getattr(self.sock, "unsent", False))

    def recv(self) -> bytes:
        """The next bytes, b"" at the end."""
        return self.wire.receive()

    def send(self, data: bytes) -> None:
        """Send stdin."""
        self.wire.send(data)

    def close_write(self) -> None:
        """Half-close: stdin is at its end, output goes on."""
        try:
            self.sock.shutdown(1)
        except OSError:
            return  # the other side has gone already, which is no news to whoever reads on

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        self.wire.close()


class Waiting:
    """An answer that comes some time: POST /containers/{id}/wait, on a connection of its own.

    The request is sent at once, so that its way and another request's overlap; `ready` reads the head, after which the
    daemon is listening for the exit.

    Attributes:
        done: the answer is there. document: what it says.
    """

    def __init__(self, client: Client, path: str, query: Query) -> None:
        self._client = client
        self._wire = client.dial()
        head = request_head("POST", client._target(path, query, True), [*client._common(), ("Content-Length", "0")])
        self._wire.send(head)
        self._response: Response | None = None
        self.done = False
        self.document: dict[str, Any] = {}

    def ready(self) -> None:
        """Read the head.

        Raises:
            ApiError, ConnectionFailed: as `Client.request`.
        """
        self._response = Response(self._client, self._wire, "POST")
        if self._response.status >= 400:
            raise api_error(self._response)
        if self._wire.early:
            self.feed()

    def fileno(self) -> int:
        """To poll: readable when the answer comes."""
        return self._wire.sock.fileno()

    def feed(self) -> None:
        """Read the answer; it comes as one small document."""
        if self._response is None:
            self.ready()
        if self._response and not self.done:
            self.document = self._response.json() or {}
            self.done = True

    def result(self) -> dict[str, Any]:
        """The answer, waiting for it."""
        self.feed()
        return self.document

    def close(self) -> None:
        """Let go of the connection."""
        if not self.done:
            self._wire.close()


class Client:
    """A daemon, spoken to over one kept connection.

    Args:
        address: `unix:///path` or `tcp://host:port`.
        version: API version of the requests; `negotiate` lowers it to the daemon's.
        headers: sent with each request (HttpHeaders of docker's config.json).
        trust: for TLS on tcp; None: without.
    """

    def __init__(
        self, address: str, version: str = NEWEST, headers: Mapping[str, str] | None = None, trust: Trust | None = None
    ) -> None:
        self.address = Address(address)
        self._trust = trust
        self.version = version
        self._headers = dict(headers or {})
        self._idle: Wire | None = None

    def dial(self) -> Wire:
        """A new connection.

        Raises:
            ConnectionFailed: nobody is there, or not whom we trust.
        """
        sock = self.address.connect()
        if not self._trust or not self.address.remote:
            return Wire(sock)
        from dockwright.client.secure import SecureSocket

        return Wire(SecureSocket(sock, self._trust, self.address.name))

    def negotiate(self) -> Mapping[str, str]:
        """Lower the version to the daemon's, if that is older; returns the headers of its ping.

        Raises:
            ConnectionFailed: nobody answers.
        """
        response = self.request("HEAD", "/_ping", versioned=False, check=False)
        response.read()
        theirs = response.headers.get("api-version", OLDEST)
        if numbers(theirs) < numbers(self.version):
            self.version = theirs
        return response.headers

    def get(self, path: str, query: Query | None = None) -> Any:
        """GET a JSON document."""
        return self.request("GET", path, query).json()

    def post(self, path: str, query: Query | None = None, document: object = None) -> Any:
        """POST (a JSON document, if given) and read the JSON answer; None if there is none."""
        return self.request("POST", path, query, document).json()

    def delete(self, path: str, query: Query | None = None) -> Any:
        """DELETE and read the JSON answer, None if there is none."""
        return self.request("DELETE", path, query).json()

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: object = None,
        *,
        body: Iterable[bytes] | None = None,
        content_type: str = "application/x-tar",
        headers: Mapping[str, str] | None = None,
        versioned: bool = True,
        check: bool = True,
    ) -> Response:
        """Send a request and read the head of its answer.

        Args:
            path: from the slash after the version on, already quoted (`query.quote`).
            query: parameters; True is "1", False and None are left out, dicts become JSON, lists repeat the key.
            document: sent as JSON. body: sent chunked instead, with `content_type`.
            check: raise for status 400 and above.

        Raises:
            ApiError: the daemon refused. ConnectionFailed: it is not there or broke off.
        """
        fields, payload = self._payload(document, body is not None, content_type)
        fields += list((headers or {}).items())
        head = request_head(method, self._target(path, query, versioned), [*self._common(), *fields])
        response = Response(self, self._exchange(head + payload, body), method)
        if check and response.status >= 400:
            raise api_error(response)
        return response

    def hijack(self, path: str, query: Query | None = None, document: object = None) -> Hijacked:
        """POST and take the connection over as a raw stream in both directions.

        Raises:
            ApiError, ConnectionFailed: as `request`.
        """
        fields, payload = self._payload(document, False, "")
        fields += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        head = request_head("POST", self._target(path, query, True), [*self._common(), *fields])
        wire = self.dial()
        wire.send(head + payload)
        status, _, headers = wire.head()
        if status >= 300:
            raise _refusal(wire, status, headers)
        return Hijacked(wire, status, headers)

    def wait(self, container: str, condition: str) -> Waiting:
        """Ask for the exit of a container: "next-exit", "removed", or "" for not running.

        Args:
            container: quoted.
        """
        return Waiting(self, f"/containers/{container}/wait", {"condition": condition})

    def close(self) -> None:
        """Close the kept connection."""
        if self._idle:
            self._idle.close()
            self._idle = None

    def _exchange(self, request: bytes, body: Iterable[bytes] | None) -> Wire:
        """Send on the kept connection, or on a new one when the daemon has closed that meanwhile."""
        wire, self._idle = self._idle, None
        if wire and _closed(wire):
            wire.close()
            wire = None
        wire = wire or self.dial()
        wire.send(request)
        if body is not None:
            _send_body(wire, body)
        return wire

    def _give_back(self, wire: Wire, headers: Mapping[str, str]) -> None:
        if self._idle or headers.get("connection", "").lower() == "close":
            wire.close()
        else:
            self._idle = wire

    def _common(self) -> list[tuple[str, str]]:
        host = "docker" if self.address.host == "localhost" else self.address.host
        return [("Host", host), ("User-Agent", USER_AGENT), *self._headers.items()]

    def _target(self, path: str, query: Query | None, versioned: bool) -> str:
        target = f"/v{self.version}{path}" if versioned else path
        text = encode(query) if query else ""
        return f"{target}?{text}" if text else target

    def _payload(self, document: object, chunked: bool, content_type: str) -> tuple[list[tuple[str, str]], bytes]:
        if chunked:
            return [("Transfer-Encoding", "chunked"), ("Content-Type", content_type)], b""
        if document is None:
            return [("Content-Length", "0")], b""
        payload = dumps(document)
        return [("Content-Length", str(len(payload))), ("Content-Type", "application/json")], payload


def _send_body(wire: Wire, body: Iterable[bytes]) -> None:
    """Send a chunked body. A daemon that answers and hangs up in the midst of it has its reason: read on for that."""
    for piece in body:
        if piece and not _sent(wire, chunk(piece)):
            return
    _sent(wire, chunk(b""))


def _sent(wire: Wire, data: bytes) -> bool:
    try:
        wire.send(data)
    except ConnectionFailed:
        return False
    return True


def api_error(response: Response) -> ApiError:
    """The daemon's refusal as an exception."""
    return _as_error(response.status, response.reason, response.read())


def _refusal(wire: Wire, status: int, headers: Mapping[str, str]) -> ApiError:
    """A hijack that was refused: JSON of known length, or plain text until the end (attach)."""
    length = headers.get("content-length")
    body = b"".join(wire.to_end() if length is None else wire.exactly(int(length)))
    wire.close()
    return _as_error(status, "", body)


def _as_error(status: int, reason: str, body: bytes) -> ApiError:
    try:
        message = loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = body.decode("utf-8", "replace").strip() or reason
    return ApiError(status, message)


def _closed(wire: Wire) -> bool:
    """Whether the kept connection was closed by the daemon: then recv has something to say."""
    wire.sock.settimeout(0)
    try:
        wire.early += wire.sock.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        wire.sock.settimeout(None)
    return True


def numbers(version: str) -> tuple[int, ...]:
    """An API version for comparing."""
    return tuple(int(part) for part in version.split("."))
