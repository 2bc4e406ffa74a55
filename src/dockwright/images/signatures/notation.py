"""The Notary Project's signatures: an envelope (JWS or COSE) over the descriptor of what is signed, with a chain of certificates.

Sources: notaryproject/specifications: signature-specification.md, signature-envelope-jws.md, signature-envelope-cose.md;
RFC 7515 (JWS), RFC 9052 (COSE).
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from dockwright.images.signatures import keys
from dockwright.images.signatures.keys import Trust, Unverified
from dockwright.images.signatures.signature import NOTATION, Claim, Signature

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ARTIFACT = "application/vnd.cncf.notary.signature"
JWS, COSE = "application/jose+json", "application/cose"
PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
LARGEST_ENVELOPE = 4 << 20
_SCHEME, _TIME, _EXPIRY = (f"io.cncf.notary.{name}" for name in ("signingScheme", "signingTime", "expiry"))
_AUTHENTIC_TIME = "io.cncf.notary.authenticSigningTime"
_PLAIN, _AUTHORITY = "notary.x509", "notary.x509.signingAuthority"
_UNDERSTOOD = {_SCHEME, _EXPIRY, _AUTHENTIC_TIME, 1, 2, 3}
_JWS_ALGORITHMS = {
    "PS256": "SHA256", "PS384": "SHA384", "PS512": "SHA512", "ES256": "SHA256", "ES384": "SHA384", "ES512": "SHA512",
}  # fmt: skip
_COSE_ALGORITHMS = {-37: "PS256", -38: "PS384", -39: "PS512", -7: "ES256", -35: "ES384", -36: "ES512"}
_ALGORITHM, _CRITICAL, _CONTENT_TYPE, _CHAIN = 1, 2, 3, 33  # COSE header parameters (RFC 9052, 3.1; RFC 9360)


@dataclass(frozen=True)
class _Envelope:
    """An envelope taken apart.

    Attributes:
        header: what is signed beside the payload. critical: what of it must be understood. signed: the bytes under the signature.
        chain: certificates, DER, the signer's first.
    """

    algorithm: str
    content_type: str
    header: dict[Any, Any]
    critical: list[Any]
    payload: bytes
    signed: bytes
    signature: bytes
    chain: list[bytes]


class _Target(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str = ""
    annotations: dict[str, str] | None = None


class _Payload(msgspec.Struct, rename="camel"):
    target_artifact: _Target


def verified(signature: Signature, trusted: Sequence[Trust]) -> Claim:
    """What `signature` says, if one of the trusted certificates answers for its signer.

    Raises:
        Unverified: none does, it has expired, or it is broken.
    """
    assert signature.kind == NOTATION
    try:
        envelope = {JWS: _jws, COSE: _cose}[signature.media_type](signature.payload)
        chain = _certificates(envelope.chain)
    except KeyError as error:
        raise Unverified(f"the envelope is broken, or of a kind that is not supported: {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unverified(f"the envelope is broken: {error}") from None
    anchor = keys.anchored(chain, trusted, _moment(envelope))
    _check(envelope, chain[0])
    return _claim(envelope, anchor.name)


def _moment(envelope: _Envelope) -> datetime | None:
    """When certificates must be valid: now, but at the time a signing authority vouches for where one has signed.

    Raises:
        Unverified: the header is not as it must be, or the signature has expired.
    """
    header = envelope.header
    if unknown := set(envelope.critical) - _UNDERSTOOD:
        raise Unverified(f"the signature demands what is not known here: {sorted(map(str, unknown))}")
    if _SCHEME not in envelope.critical or header.get(_SCHEME) not in (_PLAIN, _AUTHORITY):
        raise Unverified(f"the signing scheme {header.get(_SCHEME)!r} is not supported")
    if envelope.content_type != PAYLOAD:
        raise Unverified(f"something else is signed: {envelope.content_type}")
    expiry = _time(header.get(_EXPIRY))
    if expiry and expiry < datetime.now(UTC):
        raise Unverified(f"the signature has expired at {expiry:%Y-%m-%d %H:%M}")
    return _time(header.get(_AUTHENTIC_TIME)) if header[_SCHEME] == _AUTHORITY else None


def _time(value: Any) -> datetime | None:
    """A time of the header: text (JWS), a number or a datetime (COSE, tag 1)."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        found = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError):
        raise Unverified(f"the signature has a time that is none: {value!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _check(envelope: _Envelope, signer: "Certificate") -> None:
    """See that the signer's key has signed. Raises Unverified."""
    hashing = _JWS_ALGORITHMS.get(envelope.algorithm)
    if not hashing:
        raise Unverified(f"signatures by {envelope.algorithm} are not supported")
    key: Any = signer.public_key()
    elliptic = envelope.algorithm.startswith("ES")
    if elliptic is not hasattr(key, "curve"):
        raise Unverified(f"the key is not one for {envelope.algorithm}")
    value = _as_asn1(envelope.signature) if elliptic else envelope.signature
    keys.check(key, value, envelope.signed, hashing, pss=True)


def _as_asn1(raw: bytes) -> bytes:
    """r and s, one behind the other (RFC 7518, 3.4), as the ASN.1 that `cryptography` takes."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _claim(envelope: _Envelope, signer: str) -> Claim:
    try:
        target = msgspec.json.decode(envelope.payload, type=_Payload).target_artifact
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Unverified(f"the signed claim is broken: {error}") from None
    return Claim(target.digest, "", signer, dict(target.annotations or {}))


def _certificates(chain: Sequence[bytes]) -> list["Certificate"]:
    from cryptography.x509 import load_der_x509_certificate

    return [load_der_x509_certificate(data) for data in chain[: keys.LONGEST_CHAIN + 1]]


def _jws(data: bytes) -> _Envelope:
    """JSON with three parts in base64url (RFC 7515, 7.2.2)."""
    outer = msgspec.json.decode(data)
    protected = msgspec.json.decode(_base64url(outer["protected"]))
    chain = [base64.b64decode(text, validate=True) for text in outer["header"]["x5c"]]
    return _Envelope(
        protected["alg"], protected["cty"], protected, list(protected["crit"]), _base64url(outer["payload"]),
        f"{outer['protected']}.{outer['payload']}".encode(), _base64url(outer["signature"]), chain,
    )  # fmt: skip


def _base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _cose(data: bytes) -> _Envelope:
    """COSE_Sign1: protected and unprotected header, payload, signature (RFC 9052, 4.2)."""
    import cbor2

    try:
        protected, outer, payload, signature = cbor2.loads(data).value
        header = cbor2.loads(protected)
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
    except (cbor2.CBORError, AttributeError) as error:
        raise ValueError(str(error)) from None
    chain = outer[_CHAIN]
    return _Envelope(
        _COSE_ALGORITHMS[header[_ALGORITHM]], header[_CONTENT_TYPE], header, list(header[_CRITICAL]), payload, signed,
        signature, [chain] if isinstance(chain, bytes) else list(chain),
    )  # fmt: skip
