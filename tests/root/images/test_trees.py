"""Indexes with all they list: saved whole, loaded whole, pushed with the digests they came with."""

import io
import json
import tarfile
from typing import Any

import pytest

from dockwright.base.errors import EngineError, NotFound
from dockwright.images import platforms

INDEX = "application/vnd.oci.image.index.v1+json"
PROVENANCE, SBOM = "https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document"


@pytest.fixture
def layers(images: Any) -> list[bytes]:
    return [images.tar([(name, tarfile.REGTYPE, name.encode() * 500, 0o644)]) for name in ("a", "b")]


def published(registry: Any, layers: list[bytes]) -> dict[str, Any]:
    """An index at the registry as a build tool makes it: this host's image, another one, and statements about the first."""
    architecture = platforms.host().architecture
    own = {**registry.image(layers), "platform": {"os": "linux", "architecture": architecture}}
    other = {**registry.image(layers[1:], architecture="s390x"), "platform": {"os": "linux", "architecture": "s390x"}}
    statements = [
        {"mediaType": "application/vnd.in-toto+json", **registry.add(statement(kind, own["digest"])),
         "annotations": {"in-toto.io/predicate-type": kind}}
        for kind in (PROVENANCE, SBOM)
    ]  # fmt: skip
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": own["digest"]}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **registry.add(b"{}")}
    proof = registry.add_manifest({"schemaVersion": 2, "config": config, "layers": statements})
    third = {**proof, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": about}
    made = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [own, other, third]}
    return {"index": registry.add_manifest(made, "1", INDEX)["digest"], "own": own["digest"], "proof": proof["digest"]}


def statement(kind: str, subject: str) -> bytes:
    subjects = [{"name": "pkg:docker/a@1", "digest": {"sha256": subject.partition(":")[2]}}]
    document = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind, "subject": subjects}
    return json.dumps({**document, "predicate": {"x": kind}}).encode()


def saved(rig: Any, *names: str, platform: str = "") -> bytes:
    async def gathered(manager: Any) -> bytes:
        wanted = platforms.parse(platform) if platform else None
        return b"".join([piece async for piece in manager.save(list(names), wanted)])

    return bytes(rig.run(gathered))


def loaded(rig: Any, archive: bytes, platform: str) -> list[str]:
    async def work(manager: Any) -> list[str]:
        async def body() -> Any:
            yield archive

        return [line["stream"] async for line in manager.load(body(), True, platforms.parse(platform))]

    return list(rig.run(work))


def architecture(rig: Any, name: str) -> str:
    return str(rig.run(lambda manager: manager.inspect(name))["Architecture"])


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}  # type: ignore[union-attr]


def top(archive: bytes) -> list[str]:
    return [entry["digest"] for entry in json.loads(members(archive)["index.json"])["manifests"]]


def removed(rig: Any, name: str) -> None:
    rig.run(lambda manager: manager.delete(name, False, False))
    state = rig.state()
    assert state["blob"] == state["blobs"] == state["layer"] == []


def test_an_index_goes_out_and_comes_in_whole(rig: Any, registry: Any, layers: list[bytes]) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    rig.pull(f"{registry.host}/a", everything=True)
    archive = saved(rig, name)
    assert top(archive) == [digests["index"]]
    found = {f"sha256:{member[13:]}" for member in members(archive) if member.startswith("blobs/")}
    assert found >= {*registry.blobs, *digests.values()}
    removed(rig, name)
    assert rig.load(archive) == [f"Loaded image: {name}\n"]
    rig.consistent()
    assert saved(rig, name) == archive

    async def kinds(manager: Any) -> list[tuple[str, bool]]:
        (row,) = await manager.list(all=False, filters={}, shared_size=False, manifests=True)
        return [(each["Kind"], each["Available"]) for each in row["Manifests"]]

    assert rig.run(kinds) == [("image", True), ("image", True), ("attestation", True)]
    target = type(registry)()
    rig.run(lambda manager: manager.tag(name, f"{target.host}/b", "1"))
    assert rig.push(f"{target.host}/b")[-1]["aux"]["Digest"] == digests["index"]
    assert target.manifests["1"] == registry.manifests["1"] and target.blobs == registry.blobs
    rig.run(lambda manager: manager.delete(f"{target.host}/b:1", False, False))
    removed(rig, name)
    target.close()


