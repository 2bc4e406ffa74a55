"""Loading: what comes in is there, with its digests; what is broken leaves nothing."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from typing import Any

import pytest
from isal import igzip

SHELL = {"Cmd": ["sh"]}


def zstd(data: bytes) -> bytes:
    from backports import zstd as library

    return bytes(library.compress(data))


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def small(images: Any, text: bytes = b"hello") -> bytes:
    return bytes(images.tar([("dir", tarfile.DIRTYPE, None, 0o755), ("dir/file", tarfile.REGTYPE, text, 0o644)]))


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def oci_layout(images: Any, found: list[dict[str, Any]], index: dict[str, Any] | None = None) -> bytes:
    """An OCI layout of images: layer, config, descriptor extras."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes) -> dict[str, Any]:
        blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data)}

    entries = []
    for image in found:
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": SHELL, **image.get("config", {}),
                             "rootfs": {"type": "layers", "diff_ids": [digest(image["layer"])]}}).encode()  # fmt: skip
        packed = image.get("pack", lambda data: data)(image["layer"])
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(packed)}],
        }).encode()  # fmt: skip
        entries.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", **put(manifest), **image.get("extra", {})})
    top = index(entries, put) if callable(index) else {"schemaVersion": 2, "manifests": entries}
    members = [(f"blobs/sha256/{name[7:]}", tarfile.REGTYPE, data, 0o644) for name, data in blobs.items()]
    members.append(("oci-layout", tarfile.REGTYPE, b'{"imageLayoutVersion":"1.0.0"}', 0o644))
    return bytes(images.tar([*members, ("index.json", tarfile.REGTYPE, json.dumps(top).encode(), 0o644)]))


def test_a_load_is_there_and_goes_again(rig: Any, busybox: bytes) -> None:
    assert rig.load(busybox) == ["Loaded image: busybox:latest\n"]
    rig.consistent()

    async def look(manager: Any) -> Any:
        return await manager.inspect("busybox"), await manager.list(all=False, filters={}, shared_size=True)

    inspected, rows = rig.run(look)
    config = json.loads(rig.query("SELECT config FROM image")[0][0])
    assert inspected["Id"] == digest(rig.query("SELECT config FROM image")[0][0])
    assert inspected["RootFS"]["Layers"] == config["rootfs"]["diff_ids"]
    assert rows[0]["RepoTags"] == ["busybox:latest"]
    assert rows[0]["SharedSize"] == 0
    gone = rig.run(lambda manager: manager.delete("busybox", False, False))
    assert [next(iter(row)) for row in gone] == ["Untagged", "Deleted", "Deleted"]
    rig.consistent()
    assert rig.state()["folders"] == rig.state()["blobs"] == []


@pytest.mark.parametrize("outer", [lambda d: d, gz, zstd, lzma.compress, bz2.compress])
@pytest.mark.parametrize("inner", [lambda d: d, gz, zstd, lzma.compress, bz2.compress])
def test_any_compression_outside_and_inside(overlay: Any, images: Any, outer: Any, inner: Any) -> None:
    layer = small(images)
    archive = images.docker_archive([layer], ["packed:1"], packed=inner)
    assert overlay.load(outer(archive)) == ["Loaded image: packed:1\n"]
    assert overlay.query("SELECT diff, size FROM layer") == [(digest(layer), 5)]
    assert overlay.query("SELECT blob FROM image_layer") == [(digest(inner(layer)),)]
    overlay.consistent()


def test_members_of_a_compressed_layer(overlay: Any, images: Any) -> None:
    layer = small(images)
    half = len(layer) // 2
    members = gzip.compress(layer[:half]) + igzip.compress(layer[half:]) + b"\0" * 100
    archive = images.docker_archive([layer], ["x:1"], packed=lambda _: members)
    assert overlay.load(archive) == ["Loaded image: x:1\n"]
    garbage = images.docker_archive([layer], ["y:1"], packed=lambda _: gzip.compress(layer) + b"garbage")
    overlay.load(images.docker_archive([small(images, b"other")], ["z:1"]))
    overlay.run(lambda m: m.delete("x:1", False, False))
    assert "trailing garbage" in overlay.refused(garbage)


def test_compressed_twice_is_refused(overlay: Any, busybox: bytes) -> None:
    assert "invalid tar header" in overlay.refused(gzip.compress(lzma.compress(busybox)))


