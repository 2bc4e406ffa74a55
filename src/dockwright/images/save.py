"""Saving: docker-archive and OCI layout in one tar, as Docker 25 and later write it.

Blobs go out as they came in, so a layer, a manifest and with them every digest survive the round trip. The same images make
the same bytes: names are sorted, times are the epoch, nobody owns anything.
"""

import asyncio
import hashlib
import json
import os
import sqlite3
import tarfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dockwright.base.errors import NotFound
from dockwright.events import EventBus
from dockwright.grammar.reference import Reference, parse
from dockwright.images import blobrows, oci, platforms, store
from dockwright.images.archive import NAME, REF_NAME
from dockwright.images.assembly import Assembler
from dockwright.images.content import Blob, Content
from dockwright.images.inflate import CHUNK, LONGEST_MAGIC, compression
from dockwright.images.rebuilding import Rebuilder
from dockwright.images.store import Image, LayerRow
from dockwright.images.trees import Tree, tree
from dockwright.metadata import Database, references

_BLOCK = 512
_RECORD = 20 * _BLOCK  # a tar's length is a multiple of it
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'  # with Docker's blank


@dataclass
class Wanted:
    """One image to save, and the names to save it by (none for an image asked for by its id).

    Attributes:
        targets: what each name means at its registry, or meant in an archive: a digest, "" if nothing more is known.
        tops: all that its names mean so, asked for or not.
    """

    image: Image
    config: bytes
    layers: list[LayerRow]
    names: list[Reference] = field(default_factory=list)
    targets: dict[Reference | None, str] = field(default_factory=dict)
    tops: Sequence[str] = ()


def wanted(connection: sqlite3.Connection, asked: Sequence[str]) -> list[Wanted]:
    """What the user asked for; a name without a tag stands for all tags of its repository.

    Raises:
        NotFound: in Docker's words.
    """
    found: dict[str, Wanted] = {}
    for text in asked:
        for image, name in _meant(connection, text):
            known = found.get(image.id)
            if known is None:
                config, layers = store.config_bytes(connection, image.id), store.layers(connection, image.id)
                known = found[image.id] = Wanted(image, config, layers, tops=store.tops(connection, image.id))
            if name and name not in known.names:
                known.names.append(name)
                known.targets[name] = store.target(connection, str(name))
    return list(found.values())


def _meant(connection: sqlite3.Connection, text: str) -> list[tuple[Image, Reference | None]]:
    bare = not text.startswith("sha256:") and len(text) != 64 and parse(text)
    if bare and not bare.tag and not bare.digest:
        pattern = f"{bare}:"
        rows = connection.execute("SELECT name, image FROM image_tag WHERE substr(name, 1, ?) = ?", (len(pattern), pattern))
        tagged = [(store.load(connection, row["image"]), parse(row["name"])) for row in rows.fetchall()]
        if tagged:
            return [(image, name) for image, name in tagged]
    try:
        image = store.find(connection, text)
    except NotFound as error:
        raise NotFound(f"No such image: {text}") if bare else error from None
    return [(image, None if store.is_id(image, text) else parse(text).tagged())]


