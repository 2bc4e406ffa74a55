"""What log drivers send, as their servers see it. The expected bytes are dockerd's."""

import gzip
import json
import re
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.supervisor.logs.drivers import make
from dockwright.supervisor.logs.drivers.base import Info
from dockwright.supervisor.logs.drivers.fluentd import mapping, text
from dockwright.supervisor.logs.drivers.gelf import chunks
from dockwright.supervisor.logs.drivers.journald import Journald, entry, field_name
from dockwright.supervisor.logs.drivers.values import fluentd_place, syslog_facility
from dockwright.supervisor.logs.lines import PIECE

NOW = 1795574345_012345678  # 2026-11-25T02:39:05.012345678Z
INFO: dict[str, Any] = {
    "id": "a" * 64, "name": "web", "tag": "tag", "image": "sha256:b", "image_name": "busybox", "command": "echo <hi>",
    "created": "2026-11-25T02:39:04Z", "attrs": {"l": "v"},
}  # fmt: skip


def driver(name: str, **options: str) -> Any:
    return make({"driver": name, "options": {f"{name}-{k.replace('_', '-')}": v for k, v in options.items()}, "info": INFO})


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


class Server:
    """A TCP server that keeps what it is sent, and answers with `reply` to each piece."""

    def __init__(self, reply: Any = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.data, self.reply = b"", reply
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            while data := connection.recv(1 << 16):
                self.data += data
                if self.reply:
                    connection.sendall(self.reply(data))

    def all(self, sender: Any) -> bytes:
        sender.close()
        self.thread.join(5)
        self.listener.close()
        return self.data


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, r"<27>Nov 2\d \d\d:\d\d:05 tag\[\d+\]: err\n"),
        ({"format": "rfc3164"}, r"<27>Nov 2\d \d\d:\d\d:05 HOST tag\[\d+\]: err\n"),
        ({"format": "rfc5424", "facility": "local3"}, r"<155>1 2026-11-2\dT\S+:05(Z|[+-]\S+) HOST tag \d+ tag - err\n"),
        ({"format": "rfc5424micro", "facility": "1"}, r"<11>1 2026-11-2\dT\d\d:\d\d:05\.012345\S+ HOST tag \d+ tag - err\n"),
    ],
)
def test_syslog(udp: socket.socket, options: dict[str, str], pattern: str) -> None:
    sender = driver("syslog", address=f"udp://127.0.0.1:{udp.getsockname()[1]}", **options)
    sender.log("stderr", [b"\n", b"err\n"], NOW)
    assert re.fullmatch(pattern.replace("HOST", re.escape(socket.gethostname())), udp.recv(9999).decode())
    sender.close()


def test_syslog_over_a_unix_socket_that_comes_back(tmp_path: Path) -> None:
    path = f"{tmp_path}/log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(path)
        sender = driver("syslog", address=f"unixgram://{path}")
    sender.log("stdout", [b"lost\n"], NOW)
    Path(path).unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(path)
        second.settimeout(5)
        sender.log("stdout", [b"found\n"], NOW)
        assert second.recv(999).endswith(b": found\n")
    sender.close()


def test_gelf_documents(udp: socket.socket) -> None:
    for kind, unpack in (("none", bytes), ("gzip", gzip.decompress), ("zlib", zlib.decompress)):
        sender = driver("gelf", address=f"udp://127.0.0.1:{udp.getsockname()[1]}", compression_type=kind)
        sender.log("stdout", [b"\n", b"hi\n"], NOW)
        assert json.loads(unpack(udp.recv(9999))) == {
            "version": "1.1", "host": socket.gethostname(), "short_message": "hi", "timestamp": 1795574345.012, "level": 6,
            "_command": "echo <hi>", "_container_id": "a" * 64, "_container_name": "web", "_created": INFO["created"],
            "_image_id": "sha256:b", "_image_name": "busybox", "_l": "v", "_tag": "tag",
        }  # fmt: skip
        sender.close()


def test_long_gelf_documents_are_chunked() -> None:
    data = bytes(range(256)) * 20
    pieces = chunks(data)
    assert [piece[:2] + piece[10:12] for piece in pieces] == [bytes((0x1E, 0x0F, n, 4)) for n in range(4)]
    assert len({piece[2:10] for piece in pieces}) == 1
    assert b"".join(piece[12:] for piece in pieces) == data
    assert chunks(b"x" * 1420) == [b"x" * 1420]
    assert chunks(b"x" * 200_000) == []


def test_gelf_over_tcp() -> None:
    server = Server()
    sender = driver("gelf", address=f"tcp://{server.place}")
    sender.log("stdout", [b"a\n", b"b\n"], NOW)
    documents = server.all(sender).split(b"\0")
    assert [json.loads(document)["short_message"] for document in documents[:-1]] == ["a", "b"]
    assert documents[-1] == b""


