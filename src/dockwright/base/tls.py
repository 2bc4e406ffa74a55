"""One end of a TLS connection without its socket: records in, plaintext out, and the other way round.

Each direction ends on its own, as a stream that is attached needs it: what ends is told by close_notify, after which the
other direction goes on (RFC 8446 section 6.1).  The sockets of `ssl` cannot do that, its memory buffers can.
`ssl` is imported by who makes one: a command line without TLS must not load it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

READ = 1 << 16
_UNKNOWN = (18, 19, 20, 21)  # X509_V_ERR of certificates whose authority is not known
_ALERTS = {
    "CERTIFICATE_REQUIRED": "certificate required", "BAD_CERTIFICATE": "bad certificate",
    "UNKNOWN_CA": "unknown certificate authority", "CERTIFICATE_EXPIRED": "expired certificate",
    "HANDSHAKE_FAILURE": "handshake failure", "PROTOCOL_VERSION": "protocol version not supported",
}  # fmt: skip


class TlsEnd:
    """One end.

    Args:
        context: whose certificate is shown, and whose is asked for. server: we are the one who was called.
        name: the host that was called, whose certificate it must be.

    Attributes:
        object: what `ssl` knows of the connection.
        ready: the handshake is over. ended: the other side sends no more. finished: nor do we.
    """

    def __init__(self, context: ssl.SSLContext, server: bool, name: str | None = None) -> None:
        import ssl

        self.ready = self.ended = self.finished = False
        self._wants: type[Exception] = ssl.SSLWantReadError
        self._ends: type[Exception] = ssl.SSLZeroReturnError
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server, name)

    def receive(self, records: bytes = b"") -> bytes:
        """Take what came from the socket; returns all the plaintext there is now. A client begins with b"".

        Raises:
            ssl.SSLError: it is no TLS, or not from whom it should be; an alert may have to be sent (`take`).
        """
        self._incoming.write(records)
        try:
            if not self.ready:
                self.object.do_handshake()
                self.ready = True
            return b"".join(iter(self._read, b""))
        except self._wants:
            return b""

    def _read(self) -> bytes:
        """The next piece, b"" if there is none yet, or never."""
        if self.ended:
            return b""
        try:
            data = self.object.read(READ)
        except self._wants:
            return b""
        except self._ends:
            data = b""
        self.ended = not data
        return data

    def send(self, data: bytes) -> None:
        """Put plaintext into records."""
        self.object.write(data)

    def finish(self) -> None:
        """Say that no more comes from us; the other side may go on."""
        if self.ready and not self.finished:
            self.finished = True
            try:
                self.object.unwrap()
            except self._wants:
                return  # for their farewell, which `receive` will see

    def take(self) -> bytes:
        """The records that are to be sent."""
        return self._outgoing.read()


def reason(error: ssl.SSLError) -> str:
    """Why a connection failed, in the words of Go's crypto/tls, which users of Docker search for."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        known = error.verify_code not in _UNKNOWN
        what = error.verify_message if known else "certificate signed by unknown authority"
        return f"tls: failed to verify certificate: x509: {what}"
    code = error.reason or ""
    if code == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "tls: client didn't provide a certificate"
    if "ALERT_" in code:
        alert = code.partition("ALERT_")[2]
        return f"remote error: tls: {_ALERTS.get(alert, alert.replace('_', ' ').lower())}"
    if code in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST"):
        return "tls: first record does not look like a TLS handshake"
    return f"tls: {code.replace('_', ' ').lower() or error}"
