"""What somebody trusts: public keys and certificates, and what is signed with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dockwright.base.errors import InvalidParameter

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LONGEST_CHAIN = 8


class Unverified(Exception):
    """A signature that does not hold; the text says why."""


@dataclass(frozen=True)
class Trust:
    """One key or certificate.

    Attributes:
        name: what it is called where it came from: a file's name, or the subject of a certificate.
        key: of `cryptography`; None for a certificate. certificate: None for a key.
    """

    name: str
    key: Any = None
    certificate: "Certificate | None" = None


def read(pem: bytes, name: str) -> list[Trust]:
    """The public key, or the certificates, in a PEM text (RFC 7468).

    Raises:
        InvalidParameter: it holds neither.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificates

    try:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            found = load_pem_x509_certificates(pem)
            return [Trust(certificate.subject.rfc4514_string() or name, certificate=certificate) for certificate in found]
        return [Trust(name, key=load_pem_public_key(pem))]
    except ValueError as error:
        raise InvalidParameter(f"{name} is no public key or certificate: {str(error).splitlines()[0]}") from None


def check(key: Any, signature: bytes, data: bytes, hashing: str = "SHA256", pss: bool = False) -> None:
    """See that `signature` is over `data`: ECDSA as ASN.1, RSA by PKCS #1 1.5 or PSS, Ed25519.

    Raises:
        Unverified: it is not, or the key is of another kind.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    digest = getattr(hashes, hashing)()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            salted = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
            key.verify(signature, data, salted if pss else padding.PKCS1v15(), digest)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            raise Unverified(f"keys of type {type(key).__name__} are not supported")
    except InvalidSignature:
        raise Unverified("cryptographic signature verification failed") from None


def anchored(chain: Sequence["Certificate"], trusted: Sequence[Trust], at: datetime | None = None) -> Trust:
    """Which of `trusted` answers for the first certificate of `chain`, directly or through the others (RFC 5280, section 6).

    Args:
        at: when; now, if None.

    Raises:
        Unverified: none does, or a certificate on the way may not sign, or not at that time.
    """
    if not 0 < len(chain) <= LONGEST_CHAIN:
        raise Unverified("the signature carries no chain of certificates")
    _may_sign_content(chain[0])
    moment = at or datetime.now(UTC)
    for position, certificate in enumerate(chain):
        _in_force(certificate, moment)
        if anchor := _anchor(certificate, trusted, moment):
            return anchor
        if position + 1 < len(chain) and not _issued(certificate, chain[position + 1]):
            break
    raise Unverified(f"nobody trusted answers for the certificate of {chain[0].subject.rfc4514_string()}")


def _anchor(certificate: "Certificate", trusted: Sequence[Trust], moment: datetime) -> Trust | None:
    """The trusted certificate that this one is, or that has issued it."""
    for trust in trusted:
        if trust.certificate and (trust.certificate == certificate or _issued(certificate, trust.certificate)):
            _in_force(trust.certificate, moment)
            return trust
    return None


def _issued(certificate: "Certificate", issuer: "Certificate") -> bool:
    """Whether `issuer`, which may issue, has issued `certificate`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        if not issuer.extensions.get_extension_for_class(BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return True


def _in_force(certificate: "Certificate", moment: datetime) -> None:
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise Unverified(f"the certificate of {certificate.subject.rfc4514_string()} is not valid at {moment:%Y-%m-%d %H:%M}")


def _may_sign_content(certificate: "Certificate") -> None:
    """Key usage digitalSignature; of the extended usages, if there are any, codeSigning.

    Source: Notary Project, signature-specification.md, "Certificate Requirements".
    """
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        if not certificate.extensions.get_extension_for_class(KeyUsage).value.digital_signature:
            raise Unverified("the certificate is not for signatures")
    except ExtensionNotFound:
        raise Unverified("the certificate does not say what it is for") from None
    try:
        usages = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    except ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CODE_SIGNING not in usages:
        raise Unverified("the certificate is not for signing code")
