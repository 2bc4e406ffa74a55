"""The shim's way to a logger process, and the driver passthrough: nothing blocks, and nothing is lost unless it may be."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dockwright.supervisor.logs import logger
from dockwright.supervisor.logs.forms import form
from dockwright.supervisor.logs.outlet import Outlet
from dockwright.supervisor.logs.passthrough import Passthrough
from dockwright.supervisor.logs.pipe import HIGH
from dockwright.supervisor.logs.reader import Cursor
from dockwright.supervisor.logs.writer import open_log
from dockwright.supervisor.loop import Loop

SECOND = 1_000_000_000


def turn_until(loop: Loop, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        loop.turn(0.05)


def texts(path: str, driver: str) -> list[str]:
    cursor, found = Cursor(path, form(driver)), []
    while entries := cursor.read():
        found += [entry.log for entry in entries]
    cursor.close()
    return found


def outlet(loop: Loop, limit: int) -> tuple[Outlet, int]:
    """An outlet whose logger reads only when the test does."""
    pipe, end = os.pipe()
    heard, status = os.pipe()
    os.write(status, b"\0")
    os.close(status)
    os.set_blocking(end, False)
    return Outlet(loop, end, heard, limit), pipe


def test_a_blocking_log_is_full_until_its_logger_has_read() -> None:
    loop = Loop()
    sink, pipe = outlet(loop, -1)
    rooms: list[int] = []
    sink.pipe.room = lambda: rooms.append(1)
    while not sink.full:
        sink.append("stdout", [b"x" * 1000 + b"\n"] * 60, SECOND)
    assert len(sink.pipe.waiting) > HIGH
    while sink.full:
        os.read(pipe, 1 << 16)
        loop.turn(0.1)
    assert rooms
    assert sink.lost == 0
    loop.close()


def test_a_non_blocking_log_loses_whole_lines() -> None:
    loop = Loop()
    sink, pipe = outlet(loop, 10_000)
    for number in range(2000):
        sink.append("stdout", [b"%06d" % number + b"." * 93 + b"\n"], SECOND)
    assert not sink.full
    assert 0 < sink.lost < 2000
    assert len(sink.pipe.waiting) < 12_000
    os.close(pipe)
    loop.turn(0.1)
    sink.append("stdout", [b"to nobody\n"], SECOND)  # the logger has died: its container goes on
    loop.close()


def test_a_file_written_by_a_logger(tmp_path: Path) -> None:
    loop, path = Loop(), f"{tmp_path}/log"
    options: dict[str, Any] = {"driver": "local", "path": path, "max_size": 5000, "max_file": 50, "compress": True}
    log = open_log({**options, "buffer": 1_000_000}, loop)
    assert log
    ready: list[str] = []
    log.when_ready(ready.append)
    turn_until(loop, lambda: bool(ready))
    assert ready == [""]
    for number in range(1000):
        log.write("stdout", b"line %d\n" % number, SECOND)
    log.finish(SECOND)
    drained: list[int] = []
    log.when_drained(lambda: drained.append(1))
    turn_until(loop, lambda: bool(drained))
    turn_until(loop, lambda: len(texts(path, "local")) == 1000)
    assert texts(path, "local") == [f"line {n}\n" for n in range(1000)]
    loop.close()
    os.wait()


def test_a_logger_that_cannot_begin_says_why() -> None:
    loop = Loop()
    info = {"id": "i" * 64, "name": "n", "tag": "t"}
    options = {"driver": "gelf", "options": {"gelf-address": "tcp://127.0.0.1:1"}, "info": info}
    sink = logger.start(loop, options)
    told: list[str] = []
    sink.when_ready(told.append)
    turn_until(loop, lambda: bool(told))
    text = "gelf: cannot connect to GELF endpoint: 127.0.0.1:1 dial tcp 127.0.0.1:1: connect: connection refused"
    assert told == [text]
    sink.close()
    loop.close()
    os.wait()


def test_passing_through(tmp_path: Path) -> None:
    loop, fifo, path = Loop(), f"{tmp_path}/fifo", f"{tmp_path}/file"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = Passthrough(loop, {"stdout": fifo, "stderr": path})
    log.write("stdout", b"no newline", SECOND)
    log.write("stderr", b"error\n", SECOND)
    assert os.read(reader, 100) == b"no newline"
    assert Path(path).read_bytes() == b"error\n"
    while not log.full:
        log.write("stdout", b"z" * 65536, SECOND)
    taken = 0
    while log.full:
        taken += len(os.read(reader, 1 << 16))
        loop.turn(0.1)
    log.finish(SECOND)
    drained: list[int] = []
    log.when_drained(lambda: drained.append(1))
    while not drained:
        taken += len(os.read(reader, 1 << 16))
        loop.turn(0.1)
    loop.close()
    os.close(reader)
