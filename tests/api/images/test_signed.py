"""A policy that wants signatures, as users of both clients meet it, with a real registry."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
DOCKWRIGHT = str(TESTS.parent / ".venv/bin/dockwright")


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"test_{name}", TESTS / f"{name}.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class Remote:
    """A repository of a real registry that takes blobs and manifests, by curl, as tests/signing.py brings them."""

    def __init__(self, inside: list[str], url: str) -> None:
        self._inside, self._url = inside, url

    def _curl(self, *arguments: str, data: bytes = b"") -> str:
        command = [*self._inside, "curl", "-sS", "-f", "-D", "-", *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()

    def add(self, data: bytes) -> dict[str, Any]:
        answer = self._curl("-X", "POST", f"{self._url}/blobs/uploads/", "-H", "Content-Length: 0")
        location = next(line.split()[1] for line in answer.splitlines() if line.lower().startswith("location:"))
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        plain = "Content-Type: application/octet-stream"  # as a form it would be read by somebody else
        self._curl("-X", "PUT", f"{location}&digest={digest}", "-H", plain, "--data-binary", "@-", data=data)
        return {"digest": digest, "size": len(data)}

    def add_manifest(self, document: Any, tag: str) -> None:
        kind = f"Content-Type: {document['mediaType']}"
        data = json.dumps(document).encode()
        self._curl("-X", "PUT", f"{self._url}/manifests/{tag}", "-H", kind, "--data-binary", "@-", data=data)


@pytest.fixture
def place(daemon: Any, images: Any, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Any, Path]]:
    """A daemon with a policy, a registry with an image beside it, and the folder of the policy."""
    for program in ("docker-registry", "skopeo", "openssl", "curl"):
        if not shutil.which(program):
            (pytest.fail if request.config.getoption("--require-peers") else pytest.skip)(f"needs {program}")
    made = type(daemon)("--image-policy", str(tmp_path / "policy.json"))
    made.start()
    registry = module("registries").Registries(made.inside)
    archive = tmp_path / "a.tar"
    archive.write_bytes(images.docker_archive([images.busybox_layer()], ["app:1"]))
    registry.put(f"docker-archive:{archive}", "team/app:1", "--format", "oci")
    try:
        yield made, registry, tmp_path
    finally:
        registry.close()
        made.close()


def test_only_what_is_signed_is_pulled(place: tuple[Any, Any, Path]) -> None:
    daemon, registry, folder = place
    signing, name = module("signing"), f"{registry.plain}/team/app"
    key, stranger = signing.key(), signing.key()
    (folder / "key.pub").write_text(signing.public(key))
    (folder / "stranger.pub").write_text(signing.public(stranger))
    needed = {"type": "sigstoreSigned", "keyPath": f"{folder}/key.pub", "signedIdentity": {"type": "matchRepository"}}
    scopes = {"transports": {"docker": {registry.plain: [needed]}}, "default": [{"type": "insecureAcceptAnything"}]}
    (folder / "policy.json").write_text(json.dumps(scopes))

    refused = daemon.docker("pull", f"{name}:1")
    assert refused.returncode == 1
    text = "Source image rejected: A signature was required, but no signature exists"
    assert refused.stderr.decode() == f"Error response from daemon: {text}\n"
    assert daemon.docker("run", "--rm", "--network", "none", f"{name}:1", "true").returncode == 125

    inspected = [*daemon.inside, "skopeo", "inspect", "--tls-verify=false", f"docker://{name}:1"]
    digest = json.loads(subprocess.run(inspected, capture_output=True, check=True).stdout)["Digest"]
    signing.cosign(Remote(daemon.inside, f"http://{registry.plain}/v2/team/app"), digest, name, key)
    assert daemon.docker("run", "--rm", "--network", "none", f"{name}:1", "echo", "in").stdout == b"in\n"

    def verify(*options: str) -> Any:
        command = [DOCKWRIGHT, "-H", daemon.host, "image", "verify", *options, f"{name}:1"]
        return subprocess.run(command, capture_output=True, check=False)

    good = verify("--offline")
    assert good.returncode == 0 and good.stderr == b""
    said = f"cosign: signed by {folder}/key.pub as {name} by=tests\n{name}:1 is verified: {digest}\n"
    assert good.stdout.decode() == said
    bad = verify("--key", f"{folder}/stranger.pub")
    assert bad.returncode == 1
    assert bad.stdout == b"cosign: invalid: cryptographic signature verification failed\n"
    assert f"{name}:1 is not verified: no signature is made by".encode() in bad.stderr
    assert verify("--key", "/nowhere").stderr == b"/nowhere: No such file or directory\n"
