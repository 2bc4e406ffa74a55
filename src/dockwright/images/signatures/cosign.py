"""cosign's signatures: a small JSON claim, signed with a key, as a layer of a manifest tagged `sha256-<hex>.sig`.

Sources: sigstore/cosign, specs/SIGNATURE_SPEC.md; containers-signature(5) for the claim, "simple signing".
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from dockwright.images.signatures import keys
from dockwright.images.signatures.keys import Trust, Unverified
from dockwright.images.signatures.signature import COSIGN, Claim, Signature

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
TYPE = "cosign container image signature"
LARGEST_PAYLOAD = 1 << 20


class _Image(msgspec.Struct, rename="kebab"):
    docker_manifest_digest: str


class _Identity(msgspec.Struct, rename="kebab"):
    docker_reference: str = ""


class _Critical(msgspec.Struct):
    type: str
    image: _Image
    identity: _Identity


class _Payload(msgspec.Struct):
    critical: _Critical
    optional: dict[str, Any] | None = None


def tag(digest: str) -> str:
    """The tag under which the signatures of the manifest `digest` are found in its repository."""
    return digest.replace(":", "-", 1) + ".sig"


def verified(signature: Signature, trusted: Sequence[Trust]) -> Claim:
    """What `signature` says, if it is made with one of the keys.

    Raises:
        Unverified: it is not, or it is broken.
    """
    assert signature.kind == COSIGN
    try:
        value = base64.b64decode(signature.value, validate=True)
    except binascii.Error:
        raise Unverified("the signature is not base64") from None
    reason = "no key was given"
    for trust in trusted:
        if trust.key is None:
            continue
        try:
            keys.check(trust.key, value, signature.payload)
        except Unverified as error:
            reason = str(error)
        else:
            return _claim(signature.payload, trust.name)
    raise Unverified(reason)


def _claim(payload: bytes, signer: str) -> Claim:
    """The claim in a payload whose signature holds."""
    try:
        read = msgspec.json.decode(payload, type=_Payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Unverified(f"the signed claim is broken: {error}") from None
    if read.critical.type not in (TYPE, "atomic container signature"):
        raise Unverified(f'the signed claim is of another type, "{read.critical.type}"')
    identity = read.critical.identity.docker_reference
    return Claim(read.critical.image.docker_manifest_digest, identity, signer, read.optional or {})
