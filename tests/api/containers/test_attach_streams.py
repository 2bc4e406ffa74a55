"""attach: by WebSocket, with much input, with readers that do not read, and with clients that leave."""

import base64
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NONE = ("--network", "none")


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(daemon: Any, *arguments: str) -> str:
    done = daemon.docker("run", *NONE, "-d", *arguments)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.decode().strip())


def requested(daemon: Any, request: str, body: bytes = b"") -> socket.socket:
    """A connection on which `request` was sent."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(daemon.host.removeprefix("unix://"))
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    sock.sendall(f"{request} HTTP/1.1\r\nHost: d\r\n{length}\r\n".encode() + body)
    return sock


def websocket(daemon: Any, path: str) -> socket.socket:
    """A WebSocket that has been accepted."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(daemon.host.removeprefix("unix://"))
    fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    fields += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n{fields}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    accept = base64.b64encode(hashlib.sha1(b"AAAAAAAAAAAAAAAAAAAAAA==258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    assert head.startswith(b"HTTP/1.1 101 ")
    assert accept in head
    return sock


def send(sock: socket.socket, data: bytes, kind: int = 1) -> None:
    """One message, masked with zeros."""
    sock.sendall(bytes((0x80 | kind, 0x80 | len(data))) + bytes(4) + data)


def messages(sock: socket.socket) -> bytes:
    """The binary messages until the server's close."""
    found = b""
    with sock.makefile("rb") as file:
        while head := file.read(2):
            size = head[1] if head[1] < 126 else int.from_bytes(file.read(2 if head[1] == 126 else 8), "big")
            data = file.read(size)
            if head[0] == 0x88:
                break
            found += data
    return found


def test_a_websocket_carries_both_directions_without_frames(tidy: Any) -> None:
    ident = run(tidy, "-i", "busybox", "sh", "-c", "read x; echo got $x; echo err >&2")
    sock = websocket(tidy, f"/v1.45/containers/{ident}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
    send(sock, b"food\n")
    assert sorted(messages(sock).splitlines()) == [b"err", b"got food"]
    sock.close()


def test_a_websocket_replays_and_chooses_streams(tidy: Any) -> None:
    ident = run(tidy, "busybox", "sh", "-c", "echo one; echo two >&2")
    tidy.docker("wait", ident)
    assert messages(websocket(tidy, f"/v1.45/containers/{ident}/attach/ws?logs=1&stdout=1")) == b"one\n"
    assert sorted(messages(websocket(tidy, f"/v1.41/containers/{ident}/attach/ws?logs=1"))) == sorted(b"one\ntwo\n")


def test_a_websocket_closed_by_its_client_leaves_the_container_alone(tidy: Any) -> None:
    ident = run(tidy, "-i", "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done")
    sock = websocket(tidy, f"/v1.41/containers/{ident}/attach/ws?stream=1")
    time.sleep(0.3)
    send(sock, b"\x03\xe8", kind=8)
    assert messages(sock).count(b"x") > 2
    sock.close()
    assert tidy.docker("inspect", "-f", "{{.State.Running}}", ident).stdout == b"true\n"


def test_what_asks_for_no_websocket_is_refused(tidy: Any, ask: Any) -> None:
    ident = run(tidy, "busybox", "sleep", "100")
    assert ask("GET", f"/containers/{ident}/attach/ws") == (400, {"message": "not websocket protocol"})


def test_a_hundred_megabytes_go_in_and_out_byte_for_byte(tidy: Any) -> None:
    data = os.urandom(1 << 20) * 100
    command = ["docker", "-H", tidy.host, "run", "--rm", "-i", *NONE, "busybox", "sha256sum"]
    done = subprocess.run(command, input=data, capture_output=True, timeout=110, check=False)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
    ident = run(tidy, "busybox", "sleep", "100")
    command = ["docker", "-H", tidy.host, "exec", "-i", ident, "cat"]
    done = subprocess.run(command, input=data[: 32 << 20], capture_output=True, timeout=110, check=False)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data[: 32 << 20]).digest()


def resident(pid: int) -> int:
    """kB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def test_a_reader_that_does_not_read_costs_no_memory_and_holds_nobody_else_up(tidy: Any) -> None:
    ident = run(tidy, "-i", "busybox", "sh", "-c", "read x; yes 0123456789 | head -c 30000000; echo through; sleep 100")
    slow = requested(tidy, f"POST /containers/{ident}/attach?stream=1&stdout=1&stdin=1")
    slow.sendall(b"go\n")
    before = resident(tidy.process.pid)
    time.sleep(2)
    assert resident(tidy.process.pid) - before < 8_000
    assert b"through" not in tidy.docker("logs", "--tail", "1", ident).stdout  # it is held up, as by a full pipe
    slow.close()
    until(lambda: b"through" in tidy.docker("logs", "--tail", "1", ident).stdout, 30)


def test_clients_that_leave_in_any_phase_leave_nothing(tidy: Any, ask: Any) -> None:
    ident = run(tidy, "-i", "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done")
    created = tidy.docker("create", *NONE, "busybox", "true").stdout.decode().strip()
    fields = json.dumps({"Cmd": ["sleep", "0.3"], "AttachStdout": True, "AttachStdin": True}).encode()

    def count() -> int:
        return len(os.listdir(f"/proc/{tidy.process.pid}/fd"))

    def start() -> tuple[str, bytes]:
        made = ask("POST", f"/containers/{ident}/exec", json.loads(fields))[1]["Id"]
        return f"POST /exec/{made}/start", json.dumps({"Detach": False}).encode()

    requests: list[Callable[[], tuple[str, bytes]]] = [
        lambda: (f"POST /containers/{ident}/attach?stream=1&stdin=1&stdout=1&logs=1", b""),
        lambda: (f"POST /containers/{created}/attach?stream=1&stdout=1", b""),
        lambda: (f"GET /containers/{ident}/logs?follow=1&stdout=1", b""),
        lambda: (f"GET /containers/{ident}/stats", b""),
        lambda: (f"POST /containers/{ident}/wait", b""),
        lambda: ("GET /events", b""),
        lambda: (f"POST /containers/{ident}/exec", fields),
        start,
    ]

    def leave(delay: float) -> None:
        for request in requests:
            sock = requested(tidy, *request())
            time.sleep(delay)
            sock.close()

    leave(0.2)  # once, so that what is made at first use is there
    time.sleep(1)
    before = count()
    for delay in (0, 0.01, 0.2):
        leave(delay)
    tidy.docker("start", created)  # whoever waited for it has gone
    until(lambda: count() <= before + 2, 20)  # the spare shim's may come or go
    assert tidy.docker("inspect", "-f", "{{.State.Running}}", ident).stdout == b"true\n"


def test_many_execs_at_once(tidy: Any) -> None:
    ident = run(tidy, "busybox", "sleep", "100")
    shim = int(Path(f"/proc/{tidy.docker('inspect', '-f', '{{.State.Pid}}', ident).stdout.decode().strip()}/stat").read_text()
               .rpartition(")")[2].split()[1])  # fmt: skip
    before = len(os.listdir(f"/proc/{shim}/fd"))
    results: dict[int, bytes] = {}

    def one(number: int) -> None:
        results[number] = tidy.docker("exec", ident, "sh", "-c", f"sleep 0.2; echo {number}; exit {number}").stdout

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n".encode() for number in range(40)}
    until(lambda: len(os.listdir(f"/proc/{shim}/fd")) == before)
