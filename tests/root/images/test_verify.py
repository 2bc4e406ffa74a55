"""Signatures: the policy at a pull, and `image verify` of what is here."""

import base64
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError
from dockwright.images.manager import ImageManager
from dockwright.images.registry.client import Caller


@pytest.fixture
def signing() -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("test_signing", Path(__file__).parents[2] / "signing.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Place:
    """A signed image at a registry, and an engine with a policy."""

    def __init__(self, rig: Any, registry: Any, signing: Any, folder: Path, images: Any) -> None:
        self.rig, self.registry, self.signing, self.folder = rig, registry, signing, folder
        self.image = registry.image([images.tar([("a", tarfile.REGTYPE, b"a" * 1000, 0o644)])], "1")
        self.name = f"{registry.host}/team/app"
        self.key, self.other = signing.key(), signing.key()
        self.rig.policy = str(folder / "policy.json")
        self.write([])

    def write(self, requirements: list[dict[str, Any]], scope: str = "") -> None:
        scopes = {scope or f"{self.registry.host}/team": requirements} if requirements else {}
        document = {"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": scopes}}
        Path(self.rig.policy).write_text(json.dumps(document))

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def cosigned(self, key: Any = None, **more: Any) -> None:
        identity = f"{self.registry.host}/team/app"
        self.signing.cosign(self.registry, self.image["digest"], identity, key or self.key, **more)

    def wants_key(self, **more: Any) -> None:
        path = self.file("key.pub", self.signing.public(self.key))
        identity = {"signedIdentity": {"type": "matchRepository"}}
        self.write([{"type": "sigstoreSigned", "keyPath": path, **identity, **more}])

    def refused(self) -> str:
        before = self.rig.state()
        with pytest.raises(EngineError) as caught:
            self.rig.pull(self.name)
        assert self.rig.state() == before
        return caught.value.message

    def verify(self, *keys: str, offline: bool = False) -> dict[str, Any]:
        async def verified(manager: ImageManager) -> dict[str, Any]:
            return await manager.verify(f"{self.name}:1", keys, Caller(), offline)

        found: dict[str, Any] = self.rig.run(verified)
        return found


@pytest.fixture
def place(overlay: Any, registry: Any, signing: Any, tmp_path: Path, images: Any) -> Place:
    return Place(overlay, registry, signing, tmp_path, images)


def test_what_is_signed_comes_with_its_signatures(place: Place) -> None:
    place.cosigned()
    place.wants_key()
    place.rig.pull(place.name)
    place.rig.consistent()
    place.registry.close()
    found = place.verify(offline=True)
    assert found["Verified"] and [each["Valid"] for each in found["Signatures"]] == [True]
    assert found["Signatures"][0]["Identity"] == place.name and found["Signatures"][0]["Annotations"] == {"by": "tests"}


def test_signatures_go_with_their_image(place: Place) -> None:
    place.cosigned()
    place.wants_key()
    place.rig.pull(place.name)

    async def removed(manager: ImageManager) -> None:
        await manager.delete(f"{place.name}:1", False, False)

    place.rig.run(removed)
    place.rig.consistent()
    assert place.rig.state()["blobs"] == []


def test_what_is_not_signed_is_refused(place: Place) -> None:
    place.wants_key()
    assert place.refused() == "Source image rejected: A signature was required, but no signature exists"


def test_what_somebody_else_has_signed_is_refused(place: Place) -> None:
    place.cosigned(place.other)
    place.wants_key()
    assert place.refused() == "Source image rejected: cryptographic signature verification failed"


def test_a_signature_of_another_image_is_refused(place: Place) -> None:
    other = "sha256:" + "e" * 64
    place.cosigned(claim=place.signing.cosign_claim(other, place.name))
    place.wants_key()
    assert place.refused() == f"Source image rejected: the signature is about another image, {other}"


def test_a_signature_for_another_name_is_refused(place: Place) -> None:
    place.cosigned(claim=place.signing.cosign_claim(place.image["digest"], "example.com/evil/app"))
    place.wants_key()
    assert place.refused() == 'Source image rejected: Signature for identity "example.com/evil/app" is not accepted'


def test_a_claim_changed_after_it_was_signed_is_refused(place: Place) -> None:
    place.cosigned()
    place.wants_key()
    for digest, data in list(place.registry.blobs.items()):
        if b"docker-manifest-digest" in data:
            place.registry.blobs[digest] = data.replace(b"tests", b"tests!")[: len(data)]
    assert "signature verification failed for digest" in place.refused()


def test_rejected_repositories(place: Place) -> None:
    place.write([{"type": "reject"}])
    assert "is rejected by policy" in place.refused()


def test_an_image_of_a_signed_index(place: Place) -> None:
    signing, registry = place.signing, place.registry
    platform = {"platform": {"os": "linux", "architecture": "amd64"}}
    document = {"schemaVersion": 2, "mediaType": signing.INDEX, "manifests": [{**place.image, **platform}]}
    place.image = registry.add_manifest(document, "1", signing.INDEX)
    place.cosigned()
    place.wants_key()
    place.rig.pull(place.name)
    place.rig.consistent()


@pytest.mark.parametrize("kind", ["jws", "cose"])
def test_the_notary_projects(place: Place, kind: str) -> None:
    signing = place.signing
    root_key = signing.key()
    root = signing.certificate(root_key, "root", authority=True)
    leaf = signing.certificate(place.key, "signer", root, root_key)
    envelope = getattr(signing, kind)(place.image["digest"], place.key, [leaf, root])
    signing.notation(place.registry, place.image, envelope, f"application/{'jose+json' if kind == 'jws' else 'cose'}")
    place.write([{"type": "notationSigned", "certPath": place.file("root.pem", signing.pem(root))}])
    place.rig.pull(place.name)
    found = place.verify(offline=True)
    assert found["Verified"] and found["Signatures"][0]["Signer"] == "CN=root"


