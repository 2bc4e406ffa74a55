"""TLS on the client's socket: what the other side does not take yet waits, and nothing that has come is kept back."""

import select
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from tests import certificates

from dockwright.base.tls import TlsEnd
from dockwright.client.errors import ConnectionFailed
from dockwright.client.secure import SecureSocket, Trust


@pytest.fixture
def pair(tmp_path: Path) -> Any:
    """Our socket, and the other side: its end of TLS and its bare socket."""
    authority = certificates.Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    context.num_tickets = 0
    ours, its = socket.socketpair()
    end = TlsEnd(context, server=True)

    def shake() -> None:
        while not end.ready:
            end.receive(its.recv(1 << 16))
            its.sendall(end.take())

    other = threading.Thread(target=shake)
    other.start()
    secure = SecureSocket(ours, Trust(str(authority.path), "", "", True), "localhost")
    other.join()
    yield secure, end, its
    ours.close(), its.close()


def test_what_is_not_taken_waits(pair: Any) -> None:
    secure, end, its = pair
    secure.setblocking(False)
    data, sent = bytes(range(256)) * 4096, 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += secure.send(data[sent:])
    assert secure.unsent and 0 < sent < len(data)
    secure.shutdown(socket.SHUT_WR)
    heard = b""
    while not end.ended:
        heard += end.receive(its.recv(1 << 16))
        secure.send(b"")
    assert heard == data[:sent] and not secure.unsent


def test_a_daemon_without_tls(tmp_path: Path) -> None:
    ours, its = socket.socketpair()
    its.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")
    with its, pytest.raises(ConnectionFailed, match="error during connect: http: server gave HTTP response to HTTPS client"):
        SecureSocket(ours, Trust("", "", "", False), "localhost")
    assert ours.fileno() < 0


def test_all_that_has_come_is_given_at_once(pair: Any) -> None:
    secure, end, its = pair
    for _ in range(3):
        end.send(b"x" * 20_000)
    its.sendall(end.take())
    got = secure.recv(1)
    while len(got) < 60_000:
        got += secure.recv(1)
    assert not select.select([secure], [], [], 0)[0]
    secure.setblocking(False)
    with pytest.raises(BlockingIOError):
        secure.recv(1)
    end.finish()
    its.sendall(end.take())
    secure.setblocking(True)
    assert secure.recv(1) == b"" == secure.recv(1)