def test_fluentd_entries() -> None:
    server = Server()
    sender = driver("fluentd", address=server.place)
    sender.log("stdout", [b"hi\n"], NOW)
    record = b"\x85\xaccontainer_id\xd9@" + b"a" * 64 + b"\xaecontainer_name\xa4/web\xa1l\xa1v\xa6source\xa6stdout\xa3log\xa2hi"
    assert server.all(sender) == b"\x94\xa3tag\xd2" + (NOW // 10**9).to_bytes(4, "big") + record + b"\x80"


def test_fluentd_parts_fractions_and_acknowledgements() -> None:
    def acknowledge(data: bytes) -> bytes:
        return b"\x81\xa3ack" + data[data.index(b"\xa5chunk") + 6 :]

    server = Server(acknowledge)
    sender = driver("fluentd", address=f"tcp://{server.place}", request_ack="true", sub_second_precision="1")
    sender.log("stdout", [b"x" * PIECE, b"end\n"], NOW)
    data = server.all(sender)
    assert data.count(b"\xd7\0" + (NOW // 10**9).to_bytes(4, "big") + (NOW % 10**9).to_bytes(4, "big")) == 2
    assert re.findall(rb"partial_ordinal\xa1(.)\xacpartial_last.(true|false)", data) == [(b"1", b"false"), (b"2", b"true")]
    assert data.count(b"\xa5chunk\xb8") == 2


def test_fluentd_waits_for_a_server_that_is_not_there_yet() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    with pytest.raises(OSError, match=f"dial tcp {place}: connect: connection refused"):
        driver("fluentd", address=place)
    sender = driver("fluentd", address=place, **{"async": "true"}, retry_wait="10ms")
    done = threading.Thread(target=sender.log, args=("stdout", [b"late\n"], NOW))
    done.start()
    with socket.create_server(("127.0.0.1", int(place.rpartition(":")[2]))) as again:
        again.settimeout(5)
        assert b"\xa4late" in again.accept()[0].recv(9999)
    done.join(5)
    sender.close()


def test_message_pack() -> None:
    assert text("x" * 31)[0] == 0xA0 | 31
    assert text("x" * 32)[:2] == b"\xd9\x20"
    assert text("x" * 256)[:3] == b"\xda\x01\x00"
    assert text("x" * 70000)[:5] == b"\xdb\0\x01\x11\x70"
    assert mapping({str(n): "" for n in range(16)})[:3] == b"\xde\0\x10"


def test_journald(tmp_path: Path) -> None:
    path = f"{tmp_path}/socket"
    with pytest.raises(OSError, match="journald is not enabled on this host"):
        Journald({}, Info(**INFO), path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        sender = Journald({}, Info(**{**INFO, "attrs": {"my.label": "v"}}), path)
        sender.log("stderr", [b"hi\n"], NOW)
        lines = server.recv(9999).decode().splitlines()
        assert lines == [
            "MESSAGE=hi", "CONTAINER_ID=" + "a" * 12, "CONTAINER_ID_FULL=" + "a" * 64, "CONTAINER_NAME=web", "CONTAINER_TAG=tag",
            "IMAGE_NAME=busybox", "SYSLOG_IDENTIFIER=tag", "MY_LABEL=v", "PRIORITY=3",
            "SYSLOG_TIMESTAMP=2026-11-25T02:39:05.012345678Z",
        ]  # fmt: skip
        sender.log("stdout", [b"x" * PIECE, b"y\n"], NOW)
        assert b"CONTAINER_PARTIAL_MESSAGE=true\n" in server.recv(99999)
        last = server.recv(99999)
        assert b"CONTAINER_PARTIAL_LAST=true\n" in last
        assert b"PARTIAL_MESSAGE" not in last
        sender.close()


def test_a_journal_entry_of_several_lines() -> None:
    assert entry({"MESSAGE": b"a\nb", "X": b"1"}) == b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nX=1\n"
    assert field_name("_my.label-1") == "MY_LABEL_1"


def test_addresses_and_facilities() -> None:
    assert fluentd_place("") == ("tcp", "127.0.0.1:24224")
    assert fluentd_place("host") == ("tcp", "host:24224")
    assert fluentd_place("tls://host:1") == ("tls", "host:1")
    assert fluentd_place("unix:///s") == ("unix", "/s")
    assert (syslog_facility(""), syslog_facility("local7"), syslog_facility("4")) == (3, 23, 4)
    with pytest.raises(ValueError, match="invalid syslog facility"):
        syslog_facility("24")
