"""Pulls from a registry that is good, weak, or hostile: what comes is whole, and what does not leaves nothing."""

import asyncio
import gzip
import json
import os
import tarfile
import time
from dataclasses import replace
from typing import Any

import pytest

from dockwright.base.errors import EngineError
from dockwright.images.registry.client import Caller
from dockwright.images.registry.credentials import Credentials

BIG = 2 << 20


@pytest.fixture
def layers(images: Any) -> list[bytes]:
    """Two layers, the first of bytes that do not compress."""
    return [
        images.tar([("a", tarfile.REGTYPE, os.urandom(BIG), 0o644)]),
        images.tar([("b", tarfile.REGTYPE, b"b" * 1000, 0o644)]),
    ]


def statuses(lines: list[dict[str, Any]]) -> list[str]:
    return [line["status"] for line in lines if line.get("status") not in ("Downloading", "Extracting")]


def refused(rig: Any, name: str, tag: str = "1", platform: str = "") -> str:
    """The text by which a pull is refused, after a check that nothing of it is left."""
    before = rig.state()
    with pytest.raises(EngineError) as caught:
        rig.pull(name, tag, platform)
    assert rig.state() == before
    return caught.value.message


def test_what_comes_is_whole(rig: Any, registry: Any, layers: list[bytes]) -> None:
    descriptor = registry.image(layers, "1")
    name = f"{registry.host}/team/app"
    lines = statuses(rig.pull(name))
    assert lines[:3] == ["Pulling from team/app", "Pulling fs layer", "Pulling fs layer"]
    assert lines[-3:] == [
        "Pull complete", f"Digest: {descriptor['digest']}", f"Status: Downloaded newer image for {name}:1",
    ]  # fmt: skip
    assert lines.count("Pull complete") == lines.count("Download complete") == lines.count("Verifying Checksum") == 2
    rig.consistent()
    asked = len(registry.asked)
    assert statuses(rig.pull(name)) == [lines[0], lines[-2], f"Status: Image is up to date for {name}:1"]
    assert registry.count("blobs") == 3 and len(registry.asked) <= asked + 3


def test_layers_that_are_here_are_not_fetched(rig: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers[:1], "1")
    rig.pull(f"{registry.host}/a")
    registry.image(layers, "2")
    lines = statuses(rig.pull(f"{registry.host}/b", "2"))
    assert lines[1:4] == ["Already exists", "Pulling fs layer", "Verifying Checksum"]
    assert registry.count("GET .*/blobs") == 4  # two configs, two layers
    rig.consistent()


@pytest.mark.parametrize("packing", ["gzip", "zstd", "none", "members"])
def test_compressions(overlay: Any, registry: Any, layers: list[bytes], packing: str) -> None:
    def pack(data: bytes) -> bytes:
        if packing == "zstd":
            from backports import zstd

            return zstd.compress(data)
        if packing == "members":
            return gzip.compress(data[:1000]) + gzip.compress(data[1000:])
        return gzip.compress(data) if packing == "gzip" else data

    registry.image(layers, "1", pack)
    overlay.pull(f"{registry.host}/a")
    overlay.consistent()


def test_a_moved_tag_leaves_the_old_image(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers[:1], "1")
    overlay.pull(f"{registry.host}/a")
    registry.image(layers[1:], "1")
    overlay.pull(f"{registry.host}/a")
    assert len(overlay.query("SELECT * FROM image")) == 2
    assert len(overlay.query("SELECT * FROM image_tag")) == 1
    overlay.consistent()


def test_all_tags(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers[:1], "1")
    registry.image(layers, "2")
    lines = statuses(overlay.pull(f"{registry.host}/a", ""))
    assert [line for line in lines if line.startswith("Status")] == [
        f"Status: Downloaded newer image for {registry.host}/a"
    ]
    assert {row[0].rpartition(":")[2] for row in overlay.query("SELECT name FROM image_tag")} == {"1", "2"}


# platforms