class Saver:
    """Sends images out."""

    def __init__(
        self, database: Database, content: Content, assembler: Assembler, rebuilder: Rebuilder, events: EventBus
    ) -> None:
        self._database, self._content, self._assembler, self._events = database, content, assembler, events
        self._rebuilder = rebuilder

    async def save(self, asked: Sequence[str], platform: oci.Platform | None = None) -> AsyncIterator[bytes]:
        """The tar of the images `asked` for.

        Args:
            platform: only the images for that, by themselves; None for this host's, with the indexes they came by.

        Raises:
            NotFound: an image, or one of its blobs, is not here; before the first byte.
        """
        async with self._assembler.lease() as lease:
            images = await self._database.write(lambda c: _leased(c, lease.id, wanted(c, asked)))
            await self._rebuilder.restore(lease, [image.image.id for image in images])
            writer, sent = _Tar(), [self._for(image, platform) if platform else image for image in images]
            for name, data in self._members(sent):
                if isinstance(data, bytes):
                    yield writer.small(name, data)
                    continue
                yield writer.header(name, os.path.getsize(data))
                with open(data, "rb", buffering=0) as file:
                    while piece := await asyncio.to_thread(file.read, CHUNK):
                        yield writer.data(piece)
                yield writer.padding()
            yield writer.end()
            for image in images:
                self._events.publish("image", "save", image.image.id, {"name": image.image.id, **_labels(image)})

    def _members(self, images: list[Wanted]) -> list[tuple[str, bytes | str]]:
        """Every member, sorted: bytes, or the path of a blob; "" is a directory."""
        members: dict[str, bytes | str] = {}
        entries, descriptors = [], []
        for image in images:
            layers = [self._descriptor(row.blob) for row in image.layers]
            for row in image.layers:
                members[oci.member(row.blob)] = self._content.path(row.blob)
            manifest = self._manifest(image, layers)
            members[oci.member(image.image.id)] = image.config
            members[oci.member(_digest(manifest))] = manifest
            entries.append(_entry(image, layers))
            indexes = self._indexes(image)
            for index in indexes.values():
                members.update((oci.member(blob.digest), blob.path) for blob in index.blobs)
            descriptors += _index_entries(image, manifest, indexes)
        members["index.json"] = _json({"schemaVersion": 2, "mediaType": oci.INDEX_TYPE, "manifests": descriptors})
        members["manifest.json"] = _json(entries)
        members["oci-layout"] = _LAYOUT
        if repositories := _repositories(images):
            members["repositories"] = _json(repositories)
        members["blobs/"] = members["blobs/sha256/"] = b""
        return sorted(members.items())

    def _indexes(self, image: Wanted) -> dict[Reference | None, Tree]:
        """The indexes that names, or an image without one, stand for: those go out whole that are here with all they list."""
        trees = {name: self._tree(digest) for name, digest in image.targets.items() if digest}
        if not image.names and len(image.tops) == 1:
            trees[None] = self._tree(image.tops[0])
        return {name: found for name, found in trees.items() if found and found.whole}

    def _tree(self, digest: str) -> Tree | None:
        return tree(oci.Descriptor(digest=digest), lambda descriptor: self._blob(descriptor.digest))

    def _blob(self, digest: str) -> Blob | None:
        return self._content.blob(digest) if blobrows.has_blob(self._database.read(), digest) else None

    def _for(self, image: Wanted, platform: oci.Platform) -> Wanted:
        """What is sent of an image if only the one for a platform is wanted: itself, or another one that is kept beside it.

        Raises:
            NotFound: there is none.
        """
        own = oci.Platform(*(str(image.image.config.get(key) or "") for key in ("architecture", "os", "variant")))
        beside = [found for top in image.tops if (found := self._tree(top))]
        entries = [child for found in beside for branch in found.branches for child in branch.children if child.platform]
        for entry in platforms.best([*entries, oci.Descriptor(platform=own)], platform):
            chosen = self._other(image, entry) if entry.digest else replace(image, targets={}, tops=())
            if chosen:
                return chosen
        name, shown = image.names[0].familiar if image.names else image.image.id, platforms.shown(platform)
        raise NotFound(f"image with reference {name} was found but does not provide the specified platform ({shown})")

    def _other(self, image: Wanted, entry: oci.Descriptor) -> Wanted | None:
        """The image of a manifest, under the names of `image`; None if something of it is not here."""
        document = self._blob(entry.digest)
        manifest = oci.manifest(document.read(oci.LARGEST_DOCUMENT)) if document else None
        if manifest is None or manifest.config.digest == image.image.id:
            return replace(image, targets={}, tops=()) if manifest else None
        config, blobs = self._blob(manifest.config.digest), [self._blob(layer.digest) for layer in manifest.layers]
        if config is None or not all(blobs):
            return None
        data = config.read(oci.LARGEST_DOCUMENT)
        rootfs = oci.config(data).rootfs
        diffs = (rootfs and rootfs.diff_ids) or []
        layers = [LayerRow("", diff, blob.digest, 0) for diff, blob in zip(diffs, blobs, strict=False) if blob]
        other = Image(config.digest, json.loads(data), entry.digest, 0, 0, ())
        return Wanted(other, data, layers, image.names)

    def _descriptor(self, digest: str) -> dict[str, Any]:
        blob = self._content.blob(digest)
        with open(blob.path, "rb") as file:
            packed = compression(file.read(LONGEST_MAGIC))
        media = oci.LAYER_TYPES.get(packed, oci.LAYER_TYPES[""])
        return {"mediaType": media, "digest": digest, "size": blob.size}

    def _manifest(self, image: Wanted, layers: list[dict[str, Any]]) -> bytes:
        """The manifest an image came with, if its layers are kept as they came; else one made of what it is."""
        if image.image.manifest:
            data = self._content.blob(image.image.manifest).read(oci.LARGEST_DOCUMENT)
            if [layer.digest for layer in oci.manifest(data).layers] == [layer["digest"] for layer in layers]:
                return data
        config = {"mediaType": oci.CONFIG_TYPE, "digest": image.image.id, "size": len(image.config)}
        return _json({"schemaVersion": 2, "mediaType": oci.MANIFEST_TYPE, "config": config, "layers": layers})


