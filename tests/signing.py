"""Signatures for tests, made as cosign and notation make them: keys, certificates, claims, envelopes, manifests."""

import base64
import datetime
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLAIM = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTARY = "application/vnd.cncf.notary.signature"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(private: ec.EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def cosign_claim(digest: str, name: str) -> bytes:
    identity, image = {"docker-reference": name}, {"docker-manifest-digest": digest}
    critical = {"identity": identity, "image": image, "type": "cosign container image signature"}
    return json.dumps({"critical": critical, "optional": {"by": "tests"}}).encode()


def cosign(registry: Any, digest: str, name: str, private: ec.EllipticCurvePrivateKey, claim: bytes = b"") -> str:
    """Put a signature beside an image of tests/hostile.py's registry; the tag it is under."""
    payload = claim or cosign_claim(digest, name)
    value = base64.b64encode(private.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    annotations = {"dev.cosignproject.cosign/signature": value}
    layer = {"mediaType": CLAIM, **registry.add(payload), "annotations": annotations}
    config = {"mediaType": CONFIG, **registry.add(b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers"}}')}
    tag = digest.replace(":", "-") + ".sig"
    registry.add_manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}, tag)
    return tag


def certificate(
    private: Any, name: str, issuer: Any = None, issuer_key: Any = None, authority: bool = False, days: int = 1, code: bool = True
) -> x509.Certificate:
    """A certificate, by itself or by `issuer`; from yesterday on for `days` days."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=1 + days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **usage), critical=True)
    )
    if not authority:
        wanted = ExtendedKeyUsageOID.CODE_SIGNING if code else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([wanted]), critical=False)
    return builder.sign(issuer_key or private, hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def raw(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def target(digest: str) -> bytes:
    return json.dumps({"targetArtifact": {"mediaType": MANIFEST, "digest": digest, "size": 1}}).encode()


def jws(digest: str, private: Any, chain: list[x509.Certificate], **header: Any) -> bytes:
    """notation's envelope in JSON."""
    protected = {
        "alg": "ES256", "cty": "application/vnd.cncf.notary.payload.v1+json", "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": datetime.datetime.now(datetime.UTC).isoformat(), **header,
    }  # fmt: skip
    head, body = url64(json.dumps(protected).encode()), url64(target(digest))
    signature = raw(private.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
    x5c = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    return json.dumps({"payload": body, "protected": head, "header": {"x5c": x5c}, "signature": url64(signature)}).encode()


def cose(digest: str, private: Any, chain: list[x509.Certificate]) -> bytes:
    """notation's envelope in CBOR."""
    import cbor2

    protected = cbor2.dumps({
        1: -7, 2: ["io.cncf.notary.signingScheme"], 3: "application/vnd.cncf.notary.payload.v1+json",
        "io.cncf.notary.signingScheme": "notary.x509", "io.cncf.notary.signingTime": datetime.datetime.now(datetime.UTC),
    })  # fmt: skip
    payload = target(digest)
    signature = raw(private.sign(cbor2.dumps(["Signature1", protected, b"", payload]), ec.ECDSA(hashes.SHA256())))
    ders = [one.public_bytes(Encoding.DER) for one in chain]
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {33: ders}, payload, signature]))


def notation(registry: Any, subject: dict[str, Any], envelope: bytes, kind: str = "application/jose+json") -> None:
    """Put an envelope beside an image, listed under the tag of its referrers."""
    config = {"mediaType": NOTARY, **registry.add(b"{}")}
    layer = {"mediaType": kind, **registry.add(envelope)}
    own = {"mediaType": subject["mediaType"], "digest": subject["digest"], "size": subject["size"]}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "subject": own}
    descriptor = {**registry.add_manifest(document), "artifactType": NOTARY}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}
    registry.add_manifest(index, subject["digest"].replace(":", "-"), INDEX)
