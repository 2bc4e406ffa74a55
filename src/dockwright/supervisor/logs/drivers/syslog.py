"""syslog: a server by UDP, TCP, TLS or a Unix socket; RFC 3164 and RFC 5424, as Docker fills them in."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import TYPE_CHECKING

from dockwright.supervisor.logs.drivers.base import Info, dial, severity
from dockwright.supervisor.logs.drivers.values import TRUE, syslog_facility

if TYPE_CHECKING:
    import ssl

LOCAL = ("/dev/log", "/var/run/syslog", "/var/run/log")
PORT = 514


class Syslog:
    """One container's messages.

    Args:
        options: syslog-address, -facility, -format, -tls-*.

    Raises:
        OSError: the server cannot be reached, in Docker's words.
    """

    def __init__(self, options: dict[str, str], info: Info) -> None:
        self._network, _, self._address = options.get("syslog-address", "").partition("://")
        self._facility = syslog_facility(options.get("syslog-facility", ""))
        self._format, self._tag = options.get("syslog-format", ""), info.tag
        self._tls = self._context(options) if self._network == "tcp+tls" else None
        self._host, self._pid = socket.gethostname(), os.getpid()
        self._sock: socket.socket | None = self._connect()

    def _context(self, options: dict[str, str]) -> ssl.SSLContext:
        import ssl

        context = ssl.create_default_context()
        authority = options.get("syslog-tls-ca-cert", "")
        if authority:
            try:
                context.load_verify_locations(authority)
            except OSError as error:
                text = f"open {authority}: {os.strerror(error.errno or 0).lower()}" if error.errno else str(error)
                raise OSError(f'could not read CA certificate "{authority}": {text}') from None
        if options.get("syslog-tls-skip-verify") in ("", *TRUE):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if options.get("syslog-tls-cert"):
            context.load_cert_chain(options["syslog-tls-cert"], options.get("syslog-tls-key"))
        return context

    def _connect(self) -> socket.socket:
        if not self._network:
            return _local()
        address = self._address
        if not self._network.startswith("unix") and not address.rpartition(":")[2].isdigit():
            address = f"{address}:{PORT}"
        return dial(self._network.removesuffix("+tls"), address, self._tls)

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """One message for each line; empty ones are none."""
        head = self._head(self._facility << 3 | severity(stream), now)
        for piece in pieces:
            if line := piece.removesuffix(b"\n"):
                self._send(self._framed(head + line + b"\n"))

    def _head(self, priority: int, now: int) -> bytes:
        seconds, fraction = divmod(now, 1_000_000_000)
        when = datetime.fromtimestamp(seconds).astimezone().replace(microsecond=fraction // 1000)
        tag, pid = self._tag, self._pid
        if self._format.startswith("rfc5424"):
            stamp = when.isoformat(timespec="microseconds" if self._format.endswith("micro") else "seconds")
            stamp = stamp.replace("+00:00", "Z")
            return f"<{priority}>1 {stamp} {self._host} {tag} {pid} {tag} - ".encode()
        stamp = f"{when:%b} {when.day:2} {when:%H:%M:%S}"
        host = f" {self._host}" if self._format else ""
        return f"<{priority}>{stamp}{host} {tag}[{pid}]: ".encode()

    def _framed(self, message: bytes) -> bytes:
        """TLS carries several messages in a row: RFC 5424's are counted (RFC 5425)."""
        counted = self._tls is not None and self._format.startswith("rfc5424")
        return b"%d %b" % (len(message), message) if counted else message

    def _send(self, message: bytes) -> None:
        """Send one message; a broken connection is made anew once, then the message is lost."""
        for _ in range(2):
            try:
                if self._sock is None:
                    self._sock = self._connect()
                self._sock.sendall(message)
                return
            except OSError:
                self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._sock:
            self._sock.close()
            self._sock = None


def _local() -> socket.socket:
    """The host's own syslog.

    Raises:
        OSError: in Docker's words.
    """
    for path in LOCAL:
        for network in ("unixgram", "unix"):
            try:
                return dial(network, path)
            except OSError:
                continue
    raise OSError("Unix syslog delivery error")
