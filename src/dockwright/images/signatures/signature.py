"""A signature as it was found, and what came of verifying it."""

from dataclasses import dataclass, field
from typing import Any

COSIGN, NOTATION = "cosign", "notation"


@dataclass(frozen=True)
class Signature:
    """One signature.

    Attributes:
        kind: COSIGN or NOTATION. media_type: of `payload`: what is signed (cosign), or the envelope with it (notation).
        value: the signature itself where it stands outside of the payload, base64. document: digest of the manifest it came by.
    """

    kind: str
    media_type: str
    payload: bytes
    value: str = ""
    document: str = ""


@dataclass(frozen=True)
class Claim:
    """What a signature that holds says.

    Attributes:
        digest: of the manifest or index that is signed. identity: what the image is called, "" if that is not said.
        signer: the name of the key or certificate that answers for it. annotations: what else the signer has said.
    """

    digest: str
    identity: str
    signer: str
    annotations: dict[str, Any] = field(default_factory=dict)
