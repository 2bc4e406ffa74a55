"""Addresses of daemons (`unix:///run/docker.sock`, `tcp://host:2375`) and connecting to them."""

from __future__ import annotations

import _socket

from dockwright.client.errors import ConnectionFailed

CONNECT_SECONDS = 30.0


class Address:
    """Where a daemon listens.

    Args:
        text: `unix://PATH`, `tcp://HOST[:PORT]`, or `http://HOST[:PORT]`; a bare path is a unix socket.

    Raises:
        ConnectionFailed: the text is no address, in docker's words.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        scheme, separator, rest = text.partition("://")
        if not separator and text.startswith("/"):
            scheme, rest, self.text = "unix", text, "unix://" + text
        if scheme == "unix" and rest:
            self.family: int = _socket.AF_UNIX
            self.path = rest
            self.host = "localhost"
        elif scheme in ("tcp", "http") and rest:
            self.family = _socket.AF_INET
            self.host = rest.rstrip("/")
            self.name, self.port = _host_port(self.host, text)
        else:
            raise ConnectionFailed(f"unable to parse docker host `{text}`")

    @property
    def remote(self) -> bool:
        """Whether it is reached by TCP."""
        return self.family != _socket.AF_UNIX

    def connect(self) -> _socket.socket:
        """A connected blocking socket.

        Raises:
            ConnectionFailed: nobody listens, or we may not talk to them.
        """
        try:
            return self._connect_unix() if self.family == _socket.AF_UNIX else self._connect_tcp()
        except PermissionError as error:
            raise ConnectionFailed(
                "permission denied while trying to connect to the Docker daemon socket at "
                f"{self.text}: dial {self._dialled()}: connect: permission denied"
            ) from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ConnectionFailed(
                f"Cannot connect to the Docker daemon at {self.text}. Is the docker daemon running?"
            ) from error
        except OSError as error:
            raise ConnectionFailed(f"error during connect: dial {self._dialled()}: {error.strerror}") from error

    def _dialled(self) -> str:
        return f"unix {self.path}" if self.family == _socket.AF_UNIX else f"tcp {self.host}"

    def _connect_unix(self) -> _socket.socket:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        return _connected(sock, self.path)

    def _connect_tcp(self) -> _socket.socket:
        failure: OSError = ConnectionRefusedError()
        for family, kind, protocol, _, target in _socket.getaddrinfo(
            self.name, self.port, 0, _socket.SOCK_STREAM, _socket.IPPROTO_TCP
        ):
            sock = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
            sock.settimeout(CONNECT_SECONDS)
            try:
                _connected(sock, target)
            except OSError as error:
                failure = error
                continue
            sock.settimeout(None)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return sock
        raise failure


def _connected(sock: _socket.socket, target: object) -> _socket.socket:
    try:
        sock.connect(target)  # type: ignore[arg-type]
    except OSError:
        sock.close()
        raise
    return sock


def _host_port(host: str, text: str) -> tuple[str, int]:
    """`host[:port]` or `[v6][:port]`; the default port is docker's plain one, 2375."""
    name, _, port = host.rpartition(":") if ":" in host.rpartition("]")[2] else (host, "", "2375")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConnectionFailed(f"unable to parse docker host `{text}`")
    return name.strip("[]"), int(port)
