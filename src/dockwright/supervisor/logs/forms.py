"""The forms of log files as their reader sees them: where entries begin and end, and what is in one."""

import os
from typing import Protocol

import msgspec

from dockwright.base.times import rfc3339_fixed

BLOCK = 64 * 1024


class Entry(msgspec.Struct):
    """One entry. `log` may hold surrogate escapes for bytes that are no UTF-8."""

    log: str = ""
    stream: str = ""
    attrs: dict[str, str] | None = None
    time: str = ""


class Form(Protocol):
    """How a file is read. Offsets are bytes.

    Attributes:
        frame: how many bytes an entry has around what `split` makes of it.
    """

    frame: int

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The whole entries at the beginning of `data`, and the rest."""

    def decode(self, record: bytes) -> Entry | None:
        """What an entry says; None for one that a power cut has spoilt."""

    def last(self, fd: int, end: int, wanted: int) -> tuple[int, int]:
        """How many of the `wanted` last entries before `end` there are, and where the first of them begins."""


class JsonForm:
    """One JSON object a line."""

    frame = 1

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Entry).decode

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Cut at newlines."""
        *lines, rest = data.split(b"\n")
        return lines, rest

    def decode(self, record: bytes) -> Entry | None:
        """None for what is no such object."""
        try:
            return self._decode(record)
        except msgspec.DecodeError:
            return None

    def last(self, fd: int, end: int, wanted: int) -> tuple[int, int]:
        """Newlines are counted from the end, block by block."""
        found = 0
        for start in range((end - 1) // BLOCK * BLOCK, -1, -BLOCK):
            block = os.pread(fd, min(BLOCK, end - start), start)
            count = block.count(b"\n")
            if found + count > wanted:
                return wanted, start + _nth(block, count - (wanted - found)) + 1
            found += count
        return found, 0


class LocalForm:
    """Messages between their lengths (see local.py)."""

    frame = 8

    def split(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Go from length to length."""
        records, at = [], 0
        while len(data) - at >= 4:
            end = at + 8 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            records.append(data[at + 4 : end - 4])
            at = end
        return records, data[at:]

    def decode(self, record: bytes) -> Entry | None:
        """None for what is no such message."""
        try:
            return _message(record)
        except (IndexError, KeyError, TypeError):
            return None

    def last(self, fd: int, end: int, wanted: int) -> tuple[int, int]:
        """The lengths behind messages lead from the end to the beginning."""
        found, at = 0, end
        while found < wanted and at > 0:
            size = int.from_bytes(os.pread(fd, 4, at - 4), "big")
            begin = at - size - 8
            if begin < 0 or os.pread(fd, 4, begin) != size.to_bytes(4, "big"):
                return self._counted(fd, at, wanted - found, found)  # what is there is being written just now
            found, at = found + 1, begin
        return found, at

    def _counted(self, fd: int, end: int, wanted: int, found: int) -> tuple[int, int]:
        """The same from the beginning on."""
        places, at = [], 0
        while at + 8 + (size := int.from_bytes(os.pread(fd, 4, at), "big")) <= end and at < end:
            places.append(at)
            at += 8 + size
        kept = places[max(0, len(places) - wanted) :]
        return found + len(kept), kept[0] if kept else 0


def form(driver: str) -> Form:
    """That of a driver's files: json-file, or local."""
    return JsonForm() if driver == "json-file" else LocalForm()


def _message(record: bytes) -> Entry:
    fields = _fields(record)
    part = _fields(fields[5]) if 5 in fields else {1: 1}  # type: ignore[arg-type]
    line: bytes = fields.get(3, b"")  # type: ignore[assignment]
    stream: bytes = fields[1]  # type: ignore[assignment]
    text = line.decode("utf-8", "surrogateescape") + ("\n" if part.get(1) or 4 not in fields else "")
    return Entry(text, stream.decode(), None, rfc3339_fixed(int(fields[2])))


def _fields(data: bytes) -> dict[int, int | bytes]:
    """A protobuf message's fields by number: numbers and length-delimited ones."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == 2:
            found[tag >> 3] = data[at : at + value]
            at += value
        else:
            found[tag >> 3] = value
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _nth(block: bytes, number: int) -> int:
    """Where the `number`-th newline of `block` is, counted from 1."""
    at = -1
    for _ in range(number):
        at = block.index(b"\n", at + 1)
    return at
