"""Writing a tar to a stream: the headers, as Docker's clients get them (POSIX.1-2017 pax(1), "ustar Interchange Format").

Times are whole seconds and nobody has a name, so the same tree makes the same bytes; what ustar cannot say is in pax records.
"""

import os
import stat
from collections.abc import Iterator, Mapping

BLOCK = 512
ZEROS = bytes(1 << 18)
_LONGEST = 100  # bytes of a name in a header
_LARGEST_ID, _LARGEST_SIZE = 0o7777777, 0o77777777777
_PAX = b"x"
_KINDS = {
    stat.S_IFREG: b"0", stat.S_IFLNK: b"2", stat.S_IFCHR: b"3", stat.S_IFBLK: b"4", stat.S_IFDIR: b"5", stat.S_IFIFO: b"6",
}  # fmt: skip
HARD_LINK = b"1"
END = bytes(2 * BLOCK)


def storable(mode: int) -> bool:
    """Whether a tar can hold a file of this type: all but sockets."""
    return stat.S_IFMT(mode) in _KINDS


def header(
    name: str, info: os.stat_result, link: str = "", hard: bool = False, xattrs: Mapping[str, bytes] | None = None,
    owner: tuple[int, int] | None = None,
) -> bytes:  # fmt: skip
    """What stands before a file's data.

    Args:
        name: a directory's ends with a slash. link: what a symbolic link says, or the name a `hard` one goes to.
        owner: instead of that of `info`.
    """
    uid, gid = owner or (info.st_uid, info.st_gid)
    size = info.st_size if stat.S_ISREG(info.st_mode) and not hard else 0
    path, target, seconds = os.fsencode(name), os.fsencode(link), info.st_mtime_ns // 1_000_000_000
    records = {f"SCHILY.xattr.{key}": value for key, value in (xattrs or {}).items()}
    for key, value in (("path", path), ("linkpath", target)):
        if len(value) > _LONGEST or not value.isascii():
            records[key] = value
    for key, number, largest in (
        ("uid", uid, _LARGEST_ID), ("gid", gid, _LARGEST_ID), ("size", size, _LARGEST_SIZE), ("mtime", seconds, _LARGEST_SIZE),
    ):  # fmt: skip
        if not 0 <= number <= largest:
            records[key] = b"%d" % number
    kind = HARD_LINK if hard else _KINDS[stat.S_IFMT(info.st_mode)]
    device = (os.major(info.st_rdev), os.minor(info.st_rdev)) if kind in (b"3", b"4") else (0, 0)
    plain = _block(path, stat.S_IMODE(info.st_mode), (uid, gid), size, seconds, kind, target, device)
    return _extended(path, seconds, records) + plain if records else plain


def _block(
    path: bytes, mode: int, owner: tuple[int, int], size: int, seconds: int, kind: bytes, link: bytes, device: tuple[int, int]
) -> bytes:  # fmt: skip
    """One header block; what does not fit is cut or zero, as a pax record says it."""
    fields = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        path[:_LONGEST].ljust(_LONGEST, b"\0"), mode, _fitting(owner[0], _LARGEST_ID), _fitting(owner[1], _LARGEST_ID),
        _fitting(size, _LARGEST_SIZE), _fitting(seconds, _LARGEST_SIZE),
    )  # fmt: skip
    rest = kind + link[:_LONGEST].ljust(_LONGEST, b"\0") + b"ustar\x0000" + bytes(64) + b"%07o\0%07o\0" % device
    rest = rest.ljust(BLOCK - 156, b"\0")
    total = sum(fields) + sum(rest) + 8 * 32
    return b"%b%06o\0 %b" % (fields, total, rest)


def _fitting(number: int, largest: int) -> int:
    return number if 0 <= number <= largest else 0


def _extended(path: bytes, seconds: int, records: Mapping[str, bytes]) -> bytes:
    """A pax header: a small file of records before the file it is about."""
    data = b"".join(_record(os.fsencode(key), value) for key, value in sorted(records.items()))
    folder, _, base = path.rstrip(b"/").rpartition(b"/")
    name = b"%b/PaxHeaders.0/%b" % (folder, base) if folder else b"PaxHeaders.0/" + base
    return _block(name, 0o644, (0, 0), len(data), seconds, _PAX, b"", (0, 0)) + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """`length key=value newline`; the length counts its own digits."""
    body = b" %b=%b\n" % (key, value)
    length = len(body) + len(b"%d" % len(body))
    if len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d%b" % (length, body)


def padding(size: int) -> bytes:
    """What fills the last block of `size` bytes of data."""
    return bytes(-size % BLOCK)


def data(fd: int, size: int, chunk: int = 1 << 20) -> Iterator[bytes]:
    """Exactly `size` bytes of a file, and the padding: one that has become shorter meanwhile ends in zeros.

    Holes are not read.
    """
    at = 0
    sparse = os.fstat(fd).st_blocks * BLOCK < size
    while at < size:
        begin = _next_data(fd, at, size) if sparse else at
        yield from _zeros(begin - at)
        at = begin
        end = os.lseek(fd, at, os.SEEK_HOLE) if sparse and at < size else size
        while at < min(end, size):
            piece = os.pread(fd, min(chunk, end - at, size - at), at) or ZEROS[: min(len(ZEROS), size - at)]
            at += len(piece)
            yield piece
    yield padding(size)


def _next_data(fd: int, at: int, size: int) -> int:
    """Where the next data after a hole begins; the end, if none does."""
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), size)
    except OSError:  # ENXIO: nothing but a hole until the end
        return size


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield ZEROS[:count]
        count -= len(ZEROS)
