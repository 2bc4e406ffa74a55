"""Hostile layers: refused with one clear text or unpacked harmlessly; the host's canary never changes."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.images.inflate import opened
from dockwright.images.snapshotters.stacking import Nodes
from dockwright.images.snapshotters.whole import Removals
from dockwright.images.unpack import Unpacker

SECRET = b"the host's secret"
Make = Callable[[tarfile.TarFile], None]


class Place:
    """A directory to unpack into, beside a canary."""

    def __init__(self, root: Path, flat: bool) -> None:
        self.root, self.flat = root, flat
        self.target, self.aside, self.canary = root / "layer", root / "aside", root / "canary"
        for folder in (self.target, self.aside, self.canary):
            folder.mkdir()
        (self.canary / "secret").write_bytes(SECRET)
        (self.canary / "empty").mkdir()
        (self.canary / "setuid").write_bytes(b"x")
        (self.canary / "setuid").chmod(0o4755)
        self.before = self.look()

    def look(self) -> list[Any]:
        found: list[Any] = []
        for path in sorted([self.canary, *self.canary.rglob("*")]):
            info = path.lstat()
            found.append((str(path), info.st_mode, info.st_uid, info.st_mtime_ns, info.st_nlink))
            found.append(path.read_bytes() if path.is_file() else os.listxattr(path))
        return found

    def unpack(self, data: bytes) -> int:
        whiteouts = Removals(str(self.aside)) if self.flat else Nodes()
        with Unpacker(str(self.target), str(self.aside), whiteouts) as unpacker:
            return unpacker.all(opened(io.BytesIO(data)))

    def check(self) -> None:
        assert self.look() == self.before
        assert {path.name for path in self.root.iterdir()} == {"layer", "aside", "canary"}
        assert list(self.aside.iterdir()) == []
        for folder, _, files in os.walk(self.target):
            for name in files:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    assert path.read_bytes() != SECRET


@pytest.fixture(params=[False, True], ids=["overlay", "flat"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, request.param)
    yield place
    place.check()


def archive(*entries: Any, **options: Any) -> bytes:
    """A tar of (name, kind, content or link, more attributes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as tar:
        for name, kind, content, *more in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            data = content if isinstance(content, bytes) else b""
            if isinstance(content, str):
                info.linkname = content
            info.size = len(data)
            for attributes in more:
                for key, value in attributes.items():
                    setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


FILE, DIR, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "./../x", "a/b/../../../x"])
def test_names_that_lead_out(place: Place, name: str) -> None:
    with pytest.raises(InvalidParameter, match="leads out"):
        place.unpack(archive((name, FILE, b"evil")))


def test_absolute_names_stay_inside(place: Place) -> None:
    place.unpack(archive((f"{place.canary}/secret", FILE, b"evil")))
    assert Path(f"{place.target}{place.canary}/secret").read_bytes() == b"evil"


@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_out_and_what_is_written_through_it(place: Place, absolute: bool) -> None:
    out = str(place.canary) if absolute else "../canary"
    place.unpack(archive(
        ("out", LINK, out), ("secret", LINK, f"{out}/secret"), ("secret", FILE, b"evil"), ("d", LINK, f"{out}/empty"),
        ("d", DIR, None, {"mode": 0o777}), ("d/x", FILE, b"evil"),
    ))  # fmt: skip
    assert (place.target / "secret").read_bytes() == b"evil"
    assert not (place.target / "secret").is_symlink()
    assert os.readlink(place.target / "out") == out


def test_writing_below_a_link_to_nowhere_or_to_the_root(place: Place) -> None:
    with pytest.raises(InvalidParameter, match="no such file"):
        place.unpack(archive(("out", LINK, str(place.canary)), ("out/secret", FILE, b"evil")))
    place.unpack(archive(("top", LINK, "/"), ("top/inside", FILE, b"fine")))
    assert (place.target / "inside").read_bytes() == b"fine"


@pytest.mark.parametrize("target", ["../canary/secret", "/etc/passwd", "nothing", "self", "later", "out/secret"])
def test_hard_links_that_lead_nowhere(place: Place, target: str) -> None:
    entries = [("out", LINK, str(place.canary)), ("self", HARD, target), ("later", FILE, b"x")]
    with pytest.raises(InvalidParameter):
        place.unpack(archive(*entries))


