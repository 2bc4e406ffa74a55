"""Our client against a small in-process server that answers with prepared bytes."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dockwright.client.address import Address
from dockwright.client.client import Client
from dockwright.client.documents import dumps, loads
from dockwright.client.errors import ApiError, ConnectionFailed, ProtocolError
from dockwright.client.query import encode, quote
from dockwright.client.stdcopy import STDERR, STDOUT, Demultiplexer, demultiplex
from dockwright.client.wire import request_head


class Prepared:
    """Answers each request with the next prepared bytes and remembers what was asked."""

    def __init__(self, path, answers, close):
        self.asked = []
        self.connections = 0
        self._answers = list(answers)
        self._close = close
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._answers:
            sock, _ = self._listener.accept()
            self.connections += 1
            with sock:
                while self._answers and (asked := self._request(sock)):
                    self.asked.append(asked)
                    sock.sendall(self._answers.pop(0))
                    if self._close:
                        break

    def _request(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := sock.recv(65536)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        if b"chunked" in head:
            while not body.endswith(b"0\r\n\r\n"):
                body += sock.recv(65536)
            return head + b"\r\n\r\n" + body
        length = next((int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), 0)
        while len(body) < length:
            body += sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def finish(self):
        self._listener.close()


@pytest.fixture
def serve(tmp_path):
    with contextlib.ExitStack() as stack:

        def start(*answers, close=False):
            path = str(tmp_path / "sock")
            server = Prepared(path, answers, close)
            stack.callback(server.finish)
            client = Client(f"unix://{path}")
            stack.callback(client.close)
            return client, server

        yield start


def fixed(body, status="200 OK", *fields):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_get_reads_json_and_keeps_the_connection(serve):
    client, server = serve(fixed(b'{"a":1}\n'), fixed(b"[2]\n"))
    assert client.get("/info", {"all": True, "none": None, "n": 5}) == {"a": 1}
    assert client.get("/x") == [2]
    assert server.connections == 1
    assert server.asked[0].startswith(b"GET /v1.47/info?all=1&n=5 HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker")


def test_a_connection_the_daemon_closed_is_replaced(serve):
    client, server = serve(fixed(b"1"), fixed(b"2"), close=True)
    assert client.get("/a") == 1
    for _ in range(50):
        if client._idle is None or _readable(client._idle.sock):
            break
    assert client.get("/b") == 2
    assert server.connections == 2


def _readable(sock):
    import select

    return bool(select.select([sock], [], [], 0.1)[0])


def test_post_sends_a_document(serve):
    client, server = serve(fixed(b'{"Id":"x"}', "201 Created"))
    assert client.post("/containers/create", {"name": "a b&c"}, {"Image": "busybox"}) == {"Id": "x"}
    assert server.asked[0].startswith(b"POST /v1.47/containers/create?name=a%20b%26c HTTP/1.1")
    assert b"Content-Type: application/json\r\n" in server.asked[0]
    assert server.asked[0].endswith(b'{"Image":"busybox"}')


def test_no_content(serve):
    client, _ = serve(b"HTTP/1.1 204 No Content\r\n\r\n", fixed(b"1"))
    assert client.post("/containers/x/start") is None
    assert client.get("/y") == 1


def test_errors_carry_the_daemons_text(serve):
    client, _ = serve(fixed(b'{"message":"No such container: x"}\n', "404 Not Found"), fixed(b"plain", "500 Oops"))
    with pytest.raises(ApiError) as error:
        client.get("/containers/x/json")
    assert (error.value.status, error.value.message) == (404, "No such container: x")
    with pytest.raises(ApiError, match="plain"):
        client.get("/other")


def test_chunked_documents_arrive_whatever_the_cuts(serve):
    chunks = b'6\r\n{"n":1\r\n9;x=y\r\n}\n{"n":2}\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n'
    client, _ = serve(CHUNKED + chunks, fixed(b"3"))
    assert list(client.request("GET", "/events").documents()) == [{"n": 1}, {"n": 2}]
    assert client.get("/next") == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\r\nab",
        CHUNKED + b"1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000,
    ],
)
def test_broken_answers_are_connection_errors(serve, answer):
    client, _ = serve(answer, close=True)
    with pytest.raises(ConnectionFailed):
        client.request("GET", "/x").read()


def test_upload_is_chunked(serve):
    client, server = serve(fixed(b""))
    client.request("POST", "/images/load", {"quiet": True}, body=iter([b"abc", b"", b"de"])).read()
    assert b"Transfer-Encoding: chunked\r\nContent-Type: application/x-tar\r\n" in server.asked[0]
    assert server.asked[0].endswith(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_hijack_keeps_early_bytes(serve):
    head = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nUpgrade: tcp\r\n\r\n"
    client, server = serve(head + b"early", close=True)
    stream = client.hijack("/containers/x/attach", {"stream": True})
    assert (stream.status, stream.multiplexed) == (101, True)
    assert stream.recv() == b"early"
    assert stream.recv() == b""
    stream.close()
    assert b"Connection: Upgrade\r\nUpgrade: tcp\r\n" in server.asked[0]


def test_refused_hijack(serve):
    client, _ = serve(b"HTTP/1.1 404 Not Found\r\nContent-Type: x\r\n\r\nNo such container: x\r\n", close=True)
    with pytest.raises(ApiError) as error:
        client.hijack("/containers/x/attach")
    assert (error.value.status, error.value.message) == (404, "No such container: x")


@pytest.mark.parametrize(("theirs", "used"), [("1.41", "1.41"), ("1.47", "1.47"), ("1.52", "1.47")])
def test_negotiation(serve, theirs, used):
    client, server = serve(fixed(b"", "200 OK", f"Api-Version: {theirs}"))
    client.negotiate()
    assert client.version == used
    assert server.asked[0].startswith(b"HEAD /_ping HTTP/1.1")


def test_nobody_listens(tmp_path):
    with pytest.raises(ConnectionFailed) as error:
        Client(f"unix://{tmp_path}/none").get("/info")
    assert error.value.message == (
        f"Cannot connect to the Docker daemon at unix://{tmp_path}/none. Is the docker daemon running?"
    )


@pytest.mark.parametrize("text", ["", "unix://", "ftp://x", "tcp://", "tcp://x:y", "tcp://x:0", "tcp://:1"])
def test_bad_addresses(text):
    with pytest.raises(ConnectionFailed, match="unable to parse docker host"):
        Address(text)


def test_tcp_addresses():
    for text, expected in {"tcp://h:1": ("h", 1), "tcp://h": ("h", 2375), "tcp://[::1]:9": ("::1", 9)}.items():
        address = Address(text)
        assert (address.name, address.port) == expected


def test_header_injection_is_refused():
    with pytest.raises(ProtocolError):
        request_head("GET", "/", [("A", "b\r\nC: d\n")])


def test_quoting():
    assert quote("reg:5000/a b%?#é") == "reg:5000/a%20b%25%3F%23%C3%A9"
    assert encode({"filters": {"a": ["b"]}, "names": ["x", "y"], "off": False}) == (
        "filters=%7B%22a%22%3A%5B%22b%22%5D%7D&names=x&names=y"
    )


def frame(stream, data):
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("step", [1, 3, 8, 100])
def test_stdcopy_whatever_the_cuts(step):
    data = frame(1, b"out") + frame(2, b"error") + frame(1, b"") + frame(1, b"more")
    streams = {STDOUT: b"", STDERR: b""}
    for stream, part in demultiplex(data[at : at + step] for at in range(0, len(data), step)):
        streams[stream] += part
    assert streams == {STDOUT: b"outmore", STDERR: b"error"}


def test_stdcopy_hands_out_parts_of_a_frame():
    demultiplexer = Demultiplexer()
    assert list(demultiplexer.feed(frame(1, b"abcdef")[:10])) == [(1, b"ab")]


def test_stdcopy_refuses_what_is_no_frame():
    with pytest.raises(ValueError, match="unrecognized stream: 72"):
        list(Demultiplexer().feed(b"HTTP/1.1"))


def test_the_client_imports_next_to_nothing():
    """What the command line pays at each start."""
    program = "import sys; old = set(sys.modules); import dockwright.client.client; print(*sorted(set(sys.modules) - old))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-S", "-c", program]
    loaded = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if not name.startswith("dockwright")] == ["__future__", "_socket"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":', b"[1,]", b"nul", b'"\x01"', b"{} x", b"{x", b'{"a" 1}', b"\xff"])
def test_what_is_no_json_is_a_value_error(body):
    with pytest.raises(ValueError):
        loads(body)


def test_json_is_read_and_written_as_by_the_json_package():
    document = {"a": [1, -2.5, None, True, "é\n\u2028\U0001f600", {}], "b": {"c": []}}
    assert json.loads(dumps(document)) == document == loads(json.dumps(document))
    assert loads(dumps(["\udcff", {"\udcfe": 1}])) == ["\ufffd", {"\ufffd": 1}]
    program = (
        "import sys; sys.path.insert(0, {!r}); from dockwright.client.documents import loads\n"
        "try: loads(b'{{x')\nexcept ValueError: print('ok')"
    )
    source = str(Path(__file__).parents[3] / "src")
    command = [sys.executable, "-I", "-S", "-B", "-c", program.format(source)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "ok\n"
