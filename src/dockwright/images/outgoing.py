"""What a push sends: documents, and the blobs they describe, found in the store or made again from what is there.

What came from a registry goes out as it came, byte for byte. An image without a manifest (loaded, imported, built) gets one in
Docker's form, its plain layers compressed; which compressed blob a plain one became is remembered, so that the next push needs
to ask no more than whether it is there.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dockwright.images import blobrows, oci, platforms, store
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.inflate import CHUNK, LONGEST_MAGIC, compression
from dockwright.images.manifests import digest_of
from dockwright.images.store import Image, LayerRow

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_LAYERS = {"": _DOCKER_LAYER, "gzip": f"{_DOCKER_LAYER}.gzip", "zstd": oci.LAYER_TYPES["zstd"]}
LEVEL = 6  # of gzip(1): what registries keep is kept for long


@dataclass(frozen=True)
class Piece:
    """One blob.

    Attributes:
        shown: the digest clients are shown: a layer's diff ID. plain: the blob it is the compressed form of, if it has to be
            made again.
    """

    digest: str
    size: int
    shown: str
    blob: Blob | None = None
    plain: Blob | None = None


@dataclass
class Outgoing:
    """One image, or all images of an index.

    Attributes:
        documents: (digest, bytes, media type), each after those it describes; the last is what the tag will mean.
        layers: lowest first. configs: sent after all layers.
    """

    documents: list[tuple[str, bytes, str]] = field(default_factory=list)
    layers: list[Piece] = field(default_factory=list)
    configs: list[Piece] = field(default_factory=list)


class Gatherer:
    """Finds what a push sends.

    Args:
        ingest: where blobs are put that have to be made.
    """

    def __init__(self, connection: sqlite3.Connection, content: Content, ingest: Ingest) -> None:
        self._connection, self._content, self._ingest = connection, content, ingest

    def gather(self, image: Image, target: str, wanted: oci.Platform | None) -> Outgoing:
        """What stands for `image` under a tag whose index or manifest is `target` ("" for none).

        Args:
            wanted: only the image for this platform.
        """
        for digest in (self._narrowed(target, wanted), image.manifest):
            if digest and self._here(digest):
                out = Outgoing()
                if self._add(digest, "", out):
                    return out
        return self._made(image)

    def _narrowed(self, target: str, wanted: oci.Platform | None) -> str:
        """The manifest for `wanted` in the index `target`."""
        if not (target and wanted and self._here(target)):
            return target
        data = self._content.blob(target).read(oci.LARGEST_DOCUMENT)
        if not oci.is_index(oci.Descriptor(), data):
            return target
        best = platforms.best(oci.index(data).manifests, wanted)
        return best[0].digest if best else ""

    def _add(self, digest: str, media_type: str, out: Outgoing) -> bool:
        """A document with all below it; False if something of it is not to be had."""
        if not self._here(digest):
            return False
        data = self._content.blob(digest).read(oci.LARGEST_DOCUMENT)
        if oci.is_index(oci.Descriptor(media_type), data):
            parsed = oci.index(data)
            complete = all(self._add(entry.digest, entry.media_type, out) for entry in parsed.manifests)
            media_type = media_type or parsed.media_type or oci.INDEX_TYPE
        else:
            manifest = oci.manifest(data)
            complete = self._add_blobs(manifest, out)
            media_type = media_type or manifest.media_type or oci.MANIFEST_TYPE
        out.documents.append((digest, data, media_type))
        return complete

    def _add_blobs(self, manifest: oci.Manifest, out: Outgoing) -> bool:
        diffs = self._diffs(manifest)
        for layer, diff in zip(manifest.layers, diffs, strict=False):
            piece = self._piece(layer, diff)
            if piece is None:
                return False
            out.layers.append(piece)
        config = self._piece(manifest.config, manifest.config.digest)
        if config is None or config.blob is None:
            return False
        out.configs.append(config)
        return True

    def _diffs(self, manifest: oci.Manifest) -> list[str]:
        """The layers' diff IDs, as the config has them; what is no image shows its blobs' digests."""
        own = [layer.digest for layer in manifest.layers]
        if not self._here(manifest.config.digest):
            return own
        data = self._content.blob(manifest.config.digest).read(oci.LARGEST_DOCUMENT)
        rootfs = oci.decoded(data, oci.Config, "invalid image config").rootfs
        found = (rootfs.diff_ids if rootfs else None) or []
        return found if len(found) == len(own) else own

    def _piece(self, descriptor: oci.Descriptor, shown: str) -> Piece | None:
        digest, size = descriptor.digest, descriptor.size
        if self._here(digest):
            return Piece(digest, size, shown, self._content.blob(digest))
        plain = blobrows.unpacked_form(self._connection, digest)
        if plain and self._here(plain):
            return Piece(digest, size, shown, plain=self._content.blob(plain))
        return Piece(digest, size, shown) if blobrows.sources(self._connection, digest) else None

    def _here(self, digest: str) -> bool:
        return blobrows.has_blob(self._connection, digest)

    # images without a manifest

    def _made(self, image: Image) -> Outgoing:
        """A manifest in Docker's form."""
        rows = store.layers(self._connection, image.id)
        out = Outgoing(layers=[self._layer(row) for row in rows])
        config = store.config_bytes(self._connection, image.id)
        out.configs.append(Piece(image.id, len(config), image.id, self._content.blob(image.id)))
        data = _manifest((image.id, len(config)), out.layers, [self._packing(piece) for piece in out.layers])
        out.documents.append((digest_of(data), data, DOCKER_MANIFEST))
        return out

    def _layer(self, row: LayerRow) -> Piece:
        """A layer as it is sent: what is compressed already stays so."""
        blob = self._content.blob(row.blob)
        if _compression(blob):
            return Piece(blob.digest, blob.size, row.diff, blob)
        known = blobrows.packed_form(self._connection, blob.digest)
        if known:
            return Piece(*known, row.diff, plain=blob)
        packed = pack(blob, self._ingest)
        return Piece(packed.digest, packed.size, row.diff, packed, blob)

    def _packing(self, piece: Piece) -> str:
        return _compression(piece.blob) if piece.blob else "gzip"


def _compression(blob: Blob) -> str:
    with open(blob.path, "rb") as file:
        return compression(file.read(LONGEST_MAGIC))


def pack(plain: Blob, ingest: Ingest) -> Blob:
    """The gzip form of a plain tar, always the same bytes."""
    return ingest.write(_gzipped(plain))


def _gzipped(blob: Blob) -> Iterator[bytes]:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)  # with a gzip header: no name, no time
    with open(blob.path, "rb", buffering=0) as file:
        while data := file.read(CHUNK):
            yield packer.compress(data)
    yield packer.flush()


def _manifest(config: tuple[str, int], layers: Sequence[Piece], packings: Sequence[str]) -> bytes:
    """A schema 2 manifest, laid out as Docker does it."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "size": config[1], "digest": config[0]},
        "layers": [
            {"mediaType": _LAYERS.get(packing, _DOCKER_LAYER), "size": piece.size, "digest": piece.digest}
            for piece, packing in zip(layers, packings, strict=True)
        ],
    }
    return json.dumps(document, indent=3).encode()


