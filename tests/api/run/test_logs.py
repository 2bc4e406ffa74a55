"""docker logs and attach --logs, by the real client and on the wire."""

import http.client
import json
import os
import socket
import threading
import time
from typing import Any

import pytest

NONE = ("--network", "none")


def made(daemon: Any, name: str, script: str, *options: str) -> None:
    done = daemon.docker("run", *NONE, "-d", "--name", name, *options, "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr


def logs(daemon: Any, *arguments: str) -> tuple[str, str]:
    done = daemon.docker("logs", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def tidy(daemon: Any) -> Any:
    yield daemon
    idents = daemon.docker("ps", "-aq").stdout.decode().split()
    if idents:
        daemon.docker("rm", "-f", *idents)


def test_both_streams_and_the_tail(tidy: Any) -> None:
    made(tidy, "lg", "for i in 1 2 3 4; do echo out $i; echo err $i >&2; done")
    tidy.docker("wait", "lg")
    out, err = logs(tidy, "lg")
    assert out == "".join(f"out {n}\n" for n in range(1, 5))
    assert err == "".join(f"err {n}\n" for n in range(1, 5))
    assert logs(tidy, "--tail", "0", "lg") == ("", "")
    assert sum(map(len, logs(tidy, "--tail", "3", "lg"))) == 3 * 6
    assert logs(tidy, "-n", "nonsense", "lg") == (out, err)


def test_timestamps_since_and_until(tidy: Any) -> None:
    made(tidy, "lg", "echo early; sleep 1.2; echo late")
    tidy.docker("wait", "lg")
    stamped = logs(tidy, "-t", "lg")[0].splitlines()
    assert [line.split()[1] for line in stamped] == ["early", "late"]
    first, second = (line.split()[0] for line in stamped)
    assert len(first) == 30
    assert first < second
    assert logs(tidy, "--since", second, "lg")[0] == "late\n"
    assert logs(tidy, "--until", first, "lg")[0] == "early\n"
    assert logs(tidy, "--since", "1h", "lg")[0] == "early\nlate\n"
    assert logs(tidy, "--until", "1h", "lg")[0] == ""


def test_details_carry_labels_variables_and_the_tag(tidy: Any) -> None:
    options = ["--log-opt", "labels=a,b", "--log-opt", "env=E", "--log-opt", "tag={{.Name}}/{{.ImageName}}"]
    made(tidy, "lg", "echo hi", *options, "--label", "a=x y", "--label", "c=no", "-e", "E=1", "-e", "F=2")
    tidy.docker("wait", "lg")
    assert logs(tidy, "--details", "lg")[0] == "E=1,a=x+y,tag=lg%2Fbusybox hi\n"
    made(tidy, "mm", "echo hi")
    tidy.docker("wait", "mm")
    assert logs(tidy, "--details", "mm")[0] == " hi\n"


def test_following_ends_with_the_container(tidy: Any) -> None:
    made(tidy, "lg", "echo a; sleep 1; echo b; sleep 0.3; printf end")
    begun = time.monotonic()
    assert logs(tidy, "-f", "lg")[0] == "a\nb\nend"
    assert 1 < time.monotonic() - begun < 4
    begun = time.monotonic()
    assert logs(tidy, "-f", "--tail", "1", "lg")[0] == "end"
    assert time.monotonic() - begun < 1


def test_following_ends_when_until_passes(tidy: Any) -> None:
    made(tidy, "lg", "while :; do echo x; sleep 0.2; done")
    begun = time.monotonic()
    done = logs(tidy, "-f", "--until", str(int(time.time()) + 2), "lg")[0]
    assert done.count("x") > 3
    assert time.monotonic() - begun < 6


def test_a_follower_sees_every_line_once_while_files_rotate(tidy: Any) -> None:
    options = ["--log-opt", "max-size=60k", "--log-opt", "max-file=400", "--log-opt", "compress=true"]
    made(tidy, "lg", "sleep 0.5; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", *options)
    expected = "".join(f"line {n}\n" for n in range(20000))
    assert logs(tidy, "-f", "lg")[0] == expected
    assert logs(tidy, "lg")[0] == expected
    assert logs(tidy, "--tail", "15000", "lg")[0] == "".join(f"line {n}\n" for n in range(5000, 20000))
    folder = os.path.dirname(json.loads(tidy.docker("inspect", "lg").stdout)[0]["LogPath"])
    assert any(name.endswith(".gz") for name in os.listdir(folder))


def test_the_log_is_rotated_without_being_asked(tidy: Any) -> None:
    made(tidy, "lg", "head -c 65000000 /dev/zero | tr '\\0' y >&2; echo >&2; echo end; echo end")
    tidy.docker("wait", "lg")
    document = json.loads(tidy.docker("inspect", "lg").stdout)[0]
    assert document["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {}}
    folder = os.path.dirname(document["LogPath"])
    sizes = {name: os.stat(f"{folder}/{name}").st_size for name in os.listdir(folder) if "json.log" in name}
    assert len(sizes) > 3
    assert max(sizes.values()) < 21 << 20
    begun = time.monotonic()
    assert logs(tidy, "--tail", "2", "lg") == ("end\nend\n", "")
    assert time.monotonic() - begun < 1


def test_a_terminal_is_not_framed(tidy: Any) -> None:
    made(tidy, "lg", "echo hi; echo err >&2", "-t")
    tidy.docker("wait", "lg")
    assert logs(tidy, "lg") == ("hi\r\nerr\r\n", "")


def test_no_log_to_read(tidy: Any) -> None:
    made(tidy, "lg", "echo hi", "--log-driver", "none")
    done = tidy.docker("logs", "lg")
    assert done.returncode == 1
    assert b"configured logging driver does not support reading" in done.stderr
    assert b"No such container: nope" in tidy.docker("logs", "nope").stderr
    tidy.docker("create", *NONE, "--name", "cc", "busybox", "true")
    assert logs(tidy, "-f", "cc") == ("", "")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["foo=1"], "unknown log opt 'foo' for json-file log driver"),
        (["max-file=0"], "failed to initialize logging driver: max-file cannot be less than 1"),
        (["max-size=0"], "failed to initialize logging driver: max-size must be a positive number"),
        (["max-size=x"], "failed to initialize logging driver: invalid size: 'x'"),
        (["max-size=1m", "compress=true"], "compress cannot be true when max-file is less than 2"),
    ],
)
def test_options_that_cannot_be(tidy: Any, options: list[str], text: str) -> None:
    flags = [word for option in options for word in ("--log-opt", option)]
    done = tidy.docker("run", *NONE, "--rm", *flags, "busybox", "true")
    assert done.returncode in (125, 128)
    assert text in done.stderr.decode()
    assert tidy.docker("ps", "-aq").stdout == b""


