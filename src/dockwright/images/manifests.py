"""From a name to the manifest of one image: asked at a registry, verified, the platform chosen."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.grammar.reference import Reference
from dockwright.images import oci, platforms
from dockwright.images.content import SHA256, checked
from dockwright.images.registry.failures import RegistryError, json_problem
from dockwright.images.registry.repository import MANIFEST_TYPES, Found, Repository

DEEPEST_INDEX = 4
MOST_LAYERS = 125  # of an image, as with Docker's layer store
_LAYERS = ("application/vnd.docker.image.rootfs.", "application/vnd.oci.image.layer.")
_CONFIGS = (oci.CONFIG_TYPE, "application/vnd.docker.container.image.v1+json", "")
_OLD = ("application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws")
SCHEMA_1 = (
    "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author of {} "
    "to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. More information at "
    "https://docs.docker.com/go/deprecated-image-specs/"
)


@dataclass(frozen=True)
class Document:
    """A manifest or index, as it came."""

    digest: str
    data: bytes
    media_type: str


@dataclass(frozen=True)
class Resolved:
    """What a name means for one platform.

    Attributes:
        top: what the name leads to, an index or the manifest itself. chain: all documents from there down to the manifest.
    """

    repository: Repository
    top: Document
    manifest: oci.Manifest
    chain: list[Document] = field(default_factory=list)

    @property
    def document(self) -> Document:
        """The manifest's own bytes."""
        return self.chain[-1]


class Mismatch(RegistryError):
    """What came is not what its digest says."""


async def resolve(
    repository: Repository, reference: Reference, wanted: oci.Platform | None, begun: Callable[[], None] = lambda: None
) -> Resolved:
    """The image that `reference` means for a platform (None: this host).

    Args:
        begun: called when it is known that there is something by that name.

    Raises:
        RegistryError: the registry refused, or lies. NotFound: no image for that platform. InvalidParameter: what it has is
            no image.
    """
    top = await document_at(repository, reference.digest or reference.tag)
    _check(top, reference)
    begun()
    chain = [top]
    for _ in range(DEEPEST_INDEX):
        if not is_index(chain[-1]):
            return Resolved(repository, top, manifest(chain[-1], reference), chain)
        entry = _chosen(oci.index(chain[-1].data, _declared(chain[-1].media_type)), wanted)
        chain.append(await described(repository, entry))
    raise InvalidParameter(f"indexes are nested more than {DEEPEST_INDEX} deep")


async def document_at(repository: Repository, name: str) -> Document:
    """What a tag or digest leads to. A tag is resolved once: the document is then asked for by its digest.

    Raises:
        Mismatch, RegistryError: it is something else, or not to be had.
    """
    given = checked(name) if ":" in name else ""
    found = await repository.head(name)
    digest = given or found.digest
    data, got = await repository.manifest(digest or name)
    return _verified(data, digest or digest_of(data), got)


async def described(repository: Repository, descriptor: oci.Descriptor) -> Document:
    """The document a descriptor describes. Raises Mismatch, RegistryError."""
    data, got = await repository.manifest(checked(descriptor.digest))
    if len(data) != descriptor.size:
        raise Mismatch(f"manifest {descriptor.digest}: {len(data)} bytes, expected {descriptor.size}")
    return _verified(data, descriptor.digest, Found(got.media_type or descriptor.media_type, got.digest, got.size))


def _verified(data: bytes, digest: str, got: Found) -> Document:
    if digest_of(data) != checked(digest):
        raise Mismatch(f"manifest verification failed for digest {digest}")
    return Document(digest, data, got.media_type)


def digest_of(data: bytes) -> str:
    """`sha256:...` of some bytes."""
    return SHA256 + hashlib.sha256(data).hexdigest()


def _check(document: Document, reference: Reference) -> None:
    """Refuse what is neither a manifest nor an index, or both."""
    problem = json_problem(document.data)
    if problem:
        raise InvalidParameter(problem)
    if document.media_type in _OLD or b'"fsLayers"' in document.data:
        raise InvalidParameter(SCHEMA_1.format(reference.familiar))
    if is_index(document):
        oci.index(document.data, _declared(document.media_type))
    else:
        oci.manifest(document.data, _declared(document.media_type))


def _declared(media_type: str) -> str:
    """The type a registry gave, if it is one of a manifest: many say text/plain or nothing."""
    return media_type if media_type in MANIFEST_TYPES and not media_type.endswith("/json") else ""


def is_index(document: Document) -> bool:
    return oci.is_index(oci.Descriptor(_declared(document.media_type)), document.data)


def manifest(document: Document, reference: Reference) -> oci.Manifest:
    """The manifest of an image.

    Raises:
        InvalidParameter: it is none, or one of something else.
    """
    _check(document, reference)
    parsed = oci.manifest(document.data, _declared(document.media_type))
    if parsed.config.media_type not in _CONFIGS:
        raise InvalidParameter(f"unsupported media type {parsed.config.media_type[:200]}")
    if len(parsed.layers) > MOST_LAYERS:
        raise InvalidParameter("max depth exceeded")
    for layer in parsed.layers:
        checked(layer.digest)
        if not layer.media_type.startswith(_LAYERS):
            raise InvalidParameter(f"unsupported media type {layer.media_type[:200]}")
        if layer.size < 0:
            raise InvalidParameter(f"invalid size of {layer.digest}")
    return parsed


def _chosen(index: oci.Index, wanted: oci.Platform | None) -> oci.Descriptor:
    best = platforms.best(index.manifests, wanted)
    if not best:
        shown = platforms.shown(wanted or platforms.host())
        raise NotFound(f"no matching manifest for {shown} in the manifest list entries")
    return best[0]
