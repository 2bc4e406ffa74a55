"""TLS on a connected socket, with what our client needs of one: half-close, and polling by descriptor.

Plaintext is never kept back: `recv` returns all there is, so that a poll of the descriptor tells the truth. Records that the
socket does not take yet wait in `unsent`.
"""

from __future__ import annotations

import ssl

from dockwright.base.tls import TlsEnd, reason
from dockwright.client.errors import ConnectionFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

RECORD = 1 << 14
READ = 1 << 17
HANDSHAKE_SECONDS = 30.0


class Trust:
    """Whom to trust, and who we are: files in PEM, "" for none.

    Args:
        authority: of the daemon's certificate. certificate, key: ours. verify: look at the daemon's certificate at all.

    Raises:
        OSError: a file is missing. ValueError: it holds something else; the text is docker's.
    """

    def __init__(self, authority: str, certificate: str, key: str, verify: bool) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            if authority:
                context.load_verify_locations(authority)
            elif verify:
                context.load_default_certs()
        except ssl.SSLError:
            raise ValueError("ca.pem seems invalid") from None
        if certificate or key:
            _load_pair(context, certificate, key)
        self.context = context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        text = "private key does not match public key" if mismatch else "failed to parse private key"
        raise ValueError(f"tls: {text}") from None


class SecureSocket:
    """A connected socket with TLS.

    Args:
        sock: connected and blocking. name: of the host, as it was called.

    Raises:
        ConnectionFailed: the daemon is not whom we trust, or speaks something else.
    """

    def __init__(self, sock: _socket.socket, trust: Trust, name: str) -> None:
        self._sock = sock
        self._end = TlsEnd(trust.context, server=False, name=name)
        self._unsent = b""
        sock.settimeout(HANDSHAKE_SECONDS)
        try:
            self._handshake()
        except OSError as error:
            sock.close()
            raise ConnectionFailed(f"error during connect: {error.strerror or error}") from error
        sock.settimeout(None)

    def _handshake(self) -> None:
        self._receive(b"")
        while not self._end.ready:
            self._sock.sendall(self._end.take())
            data = self._sock.recv(READ)
            if not data:
                raise ConnectionError(0, "EOF")
            if data.startswith(b"HTTP/"):
                raise ConnectionError(0, "http: server gave HTTP response to HTTPS client")
            self._receive(data)
        self._sock.sendall(self._end.take())

    def _receive(self, records: bytes) -> bytes:
        try:
            return self._end.receive(records)
        except ssl.SSLError as error:
            raise ConnectionError(0, reason(error)) from error

    @property
    def unsent(self) -> bool:
        """Whether records wait for the socket to take them: poll for that, then `send` something, or nothing."""
        return bool(self._unsent)

    def fileno(self) -> int:
        """To poll."""
        return self._sock.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """As sockets have it."""
        self._sock.settimeout(seconds)

    def setblocking(self, wanted: bool) -> None:
        """As sockets have it."""
        self._sock.setblocking(wanted)

    def recv(self, most: int) -> bytes:
        """What has come, be it more than `most`; b"" at the end.

        Raises:
            BlockingIOError: nothing, and we may not wait. OSError: the connection broke.
        """
        while not self._end.ended:
            data = self._sock.recv(max(most, READ))
            if not data:
                return b""
            if text := self._receive(data):
                return text
        return b""

    def send(self, data: bytes) -> int:
        """Take some of `data`, once what has waited is away; returns how much.

        Raises:
            BlockingIOError: the socket takes no more.
        """
        self._flush()
        if self._unsent and data:
            raise BlockingIOError
        if data:
            self._end.send(data[:RECORD])
            self._flush()
        return len(data[:RECORD])

    def sendall(self, data: bytes) -> None:
        """Send all of it, waiting."""
        self._end.send(data)
        records, self._unsent = self._unsent + self._end.take(), b""
        self._sock.sendall(records)

    def shutdown(self, how: int) -> None:
        """Say that no more comes from us; `how` is SHUT_WR."""
        self._end.finish()
        self._flush()

    def close(self) -> None:
        """Close the socket; a farewell that does not go out at once is left out."""
        if self._sock.fileno() >= 0:
            self._sock.setblocking(False)
            try:
                self.shutdown(1)
            except OSError:
                self._unsent = b""
        self._sock.close()

    def _flush(self) -> None:
        self._unsent += self._end.take()
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            return