def test_several_images_tags_and_none(rig: Any, images: Any) -> None:
    one, two = small(images, b"1"), small(images, b"2")
    first, second = (json.dumps(config(diffs)).encode() for diffs in ([digest(one)], [digest(two), digest(one)]))
    manifest = [
        {"Config": "a.json", "RepoTags": ["a:1", "reg.example:5000/b:2"], "Layers": ["1/layer.tar"]},
        {"Config": "b.json", "RepoTags": None, "Layers": ["2/layer.tar", "link/layer.tar"]},
    ]
    archive = images.tar([
        ("a.json", tarfile.REGTYPE, first, 0o644), ("b.json", tarfile.REGTYPE, second, 0o644),
        ("1/layer.tar", tarfile.REGTYPE, one, 0o644), ("2/layer.tar", tarfile.REGTYPE, two, 0o644),
        ("link/layer.tar", tarfile.SYMTYPE, "../1/layer.tar", 0o777),
        ("manifest.json", tarfile.REGTYPE, json.dumps(manifest).encode(), 0o644),
    ])  # fmt: skip
    lines = rig.load(archive)
    assert lines == [
        "Loaded image: a:1\n", "Loaded image: reg.example:5000/b:2\n", f"Loaded image ID: {digest(second)}\n",
    ]  # fmt: skip
    rig.consistent()
    rig.run(lambda m: m.delete("a:1", False, False))
    rig.run(lambda m: m.delete("reg.example:5000/b:2", False, False))
    rig.consistent()
    assert len(rig.query("SELECT * FROM layer")) == 2


def config(diffs: list[str]) -> dict[str, Any]:
    return {"architecture": "amd64", "os": "linux", "config": SHELL, "rootfs": {"type": "layers", "diff_ids": diffs}}


def test_a_name_that_moves(overlay: Any, images: Any) -> None:
    overlay.load(images.docker_archive([small(images, b"1")], ["a:1"]))
    old = overlay.query("SELECT id FROM image")[0][0]
    lines = overlay.load(images.docker_archive([small(images, b"2")], ["a:1"]))
    assert lines[0] == f"The image a:1 already exists, renaming the old one with ID {old} to empty string\n"
    assert len(overlay.query("SELECT * FROM image")) == 2


def test_an_oci_layout(rig: Any, images: Any) -> None:
    name = {"annotations": {"io.containerd.image.name": "docker.io/library/a:1"}}
    archive = oci_layout(images, [{"layer": small(images), "pack": gzip.compress, "extra": name}])
    assert rig.load(archive) == ["Loaded image: a:1\n"]
    rig.consistent()
    kept = rig.query("SELECT manifest FROM image")[0][0]
    assert kept[7:] in rig.state()["blobs"]