def jws_refused(place: Place, change: Callable[[Any, Any, Any], bytes], trusted: Any = None) -> str:
    """How an envelope of a signer, whom `root` has certified, is refused."""
    signing, root_key = place.signing, place.signing.key()
    root = signing.certificate(root_key, "root", authority=True)
    signing.notation(place.registry, place.image, change(signing, root, root_key))
    place.write([{"type": "notationSigned", "certPath": place.file("root.pem", signing.pem(trusted or root))}])
    return place.refused().removeprefix("Source image rejected: ")


def test_envelopes_that_do_not_hold(place: Place) -> None:
    digest, key = place.image["digest"], place.key

    def expired(signing: Any, root: Any, root_key: Any) -> bytes:
        old = signing.certificate(key, "old", root, root_key, days=-1)
        return signing.jws(digest, key, [old, root])

    def for_servers(signing: Any, root: Any, root_key: Any) -> bytes:
        return signing.jws(digest, key, [signing.certificate(key, "web", root, root_key, code=False), root])

    def of_a_stranger(signing: Any, root: Any, root_key: Any) -> bytes:
        own = signing.certificate(key, "stranger")
        return signing.jws(digest, key, [own, root])

    def by_another_key(signing: Any, root: Any, root_key: Any) -> bytes:
        return signing.jws(digest, place.other, [signing.certificate(key, "signer", root, root_key), root])

    def demanding(signing: Any, root: Any, root_key: Any) -> bytes:
        leaf = signing.certificate(key, "signer", root, root_key)
        return signing.jws(digest, key, [leaf, root], crit=["io.cncf.notary.signingScheme", "something.else"])

    def too_late(signing: Any, root: Any, root_key: Any) -> bytes:
        leaf = signing.certificate(key, "signer", root, root_key)
        return signing.jws(digest, key, [leaf, root], **{"io.cncf.notary.expiry": "2001-01-01T00:00:00Z"})

    assert "the certificate of CN=old is not valid at" in jws_refused(place, expired)
    assert jws_refused(place, for_servers) == "the certificate is not for signing code"
    assert jws_refused(place, of_a_stranger) == "nobody trusted answers for the certificate of CN=stranger"
    assert jws_refused(place, by_another_key) == "cryptographic signature verification failed"
    assert "demands what is not known here" in jws_refused(place, demanding)
    assert "the signature has expired" in jws_refused(place, too_late)
    assert "the envelope is broken" in jws_refused(place, lambda *_: b"{")


def test_verify_brings_signatures_later_and_keeps_them(place: Place) -> None:
    place.rig.pull(place.name)
    place.cosigned()
    own, other = place.signing.public(place.key), place.signing.public(place.other)
    assert place.verify(own, offline=True)["Reason"] == "no signature exists"
    assert place.verify(own)["Verified"]
    place.rig.consistent()
    place.registry.close()
    assert place.verify(own, offline=True)["Verified"]
    found = place.verify(own, other, offline=True)
    assert not found["Verified"] and found["Reason"].startswith("no signature is made by")


def test_without_a_key_there_is_nothing_to_verify_with(place: Place) -> None:
    place.rig.pull(place.name)
    with pytest.raises(EngineError, match=r"no key is given, and the policy names none"):
        place.verify()
    with pytest.raises(EngineError, match="key is no public key or certificate"):
        place.verify("nonsense")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "Expecting property name"),
        ("{}", "not in the format"),
        ('{"default": []}', "at least one requirement"),
        ('{"default": [{"type": "signedBy"}]}', 'requirements of type "signedBy" are not supported'),
        ('{"default": [{"type": "reject", "but": 1}]}', "unknown keys: but"),
        ('{"default": [{"type": "sigstoreSigned"}]}', "needs public keys"),
        ('{"default": [{"type": "sigstoreSigned", "keyPath": "/nowhere"}]}', "/nowhere: no such file or directory"),
    ],
)
def test_a_broken_policy_lets_nothing_pass(place: Place, document: str, text: str) -> None:
    Path(place.rig.policy).write_text(document)
    assert text in place.refused()


def test_the_tests_own_signatures_are_real_ones(place: Place, tmp_path: Path) -> None:
    """What openssl says of them."""
    place.cosigned()
    document = json.loads(place.registry.manifests[place.image["digest"].replace(":", "-") + ".sig"][0])
    (layer,) = document["layers"]
    (tmp_path / "claim").write_bytes(place.registry.blobs[layer["digest"]])
    (tmp_path / "value").write_bytes(base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
    key = place.file("key.pub", place.signing.public(place.key))
    command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", f"{tmp_path}/value", f"{tmp_path}/claim"]
    assert subprocess.run(command, capture_output=True, check=False).stdout == b"Verified OK\n"


def test_skopeo_refuses_in_the_same_words(place: Place, tmp_path: Path) -> None:
    place.wants_key()
    (tmp_path / "d").mkdir()
    command = ["skopeo", "--policy", place.rig.policy, "--registries.d", f"{tmp_path}/d", "copy", "--src-tls-verify=false"]
    copied = subprocess.run(
        [*command, f"docker://{place.name}:1", f"dir:{tmp_path}/out"], capture_output=True, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert place.refused() in copied.stderr.decode()
