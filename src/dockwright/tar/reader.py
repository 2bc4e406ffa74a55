"""Reading a tar from a stream: entries with their data, in constant memory, whatever the tar says of itself.

Formats: POSIX ustar and pax, GNU (long names, base-256 numbers, sparse files old and new). Sources: pax(1) of POSIX.1-2017,
"Basic Tar Format" and "Storing Sparse Files" of the GNU tar manual. Names are as os.fsdecode makes them.
"""

import base64
import os
from collections.abc import Callable, Iterator
from typing import Protocol
from urllib.parse import unquote

from dockwright.base.errors import InvalidParameter

BLOCK = 512
CHUNK = 1 << 20
LARGEST_META = 1 << 20  # bytes of one pax header or GNU long name
LARGEST_SIZE = 1 << 53
MOST_PIECES = 1 << 17  # pieces of a sparse file
FILE, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCKDEV, FIFO = (
    "file",
    "dir",
    "symlink",
    "hardlink",
    "char",
    "block",
    "fifo",
)
_KINDS = {
    b"0": FILE, b"\0": FILE, b"7": FILE, b"S": FILE, b"1": HARDLINK, b"2": SYMLINK, b"3": CHARACTER, b"4": BLOCKDEV,
    b"5": DIRECTORY, b"6": FIFO,
}  # fmt: skip
_XATTR, _LIBARCHIVE = "SCHILY.xattr.", "LIBARCHIVE.xattr."

Piece = tuple[int, int]
Records = list[tuple[str, bytes]]


class Source(Protocol):
    """Where bytes come from: at most `size` of them at a time, b"" at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


class Entry:
    """One entry.

    Attributes:
        name, link: as in the tar, not cleaned. kind: FILE, DIRECTORY ... size: bytes of data in the tar.
        mtime: ns since the epoch. xattrs: by full name. pieces: (offset, length) of a sparse file's data, else None.
        real_size: of the file, holes included.
    """

    __slots__ = (
        "gid", "kind", "link", "major", "minor", "mode", "mtime", "name", "pieces", "real_size", "size", "uid", "xattrs",
    )  # fmt: skip

    def __init__(self, header: bytes) -> None:
        self.name = _text(header[:100])
        self.mode = number(header[100:108]) & 0o7777
        self.uid, self.gid = number(header[108:116]), number(header[116:124])
        self.size = number(header[124:136])
        self.mtime = number(header[136:148]) * 1_000_000_000
        self.link = _text(header[157:257])
        kind = header[156:157]
        if kind not in _KINDS:
            raise broken(f"unhandled tar header type {kind!r} of {self.name!r}")
        self.kind = _KINDS[kind]
        self.major = self.minor = 0
        if self.kind in (CHARACTER, BLOCKDEV):
            self.major, self.minor = number(header[329:337]), number(header[337:345])
        if header[257:263] == b"ustar\0" and header[345] and kind != b"S":
            self.name = f"{_text(header[345:500])}/{self.name}"
        self.xattrs: dict[str, bytes] = {}
        self.pieces: list[Piece] | None = None
        self.real_size = self.size


def broken(why: str) -> InvalidParameter:
    """A tar that cannot be read, in Docker's words."""
    return InvalidParameter(f"archive/tar: {why}")