def test_a_hard_link_to_a_link_is_of_the_link(place: Place) -> None:
    place.unpack(archive(("out", LINK, f"{place.canary}/secret"), ("hard", HARD, "out"), ("hard", FILE, b"new")))
    assert os.readlink(place.target / "out") == f"{place.canary}/secret"
    assert (place.target / "hard").read_bytes() == b"new"


def test_mode_through_links(place: Place) -> None:
    place.unpack(archive(("a", LINK, f"{place.canary}/secret", {"mode": 0o4777}), ("b", HARD, "a", {"mode": 0o4777})))


def test_many_links_in_a_row(place: Place) -> None:
    entries: list[Any] = [(f"l{i}", LINK, f"l{i + 1}") for i in range(50)]
    with pytest.raises(InvalidParameter, match="too many levels"):
        place.unpack(archive(*entries, ("l50", DIR, None), ("l0/file", FILE, b"x")))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteouts_of_nothing(place: Place, name: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid whiteout name"):
        place.unpack(archive((f"d/{name}", FILE, b"")))


def test_a_whiteout_through_a_link(place: Place) -> None:
    with pytest.raises(InvalidParameter):
        place.unpack(archive(("out", LINK, str(place.canary)), ("out/.wh.secret", FILE, b"")))
    with pytest.raises(InvalidParameter):
        place.unpack(archive(("out2", LINK, str(place.canary)), ("out2/.wh..wh..opq", FILE, b"")))


def test_a_whiteout_does_not_take_what_the_layer_adds(place: Place) -> None:
    place.unpack(archive(
        ("a", FILE, b"1"), (".wh.a", FILE, b""), ("d/x", FILE, b"2"), ("d/.wh..wh..opq", FILE, b""), (".wh.d", FILE, b""),
        (".wh..wh.plnk", DIR, None),
    ))  # fmt: skip
    assert (place.target / "a").read_bytes() == b"1"
    assert (place.target / "d/x").read_bytes() == b"2"


def test_opaque_many_times(place: Place) -> None:
    data = archive(("d", DIR, None), *([("d/.wh..wh..opq", FILE, b"")] * 20_000))
    before = time.monotonic()
    place.unpack(data)
    assert time.monotonic() - before < 5


def test_kinds_replace_each_other(place: Place) -> None:
    place.unpack(archive(
        ("a/b/c", FILE, b"1"), ("a", FILE, b"2"), ("a", DIR, None), ("a/d", FILE, b"3"), ("a", LINK, "x"),
        ("e", FILE, b"4"), ("e", DIR, None), ("e/f", FILE, b"5"), ("e", tarfile.FIFOTYPE, None), ("A", FILE, b"6"),
    ))  # fmt: skip
    assert os.readlink(place.target / "a") == "x"
    assert stat.S_ISFIFO((place.target / "e").lstat().st_mode)
    assert (place.target / "A").read_bytes() == b"6"


def test_the_last_of_many_duplicates_wins(place: Place) -> None:
    size = place.unpack(archive(*[("f", FILE, str(i).encode()) for i in range(20_000)]))
    assert (place.target / "f").read_bytes() == b"19999"
    assert size == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [("n" * 256, "file name too long"), ("/".join(["p" * 200] * 25), "file name too long"), ("a\0b", None)],
)
def test_names_too_long(place: Place, name: str, text: str | None) -> None:
    data = archive((name, FILE, b"x"), format=tarfile.GNU_FORMAT)
    if text is None:
        place.unpack(data)  # a NUL ends the name, as in a header
        assert (place.target / "a").exists()
        return
    with pytest.raises(InvalidParameter, match=text):
        place.unpack(data)


def test_odd_names_are_kept(place: Place) -> None:
    names = ["caf\udce9", "new\nline", "\x1b[31m", "…", "-rf", " "]
    place.unpack(archive(*[(name, FILE, b"x") for name in names], format=tarfile.GNU_FORMAT, errors="surrogateescape"))
    assert sorted(os.listdir(place.target)) == sorted(names)


def test_deep_trees(place: Place) -> None:
    place.unpack(archive(("/".join("d" * 1500) + "/f", FILE, b"x"), ("d", FILE, b"in its place")))
    assert (place.target / "d").read_bytes() == b"in its place"


def test_devices_and_setuid(place: Place) -> None:
    device = {"devmajor": 8, "devminor": 0, "mode": 0o666}
    place.unpack(archive(("sda", tarfile.BLKTYPE, None, device), ("null", tarfile.CHRTYPE, None, {"devmajor": 1, "devminor": 3}),
                         ("su", FILE, b"x", {"mode": 0o4755, "uid": 5}), ("fifo", tarfile.FIFOTYPE, None)))  # fmt: skip
    assert os.stat(place.target / "sda").st_rdev == os.makedev(8, 0)
    assert stat.S_IMODE(os.stat(place.target / "sda").st_mode) == 0o666
    info = os.stat(place.target / "su")
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (5, 0o4755)


