"""Run by `scripts/conformance registry`: each kind of content is pulled from each of three registries (plain, TLS and a password,
bearer tokens), pushed to another repository, and comes back by its digest; what is at the registry then is what was there
before, byte for byte. What is no image is refused. Everything is asked of the daemon by our own command line."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

import images  # noqa: E402
import registries  # noqa: E402

DOCKWRIGHT = str(TESTS.parent / ".venv/bin/dockwright")
OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
LAYERS = [images.tar([(name, tarfile.REGTYPE, name.encode() * 300, 0o644)]) for name in ("a", "b", "c")]
Descriptor = dict[str, Any]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Source:
    """A repository that is filled by plain requests."""

    def __init__(self, registry: str, name: str) -> None:
        self.url = f"http://{registry}/v2/{name}"

    def asked(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> Any:
        url = path if "://" in path else self.url + path
        accept = ",".join((INDEX, MANIFEST, LIST, SCHEMA2))
        request = urllib.request.Request(url, body, {"Content-Type": kind, "Accept": accept}, method=method)
        return urllib.request.urlopen(request, timeout=20)

    def blob(self, data: bytes, kind: str, **more: Any) -> Descriptor:
        with self.asked("POST", "/blobs/uploads/", b"") as answer:
            place = answer.headers["Location"]
        self.asked("PUT", f"{place}&digest={digest(data)}", data).close()
        return {"mediaType": kind, "digest": digest(data), "size": len(data), **more}

    def document(self, kind: str, fields: dict[str, Any], tag: str = "", **more: Any) -> Descriptor:
        data = json.dumps({"schemaVersion": 2, "mediaType": kind, **fields}).encode()
        self.asked("PUT", f"/manifests/{tag or digest(data)}", data, kind).close()
        return {"mediaType": kind, "digest": digest(data), "size": len(data), **more}

    def manifest(self, tag: str) -> bytes:
        with self.asked("GET", f"/manifests/{tag}") as answer:
            return bytes(answer.read())


MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
SCHEMA2, LIST = f"{DOCKER}.distribution.manifest.v2+json", f"{DOCKER}.distribution.manifest.list.v2+json"


def plain(data: bytes) -> bytes:
    return data


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


PACKED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, f"{OCI}.layer.v1.tar+gzip"), "zstd": (zstd, f"{OCI}.layer.v1.tar+zstd"),
    "uncompressed": (plain, f"{OCI}.layer.v1.tar"), "docker": (gzip.compress, f"{DOCKER}.image.rootfs.diff.tar.gzip"),
}  # fmt: skip


def image(
    source: Source, packing: str = "gzip", layers: list[bytes] = LAYERS, tag: str = "", architecture: str = "amd64"
) -> Descriptor:
    pack, kind = PACKED[packing]
    config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["a"]}, "created": "2024-01-01T00:00:00Z"}
    config["rootfs"] = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    config_type = f"{DOCKER}.container.image.v1+json" if packing == "docker" else f"{OCI}.config.v1+json"
    own = source.blob(json.dumps(config).encode(), config_type)
    fields = {"config": own, "layers": [source.blob(pack(layer), kind) for layer in layers]}
    platform = {"os": "linux", "architecture": architecture}
    return source.document(SCHEMA2 if packing == "docker" else MANIFEST, fields, tag, platform=platform)


def same_layer(source: Source, tag: str) -> None:
    image(source, layers=[LAYERS[0]] * 3, tag=tag)


def index(source: Source, tag: str) -> None:
    own, other = image(source), image(source, "zstd", LAYERS[1:], architecture="s390x")
    statement = source.blob(b'{"predicateType":"https://spdx.dev/Document"}', "application/vnd.in-toto+json")
    fields = {"config": source.blob(b"{}", f"{OCI}.config.v1+json"), "layers": [statement]}
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": own["digest"]}
    unknown = {"os": "unknown", "architecture": "unknown"}
    proof = source.document(MANIFEST, fields, platform=unknown, annotations=about)
    source.document(INDEX, {"manifests": [own, other, proof]}, tag)


def manifest_list(source: Source, tag: str) -> None:
    other = image(source, "docker", LAYERS[:1], architecture="arm64")
    source.document(LIST, {"manifests": [image(source, "docker"), other]}, tag)


def nested(source: Source, tag: str) -> None:
    source.document(INDEX, {"manifests": [source.document(INDEX, {"manifests": [image(source)]})]}, tag)


KINDS: dict[str, Callable[[Source, str], Any]] = {
    "schema 2": lambda source, tag: image(source, "docker", tag=tag), "schema 2 list": manifest_list,
    "OCI gzip": lambda source, tag: image(source, tag=tag), "OCI zstd": lambda source, tag: image(source, "zstd", tag=tag),
    "OCI uncompressed": lambda source, tag: image(source, "uncompressed", tag=tag),
    "OCI index with attestation": index, "nested index": nested,
    "no layers": lambda source, tag: image(source, layers=[], tag=tag), "one layer three times": same_layer,
}  # fmt: skip


@pytest.fixture(scope="session")
def here() -> Iterator[registries.Registries]:
    """The registries, with us logged in to those that want it."""
    made = registries.Registries()
    for name in (made.tls, made.bearer):
        command = [DOCKWRIGHT, "login", "-u", registries.USER, "--password-stdin", name]
        subprocess.run(command, input=registries.PASSWORD.encode(), check=True, capture_output=True)
    yield made
    made.close()
    shutil.rmtree(Path(os.environ["HOME"], ".docker"), ignore_errors=True)


def done(*words: str) -> str:
    found = subprocess.run([DOCKWRIGHT, *words], capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"{words}: {found.stderr}"
    return found.stdout


@pytest.mark.parametrize("registry", ["plain", "tls", "bearer"])
@pytest.mark.parametrize("kind", KINDS)
def test_goes_through(here: registries.Registries, kind: str, registry: str) -> None:
    host, name = getattr(here, registry), f"{registry}/{kind.replace(' ', '-').lower()}"
    source, target = Source(here.plain, f"from/{name}"), Source(here.plain, f"to/{name}")
    KINDS[kind](source, "1")
    made = source.manifest("1")
    pulled = done("pull", "--all-platforms", f"{host}/from/{name}:1")
    assert f"Digest: {digest(made)}" in pulled
    done("tag", f"{host}/from/{name}:1", f"{host}/to/{name}:1")
    assert digest(made) in done("push", f"{host}/to/{name}:1")
    assert target.manifest("1") == made
    below(target, made)
    done("rmi", f"{host}/from/{name}:1", f"{host}/to/{name}:1")
    by_digest = f"{host}/to/{name}@{digest(made)}"
    done("pull", by_digest)
    done("rmi", by_digest)


def below(target: Source, document: bytes) -> None:
    """Everything a document describes is in the repository, and is what its digest says."""
    parsed = json.loads(document)
    for entry in parsed.get("manifests", ()):
        data = target.manifest(entry["digest"])
        assert digest(data) == entry["digest"]
        below(target, data)
    for blob in [parsed["config"], *parsed["layers"]] if "config" in parsed else ():
        with target.asked("GET", f"/blobs/{blob['digest']}") as answer:
            assert digest(answer.read()) == blob["digest"]


@pytest.mark.parametrize("registry", ["plain", "tls", "bearer"])
def test_an_artifact_is_refused(here: registries.Registries, registry: str) -> None:
    source = Source(here.plain, f"from/{registry}/artifact")
    fields = {"config": source.blob(b"{}", "application/vnd.example.config+json"), "layers": [source.blob(b"x", "text/plain")]}
    source.document(MANIFEST, fields, "1")
    name = f"{getattr(here, registry)}/from/{registry}/artifact:1"
    found = subprocess.run([DOCKWRIGHT, "pull", name], capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "unsupported media type application/vnd.example.config+json" in found.stderr


@pytest.mark.parametrize("registry", ["plain", "tls", "bearer"])
def test_what_is_not_there(here: registries.Registries, registry: str) -> None:
    name = f"{getattr(here, registry)}/from/nowhere:1"
    found = subprocess.run([DOCKWRIGHT, "pull", name], capture_output=True, text=True, check=False)
    assert found.returncode == 1 and f"manifest for {name} not found: manifest unknown" in found.stderr


@pytest.mark.parametrize("registry", ["tls", "bearer"])
def test_nobody_pushes_without_a_password(here: registries.Registries, registry: str, tmp_path: Path) -> None:
    source, host = Source(here.plain, f"from/{registry}/guarded"), getattr(here, registry)
    image(source, tag="1")
    name = f"{host}/from/{registry}/guarded:1"
    done("pull", name)
    done("tag", name, f"{host}/to/{registry}/guarded:1")
    nobody = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    push = [DOCKWRIGHT, "push", f"{host}/to/{registry}/guarded:1"]
    assert subprocess.run(push, capture_output=True, env=nobody, check=False).returncode == 1
    with pytest.raises(urllib.error.HTTPError, match="404"):
        Source(here.plain, f"to/{registry}/guarded").manifest("1")
    done("rmi", name, f"{host}/to/{registry}/guarded:1")
