"""What log drivers share: what they are, what they know of their container, and connections in Go's words."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

PATIENCE = 10.0  # seconds for a connection
ERROR, INFO = 3, 6  # severities of syslog(3) for stderr and stdout


class Driver(Protocol):
    """One container's way out."""

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """Bring `pieces` of `stream`, read at `now` (ns since the epoch), to where they go. What cannot be brought is lost."""

    def close(self) -> None:
        """The container has ended."""


@dataclass
class Info:
    """A container, as its log lines tell of it.

    Attributes:
        name: without the slash. image: its id. created: RFC 3339. attrs: chosen labels and variables.
    """

    id: str
    name: str
    tag: str
    image: str = ""
    image_name: str = ""
    command: str = ""
    created: str = ""
    attrs: dict[str, str] = field(default_factory=dict)


def severity(stream: str) -> int:
    """stderr is an error, stdout is information."""
    return ERROR if stream == "stderr" else INFO


def dial(network: str, address: str, tls: ssl.SSLContext | None = None) -> socket.socket:
    """A connected socket.

    Args:
        network: tcp, udp, unix or unixgram. address: `host:port` or a path.

    Raises:
        ConnectionError: in Go's words.
    """
    local = network.startswith("unix")
    kind = socket.SOCK_DGRAM if network in ("udp", "unixgram") else socket.SOCK_STREAM
    try:
        if local:
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.settimeout(PATIENCE)
            sock.connect(address)
            return sock
        host, port = split(address)
        return _secured(_dial_host(host, port, kind), host, tls)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(f"dial {network} {address}: {_reason(error)}") from None


def split(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`."""
    parts = urlsplit(f"//{address}")
    return parts.hostname or "localhost", parts.port or 0


def _dial_host(host: str, port: int, kind: int) -> socket.socket:
    error: OSError = OSError("no such host")
    for family, _, _, _, place in socket.getaddrinfo(host, port, type=kind):
        sock = socket.socket(family, kind)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(place)
            return sock
        except OSError as found:
            sock.close()
            error = found
    raise error


def _secured(sock: socket.socket, host: str, tls: ssl.SSLContext | None) -> socket.socket:
    return tls.wrap_socket(sock, server_hostname=host) if tls else sock


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "lookup: no such host"
    if isinstance(error, TimeoutError):
        return "i/o timeout"
    if isinstance(error, OSError) and error.errno and not hasattr(error, "library"):  # of an ssl.SSLError
        return f"connect: {os.strerror(error.errno).lower()}"
    return str(error)
