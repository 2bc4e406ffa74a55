"""Random and hostile input: layers, manifests, compressed streams. Whatever comes, it is refused in words or harmless, and both
ways of keeping layers show the same tree."""

import contextlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockwright.base.errors import InvalidParameter
from dockwright.images import oci
from dockwright.images.archive import Archive
from dockwright.images.content import Content
from dockwright.images.contents import differences
from dockwright.images.differ import NODES
from dockwright.images.inflate import opened
from dockwright.images.snapshotters.stacking import Nodes, Nothing
from dockwright.images.snapshotters.whole import Removals
from dockwright.images.trash import Trash
from dockwright.images.unpack import Unpacker

Entry = tuple[str, bytes, str, bytes, int]  # name, type, link, content, mode
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOLDERS, NAMES = st.sampled_from(["", "a/", "a/b/", "c/", "a/b/c/"]), st.sampled_from(["a", "b", "c", "f", "g"])
PATHS = st.builds(lambda folder, name: folder + name, FOLDERS, NAMES)

honest = st.one_of(
    st.tuples(PATHS, st.just(tarfile.REGTYPE), st.just(""), st.binary(max_size=9), st.sampled_from([0o644, 0o4755, 0o600])),
    st.tuples(PATHS, st.just(tarfile.DIRTYPE), st.just(""), st.just(b""), st.just(0o755)),
    st.tuples(st.just("s"), st.just(tarfile.SYMTYPE), st.sampled_from(["f", "/a", "../..", "s"]), st.just(b""), st.just(0o777)),
    st.builds(lambda folder, name: (f"{folder}.wh.{name}", tarfile.REGTYPE, "", b"", 0o600), FOLDERS, NAMES),
    st.builds(lambda folder: (f"{folder}.wh..wh..opq", tarfile.REGTYPE, "", b"", 0o600), FOLDERS.filter(bool)),  # not the root
)
wild_names = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.lists(st.sampled_from(["..", ".", "", "a", "s", "canary", "secret", ".wh.", ".wh...", ".wh..wh..opq", ".wh.a", "x" * 256]),
             min_size=1, max_size=7).map("/".join),
    st.just("/" + "../" * 9 + "canary/secret"),
)  # fmt: skip
wild = st.tuples(
    wild_names,
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
    wild_names, st.binary(max_size=9), st.integers(0, 0o7777),
)  # fmt: skip


def tar(entries: list[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as made:
        for name, kind, link, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, mode
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="dwf"))
    try:
        (place / "aside").mkdir()
        yield place
    finally:
        shutil.rmtree(place)


def unpack(data: bytes, target: Path, whiteouts: Any) -> int:
    with Unpacker(str(target), str(target.parent / "aside"), whiteouts) as unpacker:
        return unpacker.all(opened(io.BytesIO(data)))


@OFTEN
@given(st.lists(st.lists(honest, max_size=12, unique_by=lambda entry: entry[0]), min_size=1, max_size=3))
def test_layers_stacked_and_copied_show_the_same_tree(layers: list[list[Entry]]) -> None:
    with workplace() as place:
        stack: list[str] = []
        flat = place / "flat"
        flat.mkdir()
        for number, entries in enumerate(layers):
            own = place / str(number)
            own.mkdir()
            try:
                sizes = {unpack(tar(entries), own, Nodes() if stack else Nothing())}
                sizes.add(unpack(tar(entries), flat, Removals(str(place / "aside"))))
            except InvalidParameter as error:
                assert "not a directory" in error.message  # a file where a later name has a directory
                return
            assert len(sizes) == 1
            stack.insert(0, str(own))
        assert differences(stack, [str(flat)], NODES) == []
        assert list((place / "aside").iterdir()) == []


@OFTEN
@given(st.lists(st.one_of(wild, honest), max_size=12), st.booleans())
def test_nothing_leads_out_of_a_layer(entries: list[Entry], copied: bool) -> None:
    with workplace() as place:
        (place / "canary").mkdir()
        (place / "canary/secret").write_bytes(b"secret")
        (place / "layer").mkdir()
        before = (place / "canary/secret").stat()
        with contextlib.suppress(InvalidParameter):
            unpack(tar(entries), place / "layer", Removals(str(place / "aside")) if copied else Nodes())
        assert (place / "canary/secret").stat() == before
        assert sorted(path.name for path in place.iterdir()) == ["aside", "canary", "layer"]
        assert not [path for path in (place / "layer").rglob("*") if path.is_file() and path.stat().st_ino == before.st_ino]


@OFTEN
@given(st.lists(honest, max_size=8), st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=12))
def test_broken_tars_are_refused_in_words(entries: list[Entry], harm: list[tuple[int, int]]) -> None:
    data = bytearray(tar(entries))
    for at, value in harm:
        data[at % len(data)] = value
    with workplace() as place, contextlib.suppress(InvalidParameter):
        (place / "layer").mkdir()
        unpack(bytes(data), place / "layer", Nodes())


@OFTEN
@given(st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh9", b""]), st.binary(max_size=300))
def test_streams_that_only_begin_well(magic: bytes, rest: bytes) -> None:
    source = opened(io.BytesIO(magic + rest))
    try:
        while source.read(1 << 16):
            continue
    except InvalidParameter:
        return
    assert not magic or magic == b"BZh9"  # an empty rest of a stream of nothing


ZEROS = "sha256:" + "0" * 64
MEMBERS = st.sampled_from(["manifest.json", "index.json", "oci-layout", "blobs/sha256/" + "0" * 64, "c.json"])
KEYS = st.sampled_from([
    "Config", "RepoTags", "Layers", "manifests", "config", "layers", "digest", "size", "mediaType", "platform", "annotations",
    "rootfs", "diff_ids", "history", "architecture", "os", "created", "empty_layer", "type", "Env", "Labels", "User",
    "schemaVersion",
])  # fmt: skip
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["../x", ZEROS, "a:1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@OFTEN
@given(json_values)
def test_documents_of_any_shape(document: Any) -> None:
    data = json.dumps(document).encode()
    for read in (oci.config, oci.manifest, oci.index):
        with contextlib.suppress(InvalidParameter):
            read(data)


@OFTEN
@given(st.dictionaries(MEMBERS, json_values))
def test_archives_of_any_shape(members: dict[str, Any]) -> None:
    entries = [(name, tarfile.REGTYPE, "", json.dumps(value).encode(), 0o644) for name, value in members.items()]
    with workplace() as place:
        content = Content(str(place / "content"), Trash(str(place / "trash")))
        ingest = content.ingest()
        with contextlib.suppress(InvalidParameter):
            Archive.read(opened(io.BytesIO(tar(entries))), ingest).images()
        ingest.close()
        assert list((place / "content/ingest").iterdir()) == []
