"""The D-Bus wire format: known bytes, and round trips."""

import socket
import struct
import threading

import pytest

from dockwright.supervisor.dbus import CALL, HEADER, BusError, Connection, Reader, marshal, types


def test_signatures_come_apart() -> None:
    assert list(types("ssa(sv)a(sa(sv))u")) == ["s", "s", "a(sv)", "a(sa(sv))", "u"]


def test_known_bytes() -> None:
    """The examples of the specification, Marshaling (Wire Format)."""
    assert marshal("sss", "foo", "+", "bar") == (
        b"\x03\0\0\0foo\0" b"\x01\0\0\0+\0\0\0" b"\x03\0\0\0bar\0"
    )  # fmt: skip
    assert marshal("at", [5]) == b"\x08\0\0\0" + bytes(4) + struct.pack("<Q", 5)
    assert marshal("at", []) == bytes(8)  # the padding before the first element is there even without one
    assert marshal("v", ("b", True)) == b"\x01b\0\0" + b"\x01\0\0\0"


@pytest.mark.parametrize(
    ("signature", "value"),
    [("y", 7), ("t", 1 << 63), ("o", "/a/b"), ("g", "a(sv)"), ("as", ["x", "", "yz"]), ("(yt)", (1, 2)),
     ("a(yt)", [(1, 2), (3, 4)]), ("aas", [["a"], []]), ("s", "ü" * 300)],
)  # fmt: skip
def test_round_trips(signature: str, value: object) -> None:
    assert Reader(marshal("y" + signature, 1, value)).take("y" + signature) == [1, value]


class Peer(threading.Thread):
    """A peer that lets in, gives one answer, and keeps the call."""

    def __init__(self, path: str, *answers: bytes, welcome: bytes = b"OK 0123\r\n") -> None:
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.answers, self.welcome, self.heard = answers, welcome, b""
        self.start()

    def run(self) -> None:
        sock, _ = self.listener.accept()
        self.heard = sock.recv(512)
        sock.sendall(self.welcome)
        self.heard += sock.recv(4096)
        for answer in self.answers:
            sock.sendall(answer)
        sock.close()


def message(kind: int, signature: str, *values: object, error: str = "") -> bytes:
    body = marshal(signature, *values)
    fields = [(8, ("g", signature)), *([(4, ("s", error))] if error else [])]
    head = marshal(HEADER, ord("l"), kind, 0, 1, len(body), 1, fields)
    return head + bytes(-len(head) % 8) + body


def ask(path: str) -> list[object]:
    with Connection(path, 5) as connection:
        return connection.call("a.b", "/p", "a.b.C", "Do", "su", "word", 7)


def test_a_call_and_its_answer_past_a_signal(tmp_path) -> None:
    peer = Peer(f"{tmp_path}/s", message(4, "s", "something happened"), message(2, "v", ("s", "done")))
    assert ask(f"{tmp_path}/s") == ["done"]
    peer.join(5)
    start = peer.heard.index(b"l")
    head = Reader(peer.heard[start:]).take(HEADER)
    assert head[1] == CALL and dict(head[6]) == {1: "/p", 2: "a.b.C", 3: "Do", 6: "a.b", 8: "su"}
    assert peer.heard.endswith(marshal("su", "word", 7))


def test_a_refusal(tmp_path) -> None:
    Peer(f"{tmp_path}/s", message(3, "s", "there is one", error="org.x.Exists"))
    with pytest.raises(BusError, match=r"^there is one$") as caught:
        ask(f"{tmp_path}/s")
    assert caught.value.name == "org.x.Exists"


def test_a_peer_that_goes_or_talks_too_much(tmp_path) -> None:
    Peer(f"{tmp_path}/gone")
    with pytest.raises(ConnectionResetError):
        ask(f"{tmp_path}/gone")
    Peer(f"{tmp_path}/long", struct.pack("<BBBBIII", ord("l"), 2, 0, 1, 1 << 30, 1, 0))
    with pytest.raises(OSError, match="of 1073741824 bytes"):
        ask(f"{tmp_path}/long")
    Peer(f"{tmp_path}/closed", welcome=b"REJECTED EXTERNAL\r\n")
    with pytest.raises(PermissionError):
        ask(f"{tmp_path}/closed")
