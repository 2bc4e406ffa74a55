"""What an attached exec's client gets, whatever way it reads."""

import json
import socket
from typing import Any

import pytest


def started(daemon: Any, ask: Any, sleeper: str, terminal: bool, framed: bool, script: str) -> bytes:
    """The output of an exec, read as docker-py does: the head through a buffer, then from the bare socket."""
    fields = {"Cmd": ["sh", "-c", script], "AttachStdout": True, "AttachStderr": True, "Tty": terminal}
    ident = ask("POST", f"/containers/{sleeper}/exec", fields)[1]["Id"]
    body = json.dumps({"Detach": False, "Tty": not framed}).encode()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(daemon.host.removeprefix("unix://"))
        head = f"POST /v1.45/exec/{ident}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        sock.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(8192).endswith(b"\r\n\r\n")  # and not a byte of output with it
        found = b""
        while data := sock.recv(8192):
            found += data
        return found


@pytest.mark.parametrize("attempt", range(5))
def test_output_never_comes_with_the_head(tidy: Any, ask: Any, sleeper: str, attempt: int) -> None:
    assert started(tidy, ask, sleeper, False, True, "echo quick") == b"\x01\0\0\0\0\0\0\x06quick\n"


def test_the_start_chooses_whether_output_is_framed(tidy: Any, ask: Any, sleeper: str) -> None:
    assert started(tidy, ask, sleeper, True, False, "echo a") == b"a\r\n"
    assert started(tidy, ask, sleeper, True, True, "echo a") == b"\x01\0\0\0\0\0\0\x03a\r\n"
    assert started(tidy, ask, sleeper, False, False, "echo a; sleep 0.1; echo b >&2") == b"a\nb\n"