def _leased(connection: sqlite3.Connection, lease: str, images: list[Wanted]) -> list[Wanted]:
    """Keep what is about to be read, whatever is deleted meanwhile."""
    for image in images:
        below = blobrows.below(connection, image.tops)
        for digest in (image.image.id, image.image.manifest, *(row.blob for row in image.layers), *image.tops, *below):
            references.add(connection, store.LEASE, lease, "blob", digest)
    return images


def _entry(image: Wanted, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """An entry of manifest.json."""
    sources = {row.diff: layer for row, layer in zip(image.layers, layers, strict=True)}
    return {
        "Config": oci.member(image.image.id),
        "RepoTags": [name.familiar for name in image.names] or None,
        "Layers": [oci.member(row.blob) for row in image.layers],
        "LayerSources": sources,
    }


def _index_entries(image: Wanted, manifest: bytes, indexes: dict[Reference | None, Tree]) -> list[dict[str, Any]]:
    """A descriptor for each name, of its index or of the manifest; or one without a name."""
    found = []
    names: Sequence[Reference | None] = image.names or (None,)
    for name in names:
        index = indexes.get(name)
        top = _described(index.top.document.read(oci.LARGEST_DOCUMENT), oci.INDEX_TYPE) if index else None
        notes = {"annotations": {NAME: str(name), REF_NAME: name.tag}} if name else {}
        found.append({**(top or _described(manifest, oci.MANIFEST_TYPE)), **notes})
    return found


def _described(document: bytes, usual: str) -> dict[str, Any]:
    media = json.loads(document).get("mediaType") or usual
    return {"mediaType": media, "digest": _digest(document), "size": len(document)}


def _repositories(images: list[Wanted]) -> dict[str, dict[str, str]]:
    """The file clients of before 1.10 read: the topmost layer of each tag."""
    found: dict[str, dict[str, str]] = {}
    for image in images:
        for name in image.names:
            if image.layers:
                found.setdefault(name.familiar_name, {})[name.tag] = image.layers[-1].diff.partition(":")[2]
    return found


def _labels(image: Wanted) -> dict[str, str]:
    return dict(image.image.container_config.get("Labels") or {})


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


class _Tar:
    """Writes a tar piece by piece."""

    def __init__(self) -> None:
        self._size = 0
        self._open = 0

    def header(self, name: str, size: int) -> bytes:
        """The header of a member."""
        info = tarfile.TarInfo(name.removesuffix("/"))
        info.size, info.mode = size, 0o644
        if name.endswith("/"):
            info.type, info.mode = tarfile.DIRTYPE, 0o755
        self._open = size
        return self._out(info.tobuf(tarfile.GNU_FORMAT))

    def data(self, piece: bytes) -> bytes:
        """Part of a member's data."""
        return self._out(piece)

    def padding(self) -> bytes:
        """What fills the last block of a member."""
        return self._out(b"\0" * (-self._open % _BLOCK))

    def small(self, name: str, data: bytes) -> bytes:
        """A whole member."""
        return self.header(name, len(data)) + self.data(data) + self.padding()

    def end(self) -> bytes:
        """The end of the tar."""
        blocks = b"\0" * (2 * _BLOCK)
        return self._out(blocks + b"\0" * (-(self._size + len(blocks)) % _RECORD))

    def _out(self, data: bytes) -> bytes:
        self._size += len(data)
        return data
