"""TLS between a socket and a connection: to the connection it is the transport, to the socket's transport the protocol.

asyncio's own TLS cannot end one direction alone, which attached streams need (`base.tls`).
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, cast

from dockwright.api.connection import HEAD_SECONDS_REMOTE, LINGER_SECONDS
from dockwright.base.tls import TlsEnd, reason

_log = logging.getLogger("dockwright.api")

_PLAIN = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"DELET", b"OPTIO")
_PLAIN_ANSWER = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class Secured(asyncio.Protocol):
    """The server's side of TLS on one socket.

    Args:
        context: our certificate, and whether clients need one.
        connection: makes what is served, once the handshake is over.
    """

    def __init__(self, context: ssl.SSLContext, connection: Callable[[], asyncio.Protocol]) -> None:
        self._end = TlsEnd(context, server=True)
        self._make = connection
        self._inner: asyncio.Protocol | None = None
        self._raw: asyncio.Transport
        self._first = b""
        self._told = self._refused = False
        self._timer: asyncio.TimerHandle | None = None

    # --- the socket's transport calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS_REMOTE, self._raw.abort)

    def data_received(self, data: bytes) -> None:
        if self._refused or self._speaks_plainly(data):
            return None
        try:
            text = self._end.receive(data)
        except ssl.SSLError as error:
            if self._inner:
                return self._raw.abort()  # somebody has meddled with the connection
            self._refuse(reason(error), self._end.take())
            return None
        self._flush()
        return self._hand_on(text) if self._end.ready else None

    def _hand_on(self, text: bytes) -> None:
        if not self._inner:
            self._disarm()
            self._inner = self._make()
            self._inner.connection_made(cast(asyncio.BaseTransport, self))
        if text:
            self._inner.data_received(text)
        if self._end.ended and not self._told:
            self._told = True
            if not self._inner.eof_received():
                self.close()

    def eof_received(self) -> bool:
        """A client that has closed its socket without a word; what it may still want to read goes on."""
        if self._told:
            return True
        self._told = True
        return bool(self._inner and self._inner.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._inner:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._inner:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner:
            self._inner.resume_writing()

    # --- the connection calls these

    def write(self, data: bytes) -> None:
        """Queue plaintext."""
        if not self._end.finished:
            self._end.send(data)
            self._flush()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """The end of what we say; the client may go on."""
        self._end.finish()
        self._flush()

    def close(self) -> None:
        """Close after what is queued, with a farewell."""
        if not self._raw.is_closing():
            self.write_eof()
            self._raw.close()

    def abort(self) -> None:
        """Cut the connection, without a farewell: what was sent is not whole."""
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._end.object if name == "ssl_object" else self._raw.get_extra_info(name, default)

    # --- the handshake

    def _flush(self) -> None:
        if records := self._end.take():
            self._raw.write(records)

    def _speaks_plainly(self, data: bytes) -> bool:
        """Answer a client that does not know of TLS so that it understands."""
        if len(self._first) < 5:
            self._first = (self._first + data)[:5]
            if self._first in _PLAIN:
                self._refuse("client sent an HTTP request to an HTTPS server", _PLAIN_ANSWER)
        return self._refused

    def _refuse(self, why: str, last_words: bytes) -> None:
        """Say why, and read on for a moment: closing with unread bytes would swallow what is said."""
        self._disarm()
        self._refused = True
        host, port = (self._raw.get_extra_info("peername") or ("?", 0))[:2]
        _log.info("http: TLS handshake error from %s: %s", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", why)
        self._raw.write(last_words)
        self._raw.write_eof()
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._raw.close)

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