def header(**fields: bytes) -> bytes:
    """A header with fields put in by hand and a right checksum."""
    block = bytearray(tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT)[:512])
    places = {"size": 124, "uid": 108, "mtime": 136, "kind": 156, "name": 0, "mode": 100, "magic": 257, "sparse": 386}
    for key, value in fields.items():
        block[places[key] : places[key] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(*records: bytes) -> bytes:
    """A pax header entry."""
    body = b"".join(records)
    return header(kind=b"x", size=b"%011o\0" % len(body)) + body + b"\0" * (-len(body) % 512)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    size += len(str(size + len(str(size))))
    return b"%d %s=%s\n" % (size, key, value)


END = b"\0" * 1024


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (header(size=b"\xff" * 12), "invalid tar header"),
        (header(size=b"\x80" + b"\xff" * 11), "invalid tar header"),
        (header(size=b"-0000000001\0"), "invalid tar header"),
        (header(size=b"00000000009\0"), "invalid tar header"),
        (header(size=b"00000001001\0") + b"x" * 512, "unexpected EOF"),
        (header(kind=b"V"), "unhandled tar header type"),
        (header(kind=b"x", size=b"%011o\0" % (1 << 30)), "too large"),
        (header(kind=b"L", size=b"%011o\0" % (1 << 30)), "too large"),
        (header(kind=b"L", size=b"%011o\0" % 10) + b"x" * 512, "unexpected EOF"),
        (pax(record(b"size", b"1099511627776")) + header(), "unexpected EOF"),
        (pax(record(b"size", b"9" * 18)) + header(), "invalid tar header"),
        (pax(record(b"size", b"-1")) + header(), "invalid tar header"),
        (pax(b"99999 path=x\n") + header(), "invalid tar header"),
        (pax(b"5 a=b") + header(), "invalid tar header"),
        (pax(b"x path=b\n") + header(), "invalid tar header"),
        (pax(record(b"path", b"a\0b")) + header(), "invalid tar header"),
        (pax(record(b"uid", b"4294967296")) + header(), "invalid owner"),
        (pax(record(b"path", b"../../x")) + header(), "leads out"),
        (pax(*[record(b"comment", b"y" * 60_000)] * 18) + header(), "too large"),
        (header(uid=b"\xff" * 8), "invalid owner"),
        (b"\1" * 512, "invalid tar header"),
        (header()[:100], "unexpected EOF"),
        (header() + b"\0" * 512 + b"\1" * 512, "invalid tar header"),
        (pax(record(b"GNU.sparse.map", b"0,1,5"), record(b"GNU.sparse.size", b"10")) + header(), "invalid sparse map"),
        (pax(record(b"GNU.sparse.map", b"8,4,0,4"), record(b"GNU.sparse.size", b"20")) + header(), "invalid sparse map"),
        (pax(record(b"GNU.sparse.map", b"0,0"), record(b"GNU.sparse.realsize", b"9" * 18)) + header(), "invalid sparse map"),
        (pax(record(b"GNU.sparse.major", b"1"), record(b"GNU.sparse.realsize", b"9"))
         + header(size=b"00000001000\0") + b"99999999\n" + b"0" * 503, "invalid sparse map"),
        (header(kind=b"S", magic=b"ustar  \0", sparse=b"00000000000\0" + b"77777777777\0"), "invalid sparse map"),
    ],
)  # fmt: skip
def test_headers_that_lie(place: Place, data: bytes, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        place.unpack(data + (b"" if text == "unexpected EOF" else END))


def test_times_out_of_range_are_clamped(place: Place) -> None:
    place.unpack(header(name=b"a\0", mtime=b"\xff" * 12) + header(name=b"b\0", mtime=b"\x80" + b"\x7f" * 11) + END)
    assert os.stat(place.target / "a").st_mtime_ns == 0
    assert (place.target / "b").exists()


def test_times_are_exact(place: Place) -> None:
    data = pax(record(b"mtime", b"1700000000.123456789"))
    place.unpack(data + header(name=b"f\0") + data + header(name=b"d\0", kind=b"5") + header(name=b"d/g\0") + END)
    assert os.stat(place.target / "f").st_mtime_ns == 1700000000123456789
    assert os.stat(place.target / "d").st_mtime_ns == 1700000000123456789


def test_attributes(place: Place) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    kept = [record(b"SCHILY.xattr.user.mine", b"a\0b"), record(b"SCHILY.xattr.security.capability", capability)]
    dropped = [
        record(b"SCHILY.xattr.trusted.overlay.opaque", b"y"), record(b"SCHILY.xattr.user.overlay.opaque", b"y"),
        record(b"SCHILY.xattr.security.selinux", b"evil"), record(b"SCHILY.xattr.trusted.x", b"y"),
    ]  # fmt: skip
    more = [record(b"LIBARCHIVE.xattr.user.other", b"Yg")]
    place.unpack(pax(*kept, *dropped, *more) + header(name=b"f\0", mode=b"0004755\0") + pax(*dropped) + header(kind=b"5") + END)
    file = place.target / "f"
    assert stat.S_ISDIR(file.stat().st_mode)  # the second entry is a directory of the same name
    assert os.listxattr(file) == []
    place.unpack(pax(*kept, *dropped, *more) + header(name=b"g\0", mode=b"0004755\0") + END)
    file = place.target / "g"
    assert sorted(os.listxattr(file)) == ["security.capability", "user.mine", "user.other"]
    assert os.getxattr(file, "security.capability") == capability
    assert os.getxattr(file, "user.mine") == b"a\0b"
    assert stat.S_IMODE(file.stat().st_mode) == 0o4755


def test_an_attribute_of_64_kib(place: Place) -> None:
    data = pax(record(b"SCHILY.xattr.user.big", b"x" * 65_536)) + header() + END
    try:
        place.unpack(data)
    except InvalidParameter as error:
        assert "too large" in error.message


def test_sparse_files(place: Place, tmp_path: Path) -> None:
    import subprocess

    source = tmp_path / "canary" / "empty"
    holes = tmp_path / "holes"
    with open(holes, "wb") as file:
        file.truncate(50 << 20)
        for at in (0, 1 << 20, 30 << 20):
            file.seek(at)
            file.write(b"data%d" % at)
    wanted = holes.read_bytes()
    for number, form in enumerate((["gnu"], ["pax", "0.0"], ["pax", "0.1"], ["pax", "1.0"])):
        version = [f"--sparse-version={form[1]}"] if form[1:] else []
        tar = ["tar", "-C", str(tmp_path), "-S", f"--format={form[0]}", *version, "-cf", "-", "holes"]
        data = subprocess.run(tar, capture_output=True, check=True).stdout
        assert len(data) < 1 << 20
        place.unpack(data)
        made = place.target / "holes"
        assert made.read_bytes() == wanted
        assert made.stat().st_blocks < 2048
        made.rename(place.target / f"kept{number}")
    holes.unlink()
    assert source.exists()


def test_the_digest_covers_what_follows_the_end() -> None:
    from dockwright.images.pipeline import Hashed

    data = archive(("f", FILE, b"x")) + b"trailing" * 1000
    hashed = Hashed(io.BytesIO(data))
    from dockwright.tar.reader import TarReader

    assert [entry.name for entry in TarReader(hashed)] == ["f"]
    assert hashed.digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_bomb_stops_at_the_end_of_the_disk(tmp_path: Path) -> None:
    """10 GiB of zeros, a thousandth of that compressed, on a file system of 20 MiB."""
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(small)], check=True)
    try:
        place = Place(small, flat=False)
        packed = gzip.compress(b"\0" * (64 << 20), 1)
        data = header(size=b"%011o\0" % (64 << 20))
        bomb = gzip.compress(data) + packed
        before = time.monotonic()
        with pytest.raises(OSError, match="No space left"):
            place.unpack(bomb)
        assert time.monotonic() - before < 10
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_memory_a_bomb_takes(tmp_path: Path) -> None:
    import resource

    place = Place(tmp_path, flat=False)
    big = 1 << 30
    data = gzip.compress(header(size=b"%011o\0" % big)) + gzip.compress(b"\0" * (32 << 20), 1) * 32 + gzip.compress(END)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whiteouts = Nodes()
    with Unpacker(str(place.target), str(place.aside), whiteouts) as unpacker:
        unpacker._whole = lambda tar, fd: [None for _ in tar.data()]  # type: ignore[assignment,method-assign]
        unpacker.all(opened(io.BytesIO(data)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