def test_an_archive_of_the_oci_form_alone(rig: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    """As buildx and skopeo write one: no manifest.json."""
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    rig.pull(f"{registry.host}/a", everything=True)
    found = members(saved(rig, name))
    del found["manifest.json"]
    removed(rig, name)
    archive = images.tar([(member, tarfile.REGTYPE, data, 0o644) for member, data in found.items()])
    assert rig.load(archive) == [f"Loaded image: {name}\n"]
    rig.consistent()
    assert top(saved(rig, name)) == [digests["index"]]


def test_an_index_of_which_something_is_missing_is_not_sent(rig: Any, registry: Any, layers: list[bytes]) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    rig.pull(f"{registry.host}/a")
    archive = saved(rig, name)
    assert top(archive) == [digests["own"]]
    removed(rig, name)
    assert rig.load(archive) == [f"Loaded image: {name}\n"]


def test_an_index_comes_to_an_image_that_is_here_already(rig: Any, registry: Any, layers: list[bytes]) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    rig.pull(f"{registry.host}/a", everything=True)
    archive = saved(rig, name)
    removed(rig, name)
    rig.pull(f"{registry.host}/a")
    rig.load(archive)
    rig.consistent()
    assert top(saved(rig, name)) == [digests["index"]]
    removed(rig, name)


@pytest.mark.parametrize("form", ["both forms", "OCI form"])
def test_an_index_without_a_name(rig: Any, registry: Any, images: Any, layers: list[bytes], form: str) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    rig.pull(f"{registry.host}/a", everything=True)
    ident = rig.run(lambda manager: manager.inspect(name))["Id"]
    found = members(saved(rig, ident))
    removed(rig, name)
    if form == "OCI form":
        del found["manifest.json"]
    archive = images.tar([(member, tarfile.REGTYPE, data, 0o644) for member, data in found.items()])
    assert rig.load(archive) == [f"Loaded image ID: {ident}\n"]
    rig.consistent()
    assert top(saved(rig, ident)) == [digests["index"]]
    assert len(rig.run(lambda manager: manager.attestations(ident))) == 2
    rig.run(lambda manager: manager.tag(ident, "named", "1"))
    assert top(saved(rig, "named:1")) == [digests["index"]]
    removed(rig, "named:1")


def test_one_platform_goes_out(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    overlay.pull(f"{registry.host}/a", everything=True)
    own, other = saved(overlay, name, platform="linux"), saved(overlay, name, platform="linux/s390x")
    assert top(own) == [digests["own"]] and len(json.loads(members(own)["manifest.json"])[0]["Layers"]) == 2
    assert top(other) != [digests["own"]] and len(json.loads(members(other)["manifest.json"])[0]["Layers"]) == 1
    with pytest.raises(NotFound, match=r"does not provide the specified platform \(linux/riscv64\)"):
        saved(overlay, name, platform="linux/riscv64")
    removed(overlay, name)
    assert overlay.load(other) == [f"Loaded image: {name}\n"] and architecture(overlay, name) == "s390x"
    assert top(saved(overlay, name)) == top(other)
    overlay.consistent()


@pytest.mark.parametrize("form", ["both forms", "OCI form"])
def test_one_platform_comes_in(overlay: Any, registry: Any, images: Any, layers: list[bytes], form: str) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    overlay.pull(f"{registry.host}/a", everything=True)
    found = members(saved(overlay, name))
    removed(overlay, name)
    if form == "OCI form":
        del found["manifest.json"]
    archive = images.tar([(member, tarfile.REGTYPE, data, 0o644) for member, data in found.items()])
    assert loaded(overlay, archive, "linux/s390x") == [f"Loaded image: {name}\n"] and architecture(overlay, name) == "s390x"
    overlay.consistent()
    removed(overlay, name)
    before = overlay.state()
    with pytest.raises(EngineError, match="linux/riscv64"):
        loaded(overlay, archive, "linux/riscv64")
    assert overlay.state() == before
    loaded(overlay, archive, "linux")
    assert top(saved(overlay, name)) == [digests["own"]]


def test_a_plain_archive_for_another_platform(overlay: Any, busybox: bytes) -> None:
    with pytest.raises(NotFound, match="image with reference busybox:latest was found but does not provide"):
        loaded(overlay, busybox, "linux/s390x")


def test_what_is_attested(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    digests, name = published(registry, layers), f"{registry.host}/a:1"
    overlay.pull(f"{registry.host}/a", everything=True)

    def asked(**wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = overlay.run(lambda manager: manager.attestations(name, **wanted))
        return found

    first, second = asked()
    assert (first["PredicateType"], second["PredicateType"]) == (PROVENANCE, SBOM)
    assert first["Subject"] == [{"name": "pkg:docker/a@1", "digest": {"sha256": digests["own"][7:]}}]
    assert first["Manifest"] == digests["proof"] and first["For"] == digests["own"]
    assert first["Descriptor"]["mediaType"] == "application/vnd.in-toto+json" and "Statement" not in first
    (sbom,) = asked(types=[SBOM], statements=True)
    assert sbom["Statement"] == json.loads(statement(SBOM, digests["own"]))
    assert asked(types=["https://else/"]) == []
    assert len(asked(platform=platforms.parse("linux"))) == 2
    with pytest.raises(NotFound, match="riscv64"):
        asked(platform=platforms.parse("linux/riscv64"))


def test_attestations_that_are_not_here(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    published(registry, layers)
    overlay.pull(f"{registry.host}/a")
    with pytest.raises(NotFound, match="is not here: `dockwright pull --all-platforms`"):
        overlay.run(lambda manager: manager.attestations(f"{registry.host}/a:1"))


def test_an_image_without_an_index_attests_nothing(overlay: Any, busybox: bytes) -> None:
    overlay.load(busybox)
    assert overlay.run(lambda manager: manager.attestations("busybox")) == []
