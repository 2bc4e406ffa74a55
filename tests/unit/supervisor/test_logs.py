"""Log files: what the shim writes, and what the daemon reads of it while it is written and rotated."""

import gzip
import json
import os
import random
import re
from pathlib import Path

import pytest

from dockwright.supervisor.logs import file as log_files
from dockwright.supervisor.logs import reader
from dockwright.supervisor.logs.forms import form
from dockwright.supervisor.logs.json_file import JsonLines, escape
from dockwright.supervisor.logs.lines import PIECE, Lines
from dockwright.supervisor.logs.log import Log
from dockwright.supervisor.logs.segments import segments
from dockwright.supervisor.logs.writer import log_file

SECOND = 1_000_000_000


DRIVERS = ("json-file", "local")


class Written(Log):
    """A container's log in one file."""

    def __init__(self, path: str, driver: str = "json-file", **options: object) -> None:
        self.path, self.driver = path, driver
        self.file = log_file({"driver": driver, "path": path, **options})
        super().__init__([self.file])


def Cursor(log: Written | str, tail: int = -1, end: tuple[int, int] | None = None) -> reader.Cursor:
    """A reader of `log`."""
    path, driver = (log, "json-file") if isinstance(log, str) else (log.path, log.driver)
    return reader.Cursor(path, form(driver), tail, end)


def settle(log: Written) -> None:
    """What the shim's reaper does when gzip has ended."""
    pid = log.file._rotation._pid
    if pid:
        log.reaped(*os.waitpid(pid, 0))


def texts(cursor: reader.Cursor) -> list[str]:
    found: list[str] = []
    while entries := cursor.read():
        found += [entry.log for entry in entries]
    return found


def test_lines_are_cut_at_newlines_and_at_16_kib() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == [b"a\n"]
    assert lines.feed(b"c\n\n") == [b"bc\n", b"\n"]
    pieces = lines.feed(b"x" * (PIECE + 5)) + lines.feed(b"y\nz")
    assert [len(piece) for piece in pieces] == [PIECE, 7]
    assert b"".join(pieces + lines.finish()) == b"x" * (PIECE + 5) + b"y\nz"


def test_pieces_put_together_are_the_stream() -> None:
    chance = random.Random(1)
    data = bytes(chance.choices(b"ab\n", weights=(50, 50, 1), k=200_000))
    lines, pieces, at = Lines(), [], 0
    while at < len(data):
        size = chance.randrange(1, 40_000)
        pieces += lines.feed(data[at : at + size])
        at += size
    assert b"".join(pieces + lines.finish()) == data
    assert max(map(len, pieces)) <= PIECE + 1


@pytest.mark.parametrize("text", ["plain", 'quo"te\\', "<&>", "\x01\t\r\n", "\u2028", "grün", "\U0001f433"])
def test_what_is_escaped_comes_back(text: str) -> None:
    assert json.loads(f'"{escape(text.encode()).decode()}"') == text


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    assert json.loads(f'"{escape(bytes([0x61, 0xFF])).decode()}"') == "a\ufffd"


