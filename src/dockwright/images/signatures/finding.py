"""Finding an image's signatures: at its registry, and among what is kept beside it here.

At a registry, cosign's are a manifest under a tag made of the digest; the Notary Project's are manifests whose `subject` is the
image, listed by the referrers API or, where a registry does not have that, in an index under a tag (OCI distribution spec 1.1,
"Listing Referrers" and "Referrers Tag Schema"). Here, the manifest of a signature is a child of the document it is about.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from dockwright.base.errors import InvalidParameter
from dockwright.images import oci
from dockwright.images.content import checked
from dockwright.images.manifests import Document, described, digest_of, document_at
from dockwright.images.registry.failures import Refused, RegistryError
from dockwright.images.registry.repository import Repository
from dockwright.images.registry.transport import limited
from dockwright.images.signatures import cosign, notation
from dockwright.images.signatures.signature import COSIGN, NOTATION, Signature

MOST = 64  # signatures of one image that are looked at


class _Manifest(msgspec.Struct, rename={"artifact_type": "artifactType"}):
    """The manifest of a signature: an image manifest in form."""

    config: oci.Descriptor
    layers: list[oci.Descriptor] = []
    artifact_type: str = ""


class _Referrer(oci.Descriptor, rename={"artifact_type": "artifactType", "media_type": "mediaType"}):
    artifact_type: str = ""


class _Referrers(msgspec.Struct):
    manifests: list[_Referrer] = []


@dataclass(frozen=True)
class Part:
    """One signature of a manifest: what it is, and where its bytes are."""

    kind: str
    descriptor: oci.Descriptor


@dataclass(frozen=True)
class Attached:
    """The manifest of signatures, what it is about, and what it describes.

    Attributes:
        subject: digest of the document the signatures are about. data: the manifest. blobs: the signatures' bytes, by digest.
    """

    subject: str
    data: bytes
    blobs: dict[str, bytes]

    @property
    def signatures(self) -> list[Signature]:
        """Those whose bytes are there."""
        document = digest_of(self.data)
        return [
            Signature(
                part.kind, part.descriptor.media_type, self.blobs[part.descriptor.digest],
                (part.descriptor.annotations or {}).get(cosign.ANNOTATION, ""), document,
            )
            for part in parts(self.data)
            if part.descriptor.digest in self.blobs
        ]  # fmt: skip


def parts(data: bytes) -> list[Part]:
    """The signatures a manifest describes; none if it is the manifest of something else."""
    try:
        manifest = msgspec.json.decode(data, type=_Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return []
    if notation.ARTIFACT in (manifest.artifact_type, manifest.config.media_type):
        found = [Part(NOTATION, layer) for layer in manifest.layers if layer.media_type in (notation.JWS, notation.COSE)]
    else:
        found = [Part(COSIGN, layer) for layer in manifest.layers if layer.media_type == cosign.PAYLOAD]
    return [part for part in found if 0 <= part.descriptor.size <= _largest(part.kind)][:MOST]


def _largest(kind: str) -> int:
    return cosign.LARGEST_PAYLOAD if kind == COSIGN else notation.LARGEST_ENVELOPE


async def at_registry(repository: Repository, digests: Sequence[str]) -> list[Attached]:
    """All signatures about `digests` in their repository.

    Raises:
        RegistryError: refused, or what came is something else. InvalidParameter: a digest that is none.
    """
    found = []
    for digest in digests:
        documents = [*await _if_there(document_at(repository, cosign.tag(digest)))]
        for referrer in await _referrers(repository, digest):
            documents.append(await described(repository, referrer))
        for document in documents[:MOST]:
            if several := parts(document.data):
                blobs = {part.descriptor.digest: await _blob(repository, part.descriptor) for part in several}
                found.append(Attached(digest, document.data, blobs))
    return found


async def _if_there(asking: Awaitable[Document]) -> list[Document]:
    """A document that need not exist."""
    try:
        return [await asking]
    except Refused as error:
        if error.status == 404:
            return []
        raise


async def _referrers(repository: Repository, digest: str) -> list[_Referrer]:
    """Descriptors of the Notary Project's signatures."""
    data = await repository.referrers(digest, notation.ARTIFACT)
    if data is None:
        listed = await _if_there(document_at(repository, digest.replace(":", "-", 1)))
        data = listed[0].data if listed else b"{}"
    try:
        entries = msgspec.json.decode(data, type=_Referrers).manifests
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RegistryError(f"invalid list of referrers: {error}") from None
    return [entry for entry in entries if entry.artifact_type == notation.ARTIFACT][:MOST]


async def _blob(repository: Repository, descriptor: oci.Descriptor) -> bytes:
    async with repository.blob(checked(descriptor.digest)) as response:
        data = await limited(response, descriptor.size)
    if digest_of(data) != descriptor.digest:
        raise RegistryError(f"signature verification failed for digest {descriptor.digest}")
    return data


def stored(digests: Sequence[str], children: Callable[[str], Sequence[str]], read: Callable[[str], bytes]) -> list[Attached]:
    """The signatures about `digests` that are kept here.

    Args:
        children: the digests kept with a document. read: a document or a signature by its digest.

    Raises:
        OSError: from reading.
    """
    found = []
    for digest in digests:
        for child in children(digest):
            data = read(child)
            if several := parts(data):
                wanted = [part.descriptor.digest for part in several]
                found.append(Attached(digest, data, {name: read(name) for name in wanted}))
    return found


def beside(document: bytes, children: Sequence[str]) -> list[str]:
    """Those children of a manifest or index that it does not describe itself: what was kept with it for another reason."""
    try:
        described_there = _described(msgspec.json.decode(document, type=_AnyDocument))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InvalidParameter(f"a stored document cannot be read: {error}") from None
    return [child for child in children if child not in described_there]


class _AnyDocument(msgspec.Struct):
    config: oci.Descriptor | None = None
    layers: list[oci.Descriptor] = []
    manifests: list[oci.Descriptor] = []


def _described(document: _AnyDocument) -> set[str]:
    own = [document.config] if document.config else []
    return {descriptor.digest for descriptor in (*own, *document.layers, *document.manifests)}