def test_the_platform_of_this_host_is_chosen(overlay: Any, images: Any) -> None:
    from dockwright.images import platforms

    own = platforms.host().architecture
    platforms = [
        {"platform": {"os": "windows", "architecture": own}}, {"platform": {"os": "linux", "architecture": "s390x"}},
        {"platform": {"os": "linux", "architecture": own}}, {"platform": {"os": "unknown", "architecture": "unknown"}},
    ]  # fmt: skip
    found = [{"layer": small(images, str(i).encode()), "extra": extra} for i, extra in enumerate(platforms)]
    layers = [digest(image["layer"]) for image in found]

    def nested(entries: list[dict[str, Any]], put: Any) -> dict[str, Any]:
        kind = "application/vnd.oci.image.index.v1+json"
        inner = put(json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode())
        outer = put(json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": kind, **inner}]}).encode())
        name = {"org.opencontainers.image.ref.name": "nested:1"}
        return {"schemaVersion": 2, "manifests": [{"mediaType": kind, **outer, "annotations": name}]}

    assert overlay.load(oci_layout(images, found, nested)) == ["Loaded image: nested:1\n"]
    assert overlay.query("SELECT diff FROM image_layer") == [(layers[2],)]


def damaged(archive: bytes, name: str, change: Any) -> bytes:
    """An archive with one member changed or, by None, left out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=buffer, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read() if member.isreg() else b""  # type: ignore[union-attr]
            if member.name == name:
                data = change(data)
                if data is None:
                    continue
                member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("member", "change", "text"),
    [
        ("manifest.json", lambda _: None, "invalid archive: does not contain a manifest.json"),
        ("manifest.json", lambda _: b"null", "manifest cannot be null"),
        ("manifest.json", lambda _: b"{}", "manifest.json: Expected `array`"),
        ("manifest.json", lambda _: b'[{"Config": 5}]', "Expected `str`"),
        ("manifest.json", lambda d: d.replace(b"config.json", b"../../etc/passwd"), "no such file or directory"),
        ("manifest.json", lambda d: d.replace(b'"0/layer.tar"', b""), "layers length mismatch: expected 1, got 0"),
        ("manifest.json", lambda d: d.replace(b"busybox:latest", b"Bad Name"), 'invalid tag "Bad Name"'),
        ("manifest.json", lambda d: d.replace(b"busybox:latest", b"a\\u0001:1"), "invalid tag"),
        ("config.json", lambda _: b"[" * 100_000, "invalid image config"),
        ("config.json", lambda d: d.replace(b'["sh"]', b'"sh"'), "Expected `array | null`"),
        ("config.json", lambda d: d.replace(b"sha256:", b"md5:"), "unsupported digest algorithm"),
        ("config.json", lambda d: d.replace(b"2024", b"\xff\xfe"), "invalid image config"),
        ("config.json", lambda d: d + b" " * (9 << 20), "too large"),
        ("0/layer.tar", lambda d: d + b"\0" * 512, 'invalid diffID for layer 0: expected "sha256:'),
        ("0/layer.tar", lambda d: d[:2000], "unexpected EOF"),
        ("0/layer.tar", lambda d: b"not a tar at all" * 100, "invalid tar header"),
        ("0/layer.tar", lambda _: None, "no such file or directory"),
    ],
)  # fmt: skip
def test_a_broken_archive_leaves_nothing(overlay: Any, busybox: bytes, member: str, change: Any, text: str) -> None:
    assert text in overlay.refused(damaged(busybox, member, change))


def test_a_cut_archive_leaves_nothing(overlay: Any, busybox: bytes) -> None:
    for part in (1, 3, 511, 700, len(busybox) // 2):
        assert overlay.refused(busybox[:part])
    assert overlay.refused(gzip.compress(busybox)[:100_000]) == "unexpected EOF"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: {**d, "layers": [{**d["layers"][0], "size": 1}]}, "does not match"),
        (lambda d: {**d, "layers": [{**d["layers"][0], "digest": "sha256:../../x"}]}, "invalid checksum digest"),
        (lambda d: {**d, "manifests": []}, "manifest and an index at once"),
        (lambda d: {**d, "mediaType": "application/vnd.oci.image.index.v1+json"}, "unsupported media type"),
        (lambda d: {**d, "mediaType": "x" * (1 << 20)}, "unsupported media type"),
        (lambda d: {"schemaVersion": 1, "fsLayers": []}, "schema 1"),
        (lambda d: {**d, "layers": d["layers"] * 10_000}, "layers length mismatch"),
    ],
)
def test_a_confused_manifest(overlay: Any, images: Any, change: Any, text: str) -> None:

    def index(entries: list[dict[str, Any]], put: Any) -> dict[str, Any]:
        return {"manifests": entries}

    good = oci_layout(images, [{"layer": small(images)}], index)
    name = next(m for m in tarfile.open(fileobj=io.BytesIO(good)).getnames() if m.startswith("blobs") and _is(good, m))
    data = tarfile.open(fileobj=io.BytesIO(good)).extractfile(name).read()  # type: ignore[union-attr]
    new = json.dumps(change(json.loads(data))).encode()
    archive = damaged(good, name, lambda _: new)
    archive = damaged(archive, "index.json", lambda d: d.replace(digest(data).encode(), digest(new).encode()).replace(
        f'"size": {len(data)}'.encode(), f'"size": {len(new)}'.encode()))  # fmt: skip
    archive = archive.replace(name.encode(), f"blobs/sha256/{digest(new)[7:]}".encode())
    assert text in overlay.refused(_resummed(archive))


def _is(archive: bytes, name: str) -> bool:
    data = tarfile.open(fileobj=io.BytesIO(archive)).extractfile(name).read()  # type: ignore[union-attr]
    return data.startswith(b"{") and b'"layers"' in data and b"schemaVersion" in data


def _resummed(archive: bytes) -> bytes:
    """The archive with its header checksums made right again, after names were replaced."""
    out = bytearray(archive)
    at = 0
    while at < len(out) and out[at]:
        header = out[at : at + 512]
        header[148:156] = b" " * 8
        out[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        at += 512 + -(-int(bytes(header[124:136]).rstrip(b"\0 "), 8) // 512) * 512
    return bytes(out)


def test_too_many_layers(overlay: Any, images: Any) -> None:
    layer = small(images)
    assert overlay.refused(images.docker_archive([layer] * 126, ["deep:1"])) == "max depth exceeded"
    assert overlay.load(images.docker_archive([layer] * 125, ["deep:1"])) == ["Loaded image: deep:1\n"]


def test_no_layers_and_empty_layers(rig: Any, images: Any) -> None:
    assert rig.load(images.docker_archive([], ["none:1"])) == ["Loaded image: none:1\n"]
    assert rig.load(images.docker_archive([b"\0" * 1024], ["empty:1"])) == ["Loaded image: empty:1\n"]
    rig.consistent()


def test_events(overlay: Any, busybox: bytes) -> None:
    async def work(manager: Any) -> list[tuple[str, str]]:
        subscription = overlay.events.subscribe()
        await overlay.loaded(manager, busybox)
        await manager.tag("busybox", "other", "2")
        async for _ in manager.save(["busybox"]):
            pass
        await manager.delete("other:2", False, False)
        await manager.delete("busybox", False, False)
        subscription.close()
        return [(event["Action"], event["Actor"]["Attributes"]["name"]) async for event in subscription]

    heard = overlay.run(work)
    assert [action for action, _ in heard] == ["load", "tag", "save", "untag", "untag", "delete"]
    assert heard[1][1] == "other:2"
    assert heard[3][1].startswith("sha256:")
