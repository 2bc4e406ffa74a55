"""The tar reader against tars that were damaged at random: it reads them or refuses them, and nothing else."""

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from dockwright.base.errors import InvalidParameter
from dockwright.tar.reader import TarReader


def sample() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, kind in enumerate((tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)):
            info = tarfile.TarInfo("long/" * (number * 30) + f"n{number}")
            info.type, info.size, info.linkname = kind, 1000 if kind == tarfile.REGTYPE else 0, "n0"
            info.pax_headers = {"SCHILY.xattr.user.a": "b", "mtime": "1.5"}
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return buffer.getvalue()


SAMPLE = sample()


def read(data: bytes) -> int:
    reader, count = TarReader(io.BytesIO(data)), 0
    for _ in reader:
        count += sum(len(view) for view in reader.data())
    return count


def test_the_sample_itself() -> None:
    assert read(SAMPLE) == 1000
    entries = list(TarReader(io.BytesIO(SAMPLE)))
    assert [entry.kind for entry in entries] == ["file", "dir", "symlink", "hardlink", "char"]
    assert entries[4].xattrs == {"user.a": b"b"}
    assert entries[4].mtime == 1_500_000_000
    assert entries[4].name == "long/" * 120 + "n4"


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(SAMPLE)))
def test_damaged(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(SAMPLE)
    for at, value in changes:
        data[at] = value
        block = at - at % 512
        if data[block + 257 : block + 262] == b"ustar":  # a header stays one, so that more than its checksum is tried
            data[block + 148 : block + 156] = b" " * 8
            data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])
    for piece in (bytes(data), bytes(data[:end])):
        try:
            read(piece)
        except InvalidParameter:
            pass


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_noise(data: bytes) -> None:
    try:
        read(data)
    except InvalidParameter:
        pass