def number(field: bytes) -> int:
    """A number of a header: octal digits, or base-256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = len(field) * 8
        return value - (1 << bits) if field[0] & 0x40 else value - (1 << (bits - 1))
    digits = field.partition(b"\0")[0].strip()
    if not digits:
        return 0
    if not digits.isdigit():
        raise broken("invalid tar header")
    try:
        return int(digits, 8)
    except ValueError:
        raise broken("invalid tar header") from None


def _text(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _checked(header: bytes) -> None:
    """The checksum, as unsigned bytes (POSIX) or signed ones (old Sun tar)."""
    wanted = number(header[148:156])
    unsigned = sum(header) - sum(header[148:156]) + 8 * 32
    if unsigned == wanted:
        return
    body = header[:148] + b" " * 8 + header[156:]
    if sum(byte - 256 if byte > 127 else byte for byte in body) != wanted:
        raise broken("invalid tar header")


class TarReader:
    """The entries of a tar, one after the other; `data` is of the entry last handed out.

    Args:
        tap: is given every byte of the stream that `data` does not hand out, in order.

    Raises:
        InvalidParameter: from iteration or `data`, when the tar is broken, cut off or too large in some measure.
    """

    def __init__(self, source: Source, tap: Callable[[bytes], None] | None = None) -> None:
        self._source, self._tap = source, tap
        self._buffer = b""
        self._at = 0
        self._left = 0  # bytes of the current entry's data, with padding, still in the stream
        self._data = 0  # of those, without padding
        self._meta_left = 0  # bytes of headers the current entry may still have before it

    def __iter__(self) -> Iterator[Entry]:
        while (header := self._header()) is not None and (entry := self._entry(header)) is not None:
            yield entry
        rest = self._buffer[self._at :]
        while rest or (rest := self._source.read(CHUNK)):  # what follows the end still belongs to the digest
            if self._tap:
                self._tap(rest)
            rest = b""

    def data(self) -> Iterator[memoryview]:
        """The current entry's data, in pieces that are valid until the next one is asked for."""
        while self._data:
            if self._at == len(self._buffer):
                self._refill()
            view = memoryview(self._buffer)[self._at : self._at + self._data]
            self._at += len(view)
            self._data -= len(view)
            self._left -= len(view)
            yield view

    def _refill(self) -> None:
        self._buffer, self._at = self._source.read(CHUNK), 0
        if not self._buffer:
            raise InvalidParameter("unexpected EOF")

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        data = self._taken(size)
        if self._tap:
            self._tap(data)
        return data

    def _taken(self, size: int) -> bytes:
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        pieces, missing = [self._buffer[self._at :]], size - (len(self._buffer) - self._at)
        self._at = len(self._buffer)
        while missing:
            self._refill()
            pieces.append(self._buffer[:missing])
            self._at = len(pieces[-1])
            missing -= self._at
        return b"".join(pieces)

    def _skip(self) -> None:
        while self._left:
            if self._at == len(self._buffer):
                self._refill()
            step = min(self._left, len(self._buffer) - self._at)
            if self._tap:
                self._tap(self._buffer[self._at : self._at + step])
            self._at += step
            self._left -= step
        self._data = 0

    def _begin(self, size: int) -> None:
        """What follows is `size` bytes of data and its padding."""
        if not 0 <= size <= LARGEST_SIZE:
            raise broken("invalid tar header")
        self._data, self._left = size, -(-size // BLOCK) * BLOCK

    def _header(self) -> bytes | None:
        """The next header that is not the end: two blocks of zeros, or the end of the stream."""
        self._skip()
        if not self._more():
            return None
        header = self._take(BLOCK)
        if header.strip(b"\0"):
            _checked(header)
            return header
        if self._more() and self._take(BLOCK).strip(b"\0"):
            raise broken("invalid tar header")
        return None

    def _more(self) -> bool:
        """Whether the stream goes on."""
        if self._at == len(self._buffer):
            self._buffer, self._at = self._source.read(CHUNK), 0
        return bool(self._buffer)

    def _entry(self, header: bytes) -> Entry | None:
        """The entry that begins with `header`, with what pax and GNU headers before it say; None for the stream's end."""
        records: Records = []
        self._meta_left = LARGEST_META
        while True:
            kind = header[156:157]
            if kind == b"x":
                records += _records(self._meta(header))
            elif kind in (b"L", b"K"):
                value = self._meta(header).partition(b"\0")[0]
                records.append(("path" if kind == b"L" else "linkpath", value))
            elif kind == b"g":
                self._begin(number(header[124:136]))
                self._skip()
            else:
                return self._completed(Entry(header), header, records)
            following = self._header()
            if following is None:
                if kind == b"g":
                    return None
                raise InvalidParameter("unexpected EOF")
            header = following

    def _meta(self, header: bytes) -> bytes:
        size = number(header[124:136])
        if not 0 <= size <= self._meta_left:
            raise broken(f"a header of {size} bytes is too large")
        self._meta_left -= size + BLOCK
        self._begin(size)
        data = self._take(size)
        self._left, self._data = self._left - size, 0
        return data

    def _completed(self, entry: Entry, header: bytes, records: Records) -> Entry:
        sparse: Records = []
        for key, value in records:
            if key.startswith("GNU.sparse."):
                sparse.append((key[11:], value))
            else:
                _apply(entry, key, value)
        if "\0" in entry.name or "\0" in entry.link:
            raise broken("invalid tar header")
        if entry.kind == FILE and entry.name.endswith("/"):
            entry.kind = DIRECTORY  # the convention of before POSIX
        self._begin(entry.size if entry.kind == FILE else 0)
        if header[156:157] == b"S":
            self._old_sparse(entry, header)
        elif sparse and entry.kind == FILE:
            self._pax_sparse(entry, sparse)
        else:
            entry.real_size = entry.size
        return entry

    def _old_sparse(self, entry: Entry, header: bytes) -> None:
        """GNU's old format: four pieces in the header, 21 in each block that follows it."""
        pieces = _pieces(header[386:482])
        more, entry.real_size = header[482], number(header[483:495])
        while more:
            block = self._take(BLOCK)
            pieces += _pieces(block[:504])
            more = block[504]
            _bounded(pieces)
        entry.pieces = _sound(pieces, entry.size, entry.real_size)

    def _pax_sparse(self, entry: Entry, sparse: Records) -> None:
        """GNU's formats 0.0 (a record per number), 0.1 (one record) and 1.0 (the map leads the data)."""
        known = {key: value for key, value in sparse if key not in ("offset", "numbytes")}
        if "name" in known:
            entry.name = os.fsdecode(known["name"])
        if known.get("major") == b"1":
            numbers = self._sparse_map(entry)
        elif "map" in known:
            numbers = [_decimal(text) for text in known["map"].split(b",") if text]
        else:
            numbers = [_decimal(value) for key, value in sparse if key in ("offset", "numbytes")]
        entry.real_size = _decimal(known.get("realsize") or known.get("size") or b"0")
        if len(numbers) % 2:
            raise broken("invalid sparse map")
        entry.pieces = _sound(list(zip(numbers[::2], numbers[1::2], strict=True)), entry.size, entry.real_size)

    def _sparse_map(self, entry: Entry) -> list[int]:
        """Format 1.0: decimal numbers, one a line, padded to whole blocks, before the data."""
        text, wanted = b"", -1
        while wanted < 0 or text.count(b"\n") < wanted:
            if self._data < BLOCK or len(text) > LARGEST_META:
                raise broken("invalid sparse map")
            text += self._take(BLOCK)
            self._data, self._left, entry.size = self._data - BLOCK, self._left - BLOCK, entry.size - BLOCK
            if wanted < 0 and b"\n" in text:
                wanted = 1 + 2 * min(_decimal(text.partition(b"\n")[0]), MOST_PIECES + 1)
        return [_decimal(line) for line in text.split(b"\n")[1:wanted]]


def _pieces(block: bytes) -> list[Piece]:
    found = []
    for at in range(0, len(block), 24):
        if not block[at]:
            break
        found.append((number(block[at : at + 12]), number(block[at + 12 : at + 24])))
    return found


def _bounded(pieces: list[Piece]) -> None:
    if len(pieces) > MOST_PIECES:
        raise broken("invalid sparse map: too many pieces")


def _sound(pieces: list[Piece], size: int, real_size: int) -> list[Piece]:
    """The map, if it is in order, within the file, and as long as the data."""
    _bounded(pieces)
    end = total = 0
    for offset, length in pieces:
        if offset < end or length < 0:
            raise broken("invalid sparse map")
        end, total = offset + length, total + length
    if not end <= real_size <= LARGEST_SIZE or total != size:
        raise broken("invalid sparse map")
    return pieces


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise broken("invalid tar header")
    return int(text)


def _records(data: bytes) -> Records:
    """The records of a pax header: `length key=value newline`, the length counting itself."""
    records: Records = []
    at = 0
    while at < len(data):
        head, space, _ = data[at : at + 24].partition(b" ")
        end = at + (_decimal(head) if space else 0)
        if not at + len(head) + 2 < end <= len(data) or data[end - 1] != 10:
            raise broken("invalid tar header")
        key, equals, value = data[at + len(head) + 1 : end - 1].partition(b"=")
        if not equals:
            raise broken("invalid tar header")
        records.append((os.fsdecode(key), value))
        at = end
    return records


def _apply(entry: Entry, key: str, value: bytes) -> None:
    """One pax record; those nobody needs (access times, user names, comments) are passed over."""
    if key == "path":
        entry.name = os.fsdecode(value)
    elif key == "linkpath":
        entry.link = os.fsdecode(value)
    elif key in ("size", "uid", "gid"):
        setattr(entry, key, _decimal(value))
    elif key == "mtime":
        entry.mtime = _nanoseconds(value)
    elif key.startswith(_XATTR):
        entry.xattrs[key[len(_XATTR) :]] = value
    elif key.startswith(_LIBARCHIVE):
        entry.xattrs.setdefault(unquote(key[len(_LIBARCHIVE) :]), _base64(value))


def _base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError:
        raise broken("invalid tar header") from None


def _nanoseconds(value: bytes) -> int:
    """Seconds with an optional fraction, as exactly as they are written."""
    sign = -1 if value.startswith(b"-") else 1
    whole, _, fraction = value.lstrip(b"-").partition(b".")
    return sign * (_decimal(whole) * 1_000_000_000 + _decimal((fraction[:9] or b"0").ljust(9, b"0")))