def test_a_platform_of_an_index(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    own = {**registry.image(layers[:1]), "platform": {"os": "linux", "architecture": "amd64"}}
    other = registry.image(layers[1:], architecture="arm64")
    entries = [own, {**other, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}]
    hostile_type = "application/vnd.oci.image.index.v1+json"
    index = registry.add_manifest({"schemaVersion": 2, "manifests": entries}, "1", hostile_type)
    lines = statuses(overlay.pull(f"{registry.host}/a", "1", "linux/arm64"))
    assert f"Digest: {index['digest']}" in lines
    (row,) = overlay.query("SELECT config, manifest FROM image")
    assert json.loads(row[0])["architecture"] == "arm64" and row[1] == other["digest"]
    assert overlay.query("SELECT digest FROM image_digest") == [(index["digest"],)]
    overlay.consistent()
    text = refused(overlay, f"{registry.host}/a", "1", "linux/s390x")
    assert text == "no matching manifest for linux/s390x in the manifest list entries"


def test_a_single_manifest_for_another_platform_comes_with_an_error(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers[:1], "1")
    with pytest.raises(EngineError, match="does not match the specified platform: wanted linux/arm64, actual: linux/amd64"):
        overlay.pull(f"{registry.host}/a", "1", "linux/arm64")
    assert overlay.query("SELECT count(*) FROM image_tag") == [(1,)]


# what breaks


@pytest.mark.parametrize("times", [1, 10])
def test_a_connection_that_breaks_is_continued(rig: Any, registry: Any, layers: list[bytes], times: int) -> None:
    registry.image(layers, "1")
    left = [times]

    def cut(request: Any) -> None:
        start = int((request.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        data = registry.blobs[request.path.rpartition("/")[2]]
        part = len(data) // (times + 1)
        if len(data) < BIG or not left[0]:
            return registry.honest(request)
        left[0] -= 1
        fields = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        request.begin(206 if start else 200, len(data) - start, **fields)
        request.wfile.write(data[start : start + part])
        return request.close()

    registry.when("GET .*/blobs/", cut)
    rig.pull(f"{registry.host}/a")
    rig.consistent()
    assert left == [0]
    ranges = [fields["Range"] for fields in registry.headers if "Range" in fields]
    assert len(ranges) == times and "bytes=0-" not in ranges


@pytest.mark.parametrize("answer", ["whole", "wrong range"])
def test_a_server_that_cannot_continue(overlay: Any, registry: Any, layers: list[bytes], answer: str) -> None:
    registry.image(layers, "1")
    cuts = [1]

    def weak(request: Any) -> None:
        data = registry.blobs[request.path.rpartition("/")[2]]
        if len(data) > BIG and cuts[0]:
            cuts[0] -= 1
            request.begin(200, len(data))
            request.wfile.write(data[: BIG // 2])
            return request.close()
        if answer == "wrong range" and "Range" in request.headers:
            return request.reply(206, data[7:], Content_Range=f"bytes 7-{len(data) - 1}/{len(data)}")
        return request.reply(200, data)

    registry.when("GET .*/blobs/", weak)
    overlay.pull(f"{registry.host}/a")
    overlay.consistent()


def test_what_came_is_there_for_the_next_try(rig: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")

    def broken(request: Any) -> None:
        data = registry.blobs[request.path.rpartition("/")[2]]
        if len(data) < BIG:
            return registry.honest(request)
        if "Range" in request.headers:
            return request.error(404, "BLOB_UNKNOWN")
        request.begin(200, len(data))
        request.wfile.write(data[: BIG // 2])
        return request.close()

    registry.when("GET .*/blobs/", broken)
    with pytest.raises(EngineError, match="unknown blob"):
        rig.pull(f"{registry.host}/a")
    assert rig.state()["image"] == []
    registry.rules.clear()
    rig.pull(f"{registry.host}/a")
    rig.consistent()
    last = [fields["Range"] for fields in registry.headers if "Range" in fields][-1]
    assert int(last[6:-1]) > BIG // 4


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_asked_again_a_few_times(overlay: Any, registry: Any, layers: list[bytes], status: int) -> None:
    registry.image(layers[:1], "1")
    registry.when("GET .*/blobs/", lambda request: request.reply(status, b"oops", Retry_After="0"))
    text = refused(overlay, f"{registry.host}/a")
    assert text.startswith(
        f"error pulling image configuration: download failed after attempts=5: received unexpected HTTP status: {status}"
    )


def test_retries_are_told(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    manifest = registry.document(layers[:1])
    registry.add_manifest(manifest, "1")
    registry.when(f"GET .*/blobs/{manifest['layers'][0]['digest']}", lambda request: request.reply(503))
    lines: list[dict[str, Any]] = []

    async def pull(manager: Any) -> None:
        async for line in manager.pull(f"{registry.host}/a", "1", "", Caller()):
            lines.append(line)

    with pytest.raises(EngineError, match="503 Service Unavailable"):
        overlay.run(pull)
    assert statuses(lines).count("Retrying in 1 second") == 4  # of five attempts
    assert registry.count(manifest["layers"][0]["digest"]) == 5


@pytest.mark.parametrize(
    ("status", "code", "message", "text"),
    [
        (403, "DENIED", "requested access to the resource is denied",
         "pull access denied for {}, repository does not exist or may require 'docker login': denied: requested access to the "
         "resource is denied"),
        (401, "UNAUTHORIZED", "authentication required", "unauthorized: authentication required"),
        (404, "NAME_UNKNOWN", "repository name not known to registry",
         "repository {} not found: name unknown: repository name not known to registry"),
        (404, "MANIFEST_UNKNOWN", "manifest unknown", "manifest for {}:1 not found: manifest unknown: manifest unknown"),
        (429, "TOOMANYREQUESTS", "You have reached your pull rate limit.",
         "toomanyrequests: You have reached your pull rate limit."),
    ],
)  # fmt: skip
def test_refusals_are_dockers(overlay: Any, registry: Any, status: int, code: str, message: str, text: str) -> None:
    registry.when("manifests", lambda request: request.error(status, code, message))
    name = f"{registry.host}/a"
    assert refused(overlay, name) == text.format(name)
    assert registry.count("GET .*manifests") == 1


# lies


def test_a_manifest_that_is_another(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    found = registry.image(layers, "1")
    registry.when("GET .*/manifests", lambda request: request.reply(200, b'{"config":{},"layers":[]}'))
    text = f"manifest verification failed for digest {found['digest']}"
    assert refused(overlay, f"{registry.host}/a") == text
    assert refused(overlay, f"{registry.host}/a", found["digest"]) == text


@pytest.mark.parametrize("change", ["flip", "short", "long", "endless"])
def test_a_layer_that_is_another(rig: Any, registry: Any, layers: list[bytes], change: str) -> None:
    manifest = registry.document(layers)
    registry.add_manifest(manifest, "1")
    wanted = manifest["layers"][0]["digest"]
    data = registry.blobs[wanted]

    def endless(request: Any) -> None:
        request.begin(200, Connection="close")
        while True:
            request.wfile.write(data)

    changed = {"flip": data[:-9] + b"x" + data[-8:], "short": data[:-5], "long": data + b"more"}
    rule = endless if change == "endless" else lambda request: request.reply(200, changed[change])
    registry.when(f"GET .*/blobs/{wanted}", rule)
    text = refused_but_for_downloads(rig, f"{registry.host}/a")
    assert wanted in text
    assert not [name for name in rig.state()["ingest"] if name.endswith(wanted[7:])] or change == "short"


def refused_but_for_downloads(rig: Any, name: str) -> str:
    """As `refused`, but what other layers have brought may be kept for another try."""
    before = rig.state()
    with pytest.raises(EngineError) as caught:
        rig.pull(name)
    assert {**rig.state(), "ingest": []} == {**before, "ingest": []}
    return caught.value.message


def test_a_config_that_is_another(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    manifest = registry.document(layers)
    registry.add_manifest(manifest, "1")
    wanted = manifest["config"]["digest"]
    registry.blobs[wanted] = registry.blobs[wanted][:-1] + b" "
    assert refused(overlay, f"{registry.host}/a") == (
        f"error pulling image configuration: image config verification failed for digest {wanted}"
    )


def test_layers_that_the_config_does_not_name(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    manifest = registry.document(layers)
    other = {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64, "sha256:" + "2" * 64]}, "os": "linux"}
    manifest["config"] |= registry.add(json.dumps(other).encode())
    registry.add_manifest(manifest, "1")
    text = refused_but_for_downloads(overlay, f"{registry.host}/a")
    assert text == "layers from manifest don't match image configuration"


def test_more_layers_than_the_config_names(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    manifest = registry.document(layers)
    manifest["layers"].append(manifest["layers"][1])
    registry.add_manifest(manifest, "1")
    assert "layers" in refused(overlay, f"{registry.host}/a")


MANIFESTS: dict[str, Any] = {
    "index and manifest": {"manifests": [], "config": {}, "layers": []},
    "unknown config": {"config": {"mediaType": "application/x", "digest": "sha256:" + "1" * 64, "size": 2}, "layers": []},
    "md5": {"config": {"digest": "md5:" + "1" * 32, "size": 2}, "layers": []},
    "path": {"config": {"digest": "sha256:../../../etc/passwd", "size": 2}, "layers": []},
    "upper case": {"config": {"digest": "sha256:" + "A" * 64, "size": 2}, "layers": []},
    "negative size": {"config": {"digest": "sha256:" + "1" * 64, "size": -2}, "layers": []},
    "large config": {"config": {"digest": "sha256:" + "1" * 64, "size": 1 << 30}, "layers": []},
    "size is a string": {"config": {"digest": "sha256:" + "1" * 64, "size": "2"}, "layers": []},
    "many layers": {
        "config": {"digest": "sha256:" + "1" * 64, "size": 2},
        "layers": [{"digest": "sha256:" + "1" * 64, "size": 2}] * 126,
    },
    "schema 1": {"schemaVersion": 1, "fsLayers": [], "history": []},
    "a list": [],
    "long type": {"mediaType": "x" * (1 << 20), "config": {"digest": "sha256:" + "1" * 64, "size": 2}},
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifests_that_are_none(overlay: Any, registry: Any, case: str) -> None:
    registry.add_manifest(MANIFESTS[case], "1", "application/json")
    assert len(refused(overlay, f"{registry.host}/a")) < 2000
    assert registry.count("blobs") == 0


def test_a_type_that_does_not_fit_the_document(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.add_manifest(registry.document(layers), "1", "application/vnd.oci.image.index.v1+json")
    assert "invalid index" in refused(overlay, f"{registry.host}/a")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"", b"{" + b" " * (5 << 20) + b"}"])
def test_manifests_that_are_no_json(overlay: Any, registry: Any, body: bytes) -> None:
    registry.add_manifest(body, "1")
    refused(overlay, f"{registry.host}/a")


def test_indexes_without_end(overlay: Any, registry: Any) -> None:
    kind, here = "application/vnd.oci.image.index.v1+json", {"os": "linux", "architecture": "amd64"}
    entry = registry.add_manifest({"manifests": []}, "", kind)
    for depth in range(20):
        document = {"manifests": [{**entry, "platform": here}], "annotations": {"depth": str(depth)}}
        entry = registry.add_manifest(document, "1", kind)
    assert refused(overlay, f"{registry.host}/a") == "indexes are nested more than 4 deep"
    assert len(registry.asked) < 10


def test_an_index_that_lies_about_sizes(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    entry = {**registry.image(layers), "platform": {"os": "linux", "architecture": "amd64"}, "size": 5}
    registry.add_manifest({"manifests": [entry]}, "1", "application/vnd.oci.image.index.v1+json")
    assert "expected 5" in refused(overlay, f"{registry.host}/a")


def test_tags_without_end(overlay: Any, registry: Any) -> None:
    registry.when("tags/list", lambda request: request.reply(200, b'{"tags":[]}', Link=f'<{request.path}>; rel="next"'))
    assert "never ends" in refused(overlay, f"{registry.host}/a", "")


# strangers


def test_redirects_are_followed_without_credentials(overlay: Any, registry: Any, layers: list[bytes], images: Any) -> None:
    registry.image(layers, "1")
    other = type(registry)()
    other.blobs = registry.blobs
    registry.when("GET .*/blobs/", lambda request: request.reply(307, Location=f"http://{other.host}{request.path}"))

    def basic(request: Any) -> None:
        if request.headers.get("Authorization"):
            return registry.honest(request)
        return request.reply(401, WWW_Authenticate='Basic realm="x"')

    registry.when("manifests", basic)
    overlay.pull(f"{registry.host}/a", caller=Caller(Credentials("u", "p")))
    overlay.consistent()
    assert other.count("blobs") == 3
    assert not [fields for fields in other.headers if "Authorization" in fields]
    other.close()


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("file:///etc/passwd", "unsupported protocol scheme"), ("gopher://x/", "unsupported protocol scheme"),
        (None, "stopped after 10 redirects"),
    ],
)  # fmt: skip
def test_redirects_nobody_should_follow(overlay: Any, registry: Any, layers: list[bytes], target: str | None, text: str) -> None:
    registry.image(layers, "1")
    registry.when("blobs", lambda request: request.reply(302, Location=target or request.path))
    assert text in refused(overlay, f"{registry.host}/a")


def test_a_token_server_elsewhere_sees_no_credentials(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")
    other = type(registry)()
    other.when("token", lambda request: request.reply(200, b'{"token":"t"}'))
    stranger = other.host.replace("127.0.0.1", "127.0.0.2")

    def challenge(request: Any) -> None:
        if request.headers.get("Authorization") == "Bearer t":
            return registry.honest(request)
        return request.reply(401, WWW_Authenticate=f'Bearer realm="http://{host}/token",service="s",scope="x"')

    registry.when("", challenge)
    host = other.host
    overlay.pull(f"{registry.host}/a", caller=Caller(Credentials("u", "p")))
    assert "Authorization" in other.headers[-1]
    assert "account=u" in other.asked[-1] and "scope=repository%3Aa%3Apull" in other.asked[-1]
    host = stranger
    with pytest.raises(EngineError, match="connection refused"):  # the server listens on 127.0.0.1 only
        overlay.pull(f"{registry.host}/b", caller=Caller(Credentials("u", "p")))
    other.close()


def test_a_token_server_on_another_site_is_trusted_by_name_only(overlay: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")
    other = type(registry)()
    other.when("token", lambda request: request.reply(200, b'{"token":"t"}' if knows(request) else b'{"token":"nobody"}'))
    server = other.host.replace("127.0.0.1", "localhost")

    def knows(request: Any) -> bool:
        return "Authorization" in request.headers

    def challenge(request: Any) -> None:
        if request.headers.get("Authorization") == "Bearer t":
            return registry.honest(request)
        if knows(request):
            return request.reply(403, b'{"errors":[{"code":"DENIED","message":"no"}]}', Content_Type="application/json")
        return request.reply(401, WWW_Authenticate=f'Bearer realm="http://{server}/token",service="s"')

    registry.when("", challenge)
    me = Credentials("u", "p", server=registry.host)
    advice = f'"token-servers": ["{registry.host}={server}"]'
    with pytest.raises(EngineError) as pulled:
        overlay.pull(f"{registry.host}/a", caller=Caller(me))
    assert advice in pulled.value.message and "pull access denied" in pulled.value.message
    with pytest.raises(EngineError) as entered:
        overlay.run(lambda manager: manager.login(me, ""))
    assert advice in entered.value.message
    overlay.settings = replace(overlay.settings, token_servers=((registry.host, server),))
    assert overlay.run(lambda manager: manager.login(me, ""))["Status"] == "Login Succeeded"
    overlay.pull(f"{registry.host}/a", caller=Caller(me))
    other.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"{}", "authorization server did not include a token in the response"), (b"<html>", "unable to decode token response"),
        (b'{"token":"' + b"t" * (1 << 20) + b'"}', "an answer of more than"), (b'{"token":"a\\nb"}', "unable to decode"),
    ],
)  # fmt: skip
def test_token_servers_that_give_none(overlay: Any, registry: Any, answer: bytes, text: str) -> None:
    registry.when("token", lambda request: request.reply(200, answer))
    realm = f'Bearer realm="http://{registry.host}/token"'
    registry.when("manifests", lambda request: request.reply(401, WWW_Authenticate=realm))
    assert text in refused(overlay, f"{registry.host}/a")


# several at once, and going away


def test_pulls_of_one_image_share_the_work(rig: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")

    async def many(manager: Any) -> None:
        async def one(number: int) -> None:
            lines = [line async for line in manager.pull(f"{registry.host}/a", "1", "", Caller())]
            assert "Status: " in lines[-1]["status"]

        await asyncio.gather(*map(one, range(20)))

    rig.run(many)
    assert registry.count("GET .*/blobs/" + json.loads(registry.manifests["1"][0])["layers"][0]["digest"]) == 1
    rig.consistent()


def test_a_client_that_goes_away_ends_its_pull(rig: Any, registry: Any, layers: list[bytes]) -> None:
    registry.image(layers, "1")

    def slow(request: Any) -> None:
        data = registry.blobs[request.path.rpartition("/")[2]]
        if len(data) < BIG:
            return registry.honest(request)
        request.begin(200, len(data))
        for at in range(0, len(data), 10_000):
            request.wfile.write(data[at : at + 10_000])
            time.sleep(0.02)
        return None

    registry.when("GET .*/blobs/", slow)

    async def leave(manager: Any) -> None:
        lines = manager.pull(f"{registry.host}/a", "1", "", Caller())
        async for line in lines:
            if line["status"] == "Downloading":
                break
        await lines.aclose()

    began = time.monotonic()
    rig.run(leave)
    assert time.monotonic() - began < 3
    state = rig.state()
    assert state["image"] == state["layer"] == state["blob"] == [] and state["ingest"]
    registry.rules.clear()
    rig.pull(f"{registry.host}/a")
    rig.consistent()


# the whole index


def test_all_platforms_are_kept_and_pushed_as_they_came(rig: Any, registry: Any, layers: list[bytes]) -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    own = {**registry.image(layers), "platform": {"os": "linux", "architecture": "amd64"}}
    other = {**registry.image(layers[1:], architecture="arm64"), "platform": {"os": "linux", "architecture": "arm64"}}
    statement = registry.add(b'{"_type":"https://in-toto.io/Statement/v0.1"}')
    attestation = registry.add_manifest({
        "schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **registry.add(b"{}")},
        "layers": [{"mediaType": "application/vnd.in-toto+json", **statement}],
    })  # fmt: skip
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": own["digest"]}
    third = {**attestation, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": about}
    index = registry.add_manifest({"schemaVersion": 2, "manifests": [own, other, third]}, "1", kind)
    rig.pull(f"{registry.host}/a", everything=True)
    rig.consistent()
    assert {row[0] for row in rig.query("SELECT digest FROM blob")} >= {*registry.blobs, index["digest"], other["digest"]}
    target = type(registry)()

    async def tag(manager: Any) -> None:
        await manager.tag(f"{registry.host}/a:1", f"{target.host}/b", "1")

    rig.run(tag)
    assert rig.push(f"{target.host}/b")[-1]["aux"]["Digest"] == index["digest"]
    assert target.manifests["1"] == registry.manifests["1"] and target.blobs == registry.blobs

    async def remove(manager: Any) -> None:
        for name in (f"{registry.host}/a:1", f"{target.host}/b:1"):
            await manager.delete(name, False, False)

    rig.run(remove)
    state = rig.state()
    assert state["blob"] == state["blobs"] == state["layer"] == []
    target.close()