def test_an_unknown_driver(tidy: Any) -> None:
    done = tidy.docker("run", *NONE, "--log-driver", "foo", "busybox", "true")
    assert b'error looking up logging plugin foo: plugin "foo" not found' in done.stderr


class Raw(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, daemon: Any) -> None:
        super().__init__("d", timeout=20)
        self._path = daemon.host.removeprefix("unix://")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def test_a_stream_must_be_chosen(tidy: Any) -> None:
    made(tidy, "lg", "true")
    raw = Raw(tidy)
    raw.request("GET", "/v1.41/containers/lg/logs")
    answer = raw.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read()) == {"message": "Bad parameters: you must choose at least one stream"}


def test_attach_replays_the_log_first(tidy: Any) -> None:
    made(tidy, "lg", "echo one; echo two >&2; exit 3")
    tidy.docker("wait", "lg")
    raw = Raw(tidy)
    raw.request("POST", "/v1.41/containers/lg/attach?logs=1&stdout=1&stderr=1")
    answer = raw.getresponse()
    assert answer.status == 200
    data = answer.read()
    assert sorted([data[8:12], data[20:24]]) == [b"one\n", b"two\n"]
    assert len(data) == 24


def test_an_attached_client_sees_what_was_and_what_comes_once(tidy: Any) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.02; done; printf end; sleep 0.3"
    made(tidy, "lg", script)
    time.sleep(0.2)
    raw = Raw(tidy)
    raw.request("POST", "/v1.41/containers/lg/attach?logs=1&stream=1&stdout=1&stderr=1")
    data = raw.getresponse().read()
    text = b""
    while data:
        size = int.from_bytes(data[4:8], "big")
        text, data = text + data[8 : 8 + size], data[8 + size :]
    assert text == b"".join(b"%d\n" % n for n in range(3000)) + b"end"


def test_the_answer_begins_before_there_is_output(tidy: Any) -> None:
    made(tidy, "lg", "sleep 2; echo late")
    raw = Raw(tidy)
    begun = time.monotonic()
    raw.request("GET", "/containers/lg/logs?follow=1&stdout=1")
    answer = raw.getresponse()
    assert time.monotonic() - begun < 1
    assert answer.read()[8:] == b"late\n"


def test_a_follower_that_leaves_is_forgotten(tidy: Any) -> None:
    made(tidy, "lg", "sleep 100")
    before = len(os.listdir(f"/proc/{tidy.process.pid}/fd"))

    def once() -> None:
        raw = Raw(tidy)
        raw.request("GET", "/containers/lg/logs?follow=1&stdout=1")
        raw.getresponse()
        raw.sock.close()

    threads = [threading.Thread(target=once) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 5
    while len(os.listdir(f"/proc/{tidy.process.pid}/fd")) > before + 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(os.listdir(f"/proc/{tidy.process.pid}/fd")) <= before + 1
