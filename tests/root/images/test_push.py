"""Pushes to a registry that is good, weak or hostile: what came goes out as it came, nothing is sent twice."""

import gzip
import json
import tarfile
from typing import Any

import pytest

from dockwright.base.errors import EngineError


@pytest.fixture
def layers(images: Any) -> list[bytes]:
    return [images.tar([(name, tarfile.REGTYPE, name.encode() * 5000, 0o644)]) for name in ("a", "b")]


def statuses(lines: list[dict[str, Any]]) -> list[str]:
    return [line["status"] for line in lines if "status" in line and line["status"] != "Pushing"]


async def tagged(manager: Any, name: str, repo: str) -> None:
    await manager.tag(name, repo, "1")


def test_what_was_pulled_is_pushed_byte_for_byte(rig: Any, registry: Any, layers: list[bytes]) -> None:
    own = {**registry.image(layers), "platform": {"os": "linux", "architecture": "amd64"}}
    other = {**registry.image(layers[1:], architecture="arm64"), "platform": {"os": "linux", "architecture": "arm64"}}
    registry.add_manifest({"manifests": [own, other], "x": "y"}, "1", "application/vnd.oci.image.index.v1+json")
    rig.pull(f"{registry.host}/a")
    target = type(registry)()
    rig.run(lambda manager: tagged(manager, f"{registry.host}/a:1", f"{target.host}/new"))
    lines = rig.push(f"{target.host}/new")
    # the index is not whole here, so the one image goes out, with the very digest it came with
    assert lines[-1]["aux"] == {"Tag": "1", "Digest": own["digest"], "Size": own["size"]}
    assert lines[-2]["status"] == f"1: digest: {own['digest']} size: {own['size']}"
    assert target.manifests["1"] == registry.manifests[own["digest"]]
    assert statuses(lines)[:-1] == [
        f"The push refers to repository [{target.host}/new]", "Preparing", "Preparing", "Pushed", "Pushed",
    ]  # fmt: skip
    assert [line["id"] for line in lines[1:3]] == [digest_of(layer)[7:19] for layer in reversed(layers)]
    again = statuses(rig.push(f"{target.host}/new"))
    assert again[3:5] == ["Layer already exists"] * 2 and target.count("PATCH") == 3
    rig.consistent()
    target.close()


def digest_of(data: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_what_was_loaded_is_compressed_once(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers, [f"{registry.host}/a:1"]))
    lines = overlay.push(f"{registry.host}/a")
    manifest = json.loads(registry.manifests["1"][0])
    assert manifest["mediaType"] == registry.manifests["1"][1] == "application/vnd.docker.distribution.manifest.v2+json"
    assert [gzip.decompress(registry.blobs[layer["digest"]]) for layer in manifest["layers"]] == layers
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    again = overlay.push(f"{registry.host}/a")
    assert again[-1] == lines[-1] and registry.count("PATCH") == 3
    target = type(registry)()
    overlay.run(lambda manager: tagged(manager, f"{registry.host}/a:1", f"{target.host}/b"))
    assert overlay.push(f"{target.host}/b")[-1] == lines[-1]  # made again, and the same
    overlay.consistent()
    target.close()


def test_a_blob_of_another_repository_is_taken_over(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")
    overlay.pull(f"{registry.host}/team/a")
    registry.when("HEAD .*/team/b/blobs", lambda request: request.error(404, "BLOB_UNKNOWN"))
    registry.when("POST .*mount=", lambda request: request.reply(201, Location="/v2/x"))
    overlay.run(lambda manager: tagged(manager, f"{registry.host}/team/a:1", f"{registry.host}/team/b"))
    lines = statuses(overlay.push(f"{registry.host}/team/b"))
    assert lines.count("Mounted from team/a") == 2
    assert registry.count("PATCH") == 0 and registry.count("mount=sha256%3A[0-9a-f]+&from=team%2Fa") == 3


def test_a_broken_upload_goes_on(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers[:1], [f"{registry.host}/a:1"]))
    left = [1]

    def cut(request: Any) -> None:
        if not left[0]:
            return registry.honest(request)
        left[0] -= 1
        size = int(request.rfile.readline(), 16)
        registry.uploads[request.path.partition("?")[0].rpartition("/")[2]] = request.rfile.read(size)[:40]
        return request.close()

    registry.when("PATCH", cut)
    overlay.push(f"{registry.host}/a")
    manifest = json.loads(registry.manifests["1"][0])
    assert gzip.decompress(registry.blobs[manifest["layers"][0]["digest"]]) == layers[0]
    assert registry.count("GET .*/uploads/") == 1


def test_a_registry_in_trouble_is_asked_again(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers[:1], [f"{registry.host}/a:1"]))
    registry.when("POST", lambda request: request.reply(503))
    lines: list[dict[str, Any]] = []
    with pytest.raises(EngineError, match="received unexpected HTTP status: 503 Service Unavailable"):
        lines += overlay.push(f"{registry.host}/a")
    assert registry.count("POST") == 5


@pytest.mark.parametrize(
    ("pattern", "answer", "text"),
    [
        ("POST", {"status": 202, "Location": "http://127.0.0.2:1/x"}, "sends the upload elsewhere"), ("POST", {"status": 202},
         "sends the upload elsewhere"),
        ("PUT .*/uploads/", {"status": 201, "Docker_Content_Digest": "sha256:" + "1" * 64}, "the registry stored sha256:1111"),
        ("PUT .*/manifests/", {"status": 201, "Docker_Content_Digest": "sha256:" + "1" * 64}, "the registry stored sha256:1111"),
    ],
)  # fmt: skip
def test_registries_that_lie(
    overlay: Any, registry: Any, images: Any, layers: list[bytes], pattern: str, answer: dict[str, Any], text: str
) -> None:
    overlay.load(images.docker_archive(layers[:1], [f"{registry.host}/a:1"]))
    before = overlay.state()

    def lie(request: Any) -> None:
        registry._body(request)
        request.reply(**answer)

    registry.when(pattern, lie)
    with pytest.raises(EngineError, match=text):
        overlay.push(f"{registry.host}/a")
    assert overlay.state() == before


def test_a_denial_is_asked_for_once(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers, [f"{registry.host}/a:1"]))
    registry.when("POST", lambda request: request.error(403, "DENIED", "requested access to the resource is denied"))
    with pytest.raises(EngineError, match=r"^denied: requested access to the resource is denied$"):
        overlay.push(f"{registry.host}/a")
    assert registry.count("POST") <= 2  # one for each layer


def test_what_is_not_here(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers, [f"{registry.host}/a:1"]))
    with pytest.raises(EngineError, match=f"An image does not exist locally with the tag: {registry.host}/b"):
        overlay.push(f"{registry.host}/b")
    with pytest.raises(EngineError, match=f"tag does not exist: {registry.host}/a:2"):
        overlay.push(f"{registry.host}/a", "2")
    with pytest.raises(EngineError, match="cannot push a digest reference"):
        overlay.push(f"{registry.host}/a@sha256:{'1' * 64}", "")


def test_all_tags(overlay: Any, registry: Any, images: Any, layers: list[bytes]) -> None:
    overlay.load(images.docker_archive(layers, [f"{registry.host}/a:1", f"{registry.host}/a:2"]))
    lines = overlay.push(f"{registry.host}/a", "")
    assert [line["aux"]["Tag"] for line in lines if "aux" in line] == ["1", "2"]
    assert registry.manifests["1"] == registry.manifests["2"]
