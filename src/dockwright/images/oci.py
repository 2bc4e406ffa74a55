"""OCI and Docker image documents: descriptors, indexes, manifests, configs; and which platform is chosen.

Sources: OCI image spec 1.1; facts on platforms and mixed documents in docs/rooms/images.md. Documents are decoded to typed
structs, so that a wrong type is an error here and not somewhere later; their bytes are kept as they came.
"""

from typing import Any, TypeVar

import msgspec

from dockwright.base.errors import InvalidParameter
from dockwright.images.content import checked
from dockwright.images.created import nanoseconds

T = TypeVar("T")

LARGEST_DOCUMENT = 8 << 20
MOST_ENTRIES = 10_000
DEEPEST_DOCUMENT = 64
OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
INDEX_TYPE, MANIFEST_TYPE, CONFIG_TYPE = f"{OCI}index.v1+json", f"{OCI}manifest.v1+json", f"{OCI}config.v1+json"
LAYER_TYPES = {
    "": f"{OCI}layer.v1.tar", "gzip": f"{OCI}layer.v1.tar+gzip", "zstd": f"{OCI}layer.v1.tar+zstd",
}  # fmt: skip
INDEX_TYPES = (INDEX_TYPE, f"{DOCKER}distribution.manifest.list.v2+json")
MANIFEST_TYPES = (MANIFEST_TYPE, f"{DOCKER}distribution.manifest.v2+json")
_NAMES = {"media_type": "mediaType"}
ATTESTATION = "vnd.docker.reference.type"


class Platform(msgspec.Struct, rename={"os_version": "os.version"}):
    """What a manifest is for."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""


class Descriptor(msgspec.Struct, rename=_NAMES):
    """Type, digest and size of some content."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    annotations: dict[str, str] | None = None
    platform: Platform | None = None


class Index(msgspec.Struct, rename=_NAMES):
    """Several manifests."""

    manifests: list[Descriptor] = []
    media_type: str = ""


class Manifest(msgspec.Struct, rename=_NAMES):
    """One image for one platform."""

    config: Descriptor
    layers: list[Descriptor] = []
    media_type: str = ""


class HistoryEntry(msgspec.Struct):
    """How one layer came to be."""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class RootFS(msgspec.Struct):
    """The layers by diff ID."""

    type: str = ""
    diff_ids: list[str] | None = None


class ContainerConfig(msgspec.Struct):
    """What containers inherit: those fields whose type matters to somebody."""

    User: str | None = None
    Env: list[str] | None = None
    Cmd: list[str] | None = None
    Entrypoint: list[str] | None = None
    WorkingDir: str | None = None
    Labels: dict[str, str] | None = None
    Volumes: dict[str, Any] | None = None
    ExposedPorts: dict[str, Any] | None = None
    OnBuild: list[str] | None = None
    Shell: list[str] | None = None
    StopSignal: str | None = None
    Hostname: str | None = None
    Healthcheck: dict[str, Any] | None = None


class Config(msgspec.Struct):
    """An image's config."""

    architecture: str | None = None
    os: str | None = None
    variant: str | None = None
    created: str | None = None
    author: str | None = None
    comment: str | None = None
    docker_version: str | None = None
    config: ContainerConfig | None = None
    rootfs: RootFS | None = None
    history: list[HistoryEntry] | None = None


def decoded(data: bytes, kind: type[T], what: str) -> T:
    """A JSON document as a `kind`.

    Raises:
        InvalidParameter: no JSON, or another shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidParameter(f"{what}: {error}") from error


def config(data: bytes) -> Config:
    """A config whose layers and history agree."""
    parsed = decoded(data, Config, "invalid image config")
    _shallow(decoded(data, Any, "invalid image config"))
    for stamp in (parsed.created, *(entry.created for entry in parsed.history or ())):
        if stamp and nanoseconds(stamp) is None:
            raise InvalidParameter(f"invalid image config: parsing time {stamp[:64]!r}")
    diffs = (parsed.rootfs.diff_ids if parsed.rootfs else None) or []
    for diff in diffs:
        checked(diff)
    if sum(not entry.empty_layer for entry in parsed.history or ()) > len(diffs) and parsed.history:
        raise InvalidParameter("too many non-empty layers in History section")
    return parsed


def _shallow(document: Any) -> None:
    """Refuse what would end the stack of somebody who reads it later."""
    level = [document]
    for _ in range(DEEPEST_DOCUMENT):
        below: list[Any] = []
        for value in level:
            below += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        level = below
    if level:
        raise InvalidParameter(f"invalid image config: nested more than {DEEPEST_DOCUMENT} deep")


def _shape(data: bytes) -> dict[str, Any]:
    document = decoded(data, dict[str, Any], "invalid manifest")
    if "fsLayers" in document:
        raise InvalidParameter("schema 1 manifests are not supported")
    if "manifests" in document and ("layers" in document or "config" in document):
        raise InvalidParameter("a document is a manifest and an index at once")
    return document


def index(data: bytes, declared: str = "") -> Index:
    """An index; `declared` is the media type that led here.

    Raises:
        InvalidParameter: what it is called and what it is disagree, or it is neither.
    """
    if "manifests" not in _shape(data):
        raise InvalidParameter("invalid index: no manifests")
    parsed = decoded(data, Index, "invalid index")
    _agree(parsed.media_type, declared, INDEX_TYPES)
    if len(parsed.manifests) > MOST_ENTRIES:
        raise InvalidParameter(f"invalid index: more than {MOST_ENTRIES} manifests")
    return parsed


def manifest(data: bytes, declared: str = "") -> Manifest:
    """A manifest; see `index`."""
    if "config" not in _shape(data):
        raise InvalidParameter("invalid manifest: no config")
    parsed = decoded(data, Manifest, "invalid manifest")
    _agree(parsed.media_type, declared, MANIFEST_TYPES)
    return parsed


def _agree(own: str, declared: str, allowed: tuple[str, ...]) -> None:
    for name in (own, declared):
        if name and name not in allowed:
            raise InvalidParameter(f"unsupported media type {name[:200]}")
    if own and declared and own != declared:
        raise InvalidParameter(f"media type {own} does not match {declared}")


def is_index(descriptor: Descriptor, data: bytes) -> bool:
    """Whether a descriptor leads to an index: by its type, else by the document's shape."""
    return descriptor.media_type in INDEX_TYPES or (not descriptor.media_type and "manifests" in _shape(data))


def is_manifest(descriptor: Descriptor) -> bool:
    """Whether a descriptor leads to a manifest, by its type."""
    return descriptor.media_type in MANIFEST_TYPES and not is_attestation(descriptor)


def is_attestation(descriptor: Descriptor) -> bool:
    """Whether what it describes is about an image, and no image."""
    unknown = descriptor.platform is not None and descriptor.platform.architecture == "unknown"
    return unknown or ATTESTATION in (descriptor.annotations or {})


def member(digest: str) -> str:
    """The name of a blob in a layout.

    Raises:
        InvalidParameter: no digest.
    """
    return f"blobs/sha256/{checked(digest)[7:]}"
