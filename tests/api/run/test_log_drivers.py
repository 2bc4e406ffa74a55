"""Log drivers under the real client: what is read back, what is sent, what stays behind."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NONE = ("--network", "none")
GELF = ("--log-driver", "gelf", "--log-opt", "gelf-address=udp://127.0.0.1:9")
READABLE = {
    "local": ("--log-driver", "local"),
    "copy": GELF,
    "json-file in its own process": ("--log-opt", "mode=non-blocking", "--log-opt", "max-size=1m", "--log-opt", "max-file=50"),
    "local in its own process": ("--log-driver", "local", "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=4m"),
}


@pytest.fixture
def tidy(daemon: Any) -> Iterator[Any]:
    yield daemon
    idents = daemon.docker("ps", "-aq").stdout.decode().split()
    if idents:
        daemon.docker("rm", "-f", *idents)


def run(daemon: Any, script: str, *options: str) -> str:
    done = daemon.docker("run", *NONE, "-d", *options, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return str(done.stdout.decode().strip())


def logs(daemon: Any, *arguments: str) -> str:
    done = daemon.docker("logs", *arguments)
    assert done.returncode == 0, done.stderr
    return str((done.stdout + done.stderr).decode())


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def loggers(shim: int) -> list[int]:
    """The logger processes among a shim's children."""
    found = subprocess.run(["pgrep", "-P", str(shim), "dockwright-log"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def shim_of(daemon: Any, ident: str) -> int:
    """The parent of a container's init."""
    pid = int(daemon.docker("inspect", "-f", "{{.State.Pid}}", ident).stdout)
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("options", READABLE.values(), ids=READABLE.keys())
def test_what_is_logged_is_read_back(tidy: Any, options: tuple[str, ...]) -> None:
    ident = run(tidy, "for i in 1 2 3; do echo out $i; done; sleep 0.2; echo err >&2; sleep 0.2; printf end", *options)
    assert logs(tidy, "-f", ident) in ("out 1\nout 2\nout 3\nenderr\n", "out 1\nout 2\nout 3\nend")
    until(lambda: "end" in logs(tidy, ident))
    assert logs(tidy, ident) == "out 1\nout 2\nout 3\nenderr\n"
    assert logs(tidy, "--tail", "1", ident) == "end"
    stamps = [line.split(" ")[0] for line in logs(tidy, "-t", ident).replace("end", "end\n").splitlines()]
    assert len(stamps) == 5
    assert logs(tidy, "--since", stamps[3], ident) == "end" or logs(tidy, "--since", stamps[3], ident) == "enderr\n"
    assert logs(tidy, "--until", stamps[0], ident).startswith("out 1\n")
    assert logs(tidy, "--details", "--tail", "1", ident) == " end"


@pytest.mark.parametrize("options", [READABLE["local"], READABLE["copy"]])
def test_following_over_rotations(tidy: Any, options: tuple[str, ...]) -> None:
    prefix = "" if "local" in options else "cache-"
    sizes = ("--log-opt", f"{prefix}max-size=60k", "--log-opt", f"{prefix}max-file=400")
    ident = run(tidy, "sleep 0.5; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", *options, *sizes)
    expected = "".join(f"line {n}\n" for n in range(20000))
    assert logs(tidy, "-f", ident) == expected
    assert logs(tidy, ident) == expected
    assert logs(tidy, "--tail", "15000", ident) == "".join(f"line {n}\n" for n in range(5000, 20000))


def test_following_begins_before_and_goes_on_over_a_restart(tidy: Any) -> None:
    name = tidy.docker("create", *NONE, "--log-driver", "local", "busybox", "sh", "-c", "date +%s%N").stdout.decode().strip()
    assert logs(tidy, name) == ""
    for run_number in (1, 2):
        tidy.docker("start", "-a", name)
        assert len(logs(tidy, name).splitlines()) == run_number
    document = json.loads(tidy.docker("inspect", name).stdout)[0]
    assert document["LogPath"] == ""
    assert document["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {}}


def test_without_a_copy_there_is_nothing_to_read(tidy: Any) -> None:
    ident = run(tidy, "echo hi", *GELF, "--log-opt", "cache-disabled=true")
    done = tidy.docker("logs", ident)
    assert b"configured logging driver does not support reading" in done.stderr


def test_a_server_that_is_not_there_fails_the_start_and_leaves_nothing(tidy: Any) -> None:
    options = ("--log-driver", "fluentd", "--log-opt", "fluentd-address=127.0.0.1:1")
    done = tidy.docker("run", *NONE, "--rm", *options, "busybox", "true")
    text = b"failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused"
    assert done.returncode == 125
    assert text in done.stderr
    assert tidy.docker("ps", "-aq").stdout == b""
    made = tidy.docker("create", *NONE, *options, "busybox", "true").stdout.decode().strip()
    tidy.docker("start", made)
    state = json.loads(tidy.docker("inspect", made).stdout)[0]["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 128)
    assert state["Error"].endswith("connection refused")


def test_a_logger_lives_as_long_as_its_container(tidy: Any) -> None:
    ident = run(tidy, "while :; do echo x; sleep 0.1; done", *GELF)
    shim = shim_of(tidy, ident)
    (logger,) = loggers(shim)
    assert len(os.listdir(f"/proc/{logger}/fd")) <= 6
    os.kill(logger, 9)  # its container goes on without it, and so does the local copy
    before = len(logs(tidy, ident))
    until(lambda: len(logs(tidy, ident)) > before + 4)
    tidy.docker("rm", "-f", ident)
    ident = run(tidy, "sleep 100", *GELF)
    (logger,) = loggers(shim_of(tidy, ident))
    tidy.docker("rm", "-f", ident)
    until(lambda: not os.path.exists(f"/proc/{logger}"))


def test_a_hung_server_holds_up_a_blocking_log_but_not_its_removal(tidy: Any) -> None:
    """Its socket takes no more: the container waits, nothing grows, and rm -f is quick all the same."""
    path = f"{tidy.root}/hung"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        options = ("--log-driver", "syslog", "--log-opt", f"syslog-address=unix://{path}", "--log-opt", "cache-disabled=true")
        ident = run(tidy, "yes | head -c 50000000; echo through >/done; sleep 100", *options)
        time.sleep(2)
        assert tidy.docker("exec", ident, "cat", "/done").returncode != 0
        shim = shim_of(tidy, ident)
        status = Path(f"/proc/{shim}/status").read_text()
        assert int(status.partition("VmRSS:")[2].split()[0]) < 40_000
        (logger,) = loggers(shim)
        begun = time.monotonic()
        tidy.docker("rm", "-f", ident)
        assert time.monotonic() - begun < 5
        until(lambda: not os.path.exists(f"/proc/{logger}"), 30)


def test_a_non_blocking_log_lets_its_container_go_on(tidy: Any) -> None:
    path = f"{tidy.root}/stuck"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        options = ("--log-driver", "syslog", "--log-opt", f"syslog-address=unix://{path}", "--log-opt", "mode=non-blocking")
        begun = time.monotonic()
        ident = run(tidy, "yes | head -c 5000000; echo through", *options, "--log-opt", "cache-disabled=true")
        assert tidy.docker("wait", ident).stdout == b"0\n"
        assert time.monotonic() - begun < 20


def test_passing_through_to_files(tidy: Any) -> None:
    out, error = f"{tidy.root}/out", f"{tidy.root}/error"
    options = ("--log-driver", "passthrough", "--log-opt", f"stdout={out}", "--log-opt", f"stderr={error}")
    ident = run(tidy, "printf a; echo b >&2; printf c", *options)
    tidy.docker("wait", ident)
    assert (Path(out).read_bytes(), Path(error).read_bytes()) == (b"ac", b"b\n")
    assert b"does not support reading" in tidy.docker("logs", ident).stderr
    missing = tidy.docker("run", *NONE, "--rm", "--log-driver", "passthrough", "--log-opt", "stdout=/no/such", "busybox", "true")
    assert b"failed to initialize logging driver: open /no/such: no such file or directory" in missing.stderr


def test_passing_through_to_another_processes_descriptor(tidy: Any) -> None:
    read, write = os.pipe()
    options = ("--log-driver", "passthrough", "--log-opt", f"stdout=/proc/{os.getpid()}/fd/{write}")
    ident = run(tidy, "echo hello", *options)
    assert os.read(read, 100) == b"hello\n"
    tidy.docker("wait", ident)
    os.close(read)
    os.close(write)


def test_attach_replays_a_local_log(tidy: Any) -> None:
    ident = run(tidy, "echo one; sleep 1; echo two", "--log-driver", "local")
    time.sleep(0.3)
    client = socket.socket(socket.AF_UNIX)
    client.connect(tidy.host.removeprefix("unix://"))
    client.sendall(f"POST /containers/{ident}/attach?logs=1&stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    data = b""
    while piece := client.recv(1 << 16):
        data += piece
    client.close()
    assert data.partition(b"\r\n\r\n")[2] == b"\1\0\0\0\0\0\0\4one\n\1\0\0\0\0\0\0\4two\n"


def test_the_engine_says_which_drivers_it_has(tidy: Any) -> None:
    drivers = json.loads(tidy.docker("info", "--format", "{{json .Plugins.Log}}").stdout)
    assert drivers == ["fluentd", "gelf", "journald", "json-file", "local", "passthrough", "syslog"]