def test_a_line_of_the_file(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log", attrs='{"k":"v"}')
    log.write("stderr", b"hello\n", 5 * SECOND)
    log.finish(6 * SECOND)
    line = '{"log":"hello\\n","stream":"stderr","attrs":{"k":"v"},"time":"1970-01-01T00:00:05.000000000Z"}\n'
    assert (tmp_path / "log").read_text() == line
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640 & ~os.umask(os.umask(0))


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_unfinished_line_is_written_at_the_end(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver)
    log.write("stdout", b"no newline", SECOND)
    assert texts(Cursor(log)) == []
    assert log.rest() == {"stdout": b"no newline", "stderr": b""}
    log.finish(SECOND)
    assert texts(Cursor(log)) == ["no newline"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("compress", [False, True])
def test_rotation_keeps_the_youngest_files(tmp_path: Path, compress: bool, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=1000, max_file=3, compress=compress)
    for number in range(100):
        log.write("stdout", f"line {number}\n".encode(), SECOND)
        settle(log)
    found = texts(Cursor(log))
    assert found == [f"line {n}\n" for n in range(100 - len(found), 100)]
    assert len(found) > 20
    log.finish(SECOND)
    suffix = ".gz" if compress else ""
    assert sorted(os.listdir(tmp_path)) == ["log", f"log.1{suffix}", f"log.2{suffix}"]
    assert max(entry.stat().st_size for entry in os.scandir(tmp_path)) < 1200
    if compress:
        assert gzip.decompress((tmp_path / "log.1.gz").read_bytes()).count(b"\n") > 5


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_batch_is_spread_over_files(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=1000, max_file=1000)
    log.write("stdout", b"".join(b"%d\n" % n for n in range(1000)), SECOND)
    assert texts(Cursor(log)) == [f"{n}\n" for n in range(1000)]
    assert len(os.listdir(tmp_path)) > 20
    firsts = [segment.first() for segment in segments(log.path, form(log.driver))]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_single_file_is_begun_anew(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=500)
    for number in range(50):
        log.write("stdout", b"%d\n" % number, SECOND)
    assert os.listdir(tmp_path) == ["log"]
    assert texts(Cursor(log))[-1] == "49\n"


def test_a_full_disk_loses_lines_but_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Written(f"{tmp_path}/log")
    log.write("stdout", b"before\n", SECOND)

    def full(fd: int, data: memoryview) -> int:
        if len(data) < 30:
            raise OSError(28, "No space left on device")
        return real(fd, data[:20])

    real = os.write
    monkeypatch.setattr(log_files.os, "write", full)
    log.write("stdout", b"lost\n", SECOND)
    monkeypatch.undo()
    log.write("stdout", b"after\n", SECOND)
    assert texts(Cursor(log)) == ["before\n", "after\n"]
    assert log.file.lost == 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("tail", [0, 1, 7, 60, 99, 100, 500])
def test_tail_reads_backwards_across_files(tmp_path: Path, tail: int, compress: bool, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=2000, max_file=100, compress=compress)
    for number in range(100):
        log.write("stdout", f"{number}\n".encode(), SECOND)
        settle(log)
    assert texts(Cursor(log, tail)) == [f"{n}\n" for n in range(max(0, 100 - tail), 100)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_tail_of_long_lines(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver)
    for number in range(50):
        log.write("stdout", f"{number} {'x' * 10000}\n".encode(), SECOND)
    assert [text.split()[0] for text in texts(Cursor(log, 12))] == [str(n) for n in range(38, 50)]


def test_tail_does_not_read_what_it_does_not_want(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Written(f"{tmp_path}/log")
    log.write("stdout", b"y" * 70 + b"\n" + b"".join(b"line %d\n" % n for n in range(200_000)), SECOND)
    taken = 0

    def pread(fd: int, size: int, at: int) -> bytes:
        nonlocal taken
        taken += size
        return real(fd, size, at)

    real = os.pread
    monkeypatch.setattr(os, "pread", pread)
    assert texts(Cursor(log, 3)) == [f"line {n}\n" for n in range(199_997, 200_000)]
    assert taken < 400_000


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_reader_sees_each_line_once_and_in_order_while_files_rotate(
    tmp_path: Path, compress: bool, seed: int, driver: str
) -> None:
    chance = random.Random(seed)
    log = Written(f"{tmp_path}/log", driver, max_size=3000, max_file=400, compress=compress)
    cursor = Cursor(log)
    found: list[str] = []
    number = 0
    for _ in range(60):
        burst = chance.randrange(0, 30)
        log.write("stdout", b"".join(b"same\n%d\n" % n for n in range(number, number + burst)), SECOND)
        number += burst
        if chance.random() < 0.5:
            settle(log)
        if chance.random() < 0.3:
            found += [entry.log for entry in cursor.read()]
    found += texts(cursor)
    assert found == [text for n in range(number) for text in ("same\n", f"{n}\n")]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_slow_reader_goes_on_with_what_is_left(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=500, max_file=2)
    log.write("stdout", b"0\n", SECOND)
    cursor = Cursor(log)
    assert [entry.log for entry in cursor.read()] == ["0\n"]
    for number in range(1, 100):
        log.write("stdout", b"%d\n" % number, SECOND)
    numbers = [int(text) for text in texts(cursor)]
    assert numbers[-1] == 99
    assert numbers == sorted(set(numbers))
    assert set(range(92, 100)) <= set(numbers)


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_end_is_kept_to(tmp_path: Path, driver: str) -> None:
    log = Written(f"{tmp_path}/log", driver, max_size=400, max_file=50)
    for number in range(30):
        log.write("stdout", b"%d\n" % number, SECOND)
    end = log.position()
    cursor = Cursor(log, end=end)
    for number in range(30, 60):
        log.write("stdout", b"%d\n" % number, SECOND)
    assert texts(cursor) == [f"{n}\n" for n in range(30)]


def test_a_spoilt_line_is_left_out(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log")
    log.write("stdout", b"a\n", SECOND)
    with open(log.path, "ab") as file:
        file.write(b"\0\0\0\n")
    log.write("stdout", b"b\n", SECOND)
    assert texts(Cursor(log)) == ["a\n", "b\n"]


def test_no_file_yet_and_none_at_all(tmp_path: Path) -> None:
    cursor = Cursor(f"{tmp_path}/log")
    assert cursor.read() == []
    log = Written(f"{tmp_path}/log")
    log.write("stdout", b"a\n", SECOND)
    assert texts(cursor) == ["a\n"]
    cursor.close()


def test_readers_hold_no_descriptors_after_their_end(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log", max_size=300, max_file=20)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(60):
        log.write("stdout", b"%d\n" % number, SECOND)
    for tail in (-1, 0, 5, 30):
        cursor = Cursor(log, tail)
        cursor.read()
        cursor.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_local_entry_as_dockerd_writes_it(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log", "local")
    log.write("stdout", b"hi\n", 1795574293123456789)
    log.finish(SECOND)
    data = (tmp_path / "log").read_bytes()
    assert data.startswith(b"\0\0\0\x16\x0a\x06stdout\x10\x95")
    assert data.endswith(b"\x1a\x02hi\0\0\0\x16")
    (entry,) = Cursor(log).read()
    assert (entry.log, entry.stream, entry.time) == ("hi\n", "stdout", "2026-11-25T02:38:13.123456789Z")


def test_parts_of_a_long_line_belong_together(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log", "local")
    log.write("stderr", b"x" * (2 * PIECE + 5) + b"\nshort\nunfinished", SECOND)
    log.finish(SECOND)
    assert [len(text) for text in texts(Cursor(log))] == [PIECE, PIECE, 6, 6, 10]
    data = (tmp_path / "log").read_bytes()
    assert data.count(b"\x20\x01\x2a") == 4  # partial, and which part: three of the long line, and the unfinished one
    assert len(set(re.findall(rb"\x12\x40([0-9a-f]{64})", data))) == 2


def test_bytes_that_are_no_text_stay_what_they_are(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log", "local")
    log.write("stdout", b"\xff\x00\xc3\n", SECOND)
    assert texts(Cursor(log))[0].encode(errors="surrogateescape") == b"\xff\x00\xc3\n"


def test_lines_of_one_read_are_escaped_one_by_one(tmp_path: Path) -> None:
    log = Written(f"{tmp_path}/log")
    lines = ['"q"', "back\\slash", "<&>", "tab\t", "", "\u2028", "grün"]
    log.write("stdout", "\n".join([*lines, ""]).encode(), SECOND)
    assert texts(Cursor(log)) == [f"{line}\n" for line in lines]
    assert all(json.loads(line) for line in (tmp_path / "log").read_text().splitlines())


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r", b"\r\r\n\n"])
def test_only_a_newline_ends_a_line(ends: bytes, tmp_path: Path) -> None:
    data = b"one" + ends + b"two" + ends + b"x" * PIECE + ends + b"y" * (PIECE + 1) + b"\n" + b"rest"
    whole, fed = b"", Lines()
    for at in range(0, len(data), 1000):
        for piece in fed.feed(data[at : at + 1000]):
            assert len(piece) <= PIECE + 1 and piece.count(b"\n") == piece.endswith(b"\n")
            whole += piece
    assert whole + b"".join(fed.finish()) == data


def test_what_json_readers_make_of_any_bytes() -> None:
    form = JsonLines('{"a":"b"}')
    for seed in range(200):
        special = b'\n\\"<>&\x00\r\x1f' + "\u2028\u2029\U0001f433".encode()
        data = random.Random(seed).randbytes(seed) + special * (seed % 3) + b"\n"
        pieces = Lines().feed(data)
        rows = [json.loads(line) for line in form.batch("stdout", pieces, SECOND).splitlines()]
        assert [row["log"] for row in rows] == [piece.decode("utf-8", "replace") for piece in pieces]
        assert all(row["attrs"] == {"a": "b"} and row["stream"] == "stdout" for row in rows)
