"""An image archive: its members as verified blobs, and what images they make up.

Two forms, often in one file: docker-archive (manifest.json names configs and layers) and OCI layout (index.json leads to
manifests by digest). manifest.json decides what is loaded, as with Docker; a manifest of the OCI form that says the same is kept,
and so is the index a name stands for, with all it lists that is here.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.grammar import reference
from dockwright.images import oci, platforms
from dockwright.images.arrival import Remote
from dockwright.images.content import Blob, Ingest
from dockwright.images.inflate import Source
from dockwright.images.trees import DEEPEST, Tree, tree
from dockwright.tar.reader import FILE, HARDLINK, SYMLINK, TarReader

MANIFEST, INDEX = "manifest.json", "index.json"
MOST_MEMBERS = 1 << 17
MOST_LINKS = 16
NAME, REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"


class Entry(msgspec.Struct):
    """One image of manifest.json."""

    Config: str = ""
    RepoTags: list[str] | None = None
    Layers: list[str] | None = None


@dataclass
class Found:
    """One image of an archive.

    Attributes:
        config: its document's blob. layers: their blobs, lowest first, here or elsewhere. names: full references.
        manifest: the OCI manifest it came with. parent: id of the image it was built on here. beside: other documents that are
            kept with it (the index that led here). trees: indexes that came along, each with the names that stand for it.
    """

    config: Blob
    layers: Sequence[Blob | Remote]
    names: list[reference.Reference]
    manifest: Blob | None = None
    parent: str = ""
    beside: Sequence[Blob] = ()
    trees: list[tuple[Tree, list[reference.Reference]]] = field(default_factory=list)

    def documents(self) -> list[Blob]:
        """What it is made of beside layers."""
        return [self.config, *([self.manifest] if self.manifest else []), *self.beside]


@dataclass
class Archive:
    """The members of one archive, by cleaned name.

    Attributes:
        wanted: the platform whose images are taken, and nothing else with them; None for this host's, and all that came along.
    """

    members: dict[str, Blob] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    wanted: oci.Platform | None = None

    @classmethod
    def read(cls, source: Source, ingest: Ingest) -> "Archive":
        """Take a whole archive into `ingest`.

        Raises:
            InvalidParameter: no tar, or a broken one. OSError: the disk is full.
        """
        archive = cls()
        tar = TarReader(source)
        for entry in tar:
            name = os.path.normpath("/" + entry.name)
            if len(archive.members) + len(archive.links) >= MOST_MEMBERS:
                raise InvalidParameter(f"invalid archive: more than {MOST_MEMBERS} members")
            archive.links.pop(name, None)
            if entry.kind == FILE and entry.pieces is None:
                archive.members[name] = ingest.write(tar.data())
            elif entry.kind == SYMLINK:
                archive.links[name] = os.path.normpath(os.path.join(os.path.dirname(name), entry.link))
            elif entry.kind == HARDLINK:
                archive.links[name] = os.path.normpath("/" + entry.link)
        return archive

    def images(self, wanted: oci.Platform | None = None) -> list[Found]:
        """What is in it.

        Args:
            wanted: see the class.

        Raises:
            InvalidParameter: nothing that could be loaded, or something that contradicts itself. NotFound: an image is not there
            for that platform.
        """
        self.wanted = wanted
        if "/" + MANIFEST in self.members:
            return [self._of_entry(entry) for entry in self._entries()]
        if "/" + INDEX in self.members:
            return self._of_index()
        raise InvalidParameter("invalid archive: does not contain a manifest.json")

    def blob(self, name: str) -> Blob:
        """A member by name; old archives link equal layers to each other."""
        path = os.path.normpath("/" + name)
        for _ in range(MOST_LINKS):
            if path in self.members:
                return self.members[path]
            if path not in self.links:
                raise InvalidParameter(f"open {name}: no such file or directory")
            path = self.links[path]
        raise InvalidParameter(f"open {name}: too many levels of symbolic links")

    def _described(self, descriptor: oci.Descriptor) -> Blob:
        """The blob of a descriptor, which it must fit."""
        blob = self.blob(oci.member(descriptor.digest))
        if blob.digest != descriptor.digest:
            raise InvalidParameter(f"content digest {blob.digest} does not match {descriptor.digest}")
        if blob.size != descriptor.size:
            raise InvalidParameter(f"blob {descriptor.digest}: size {blob.size} does not match {descriptor.size}")
        return blob

    # docker-archive

    def _entries(self) -> list[Entry]:
        data = self.blob(MANIFEST).read(oci.LARGEST_DOCUMENT)
        if data.strip() == b"null":
            raise InvalidParameter("invalid manifest, manifest cannot be null (but can be [])")
        return oci.decoded(data, list[Entry], MANIFEST)

    def _of_entry(self, entry: Entry) -> Found:
        config = self.blob(entry.Config)
        found = Found(config, [self.blob(name) for name in entry.Layers or ()], [_tag(t) for t in entry.RepoTags or ()])
        if not self._fits(config):
            return self._instead(found)
        if kept := self._kept(config):
            found.manifest, found.layers = kept
        if not self.wanted:
            found.trees = [(each, own) for each, own in self._standing_for(found.names) if _leads(each, config.digest)]
        return found

    def _standing_for(self, names: Sequence[reference.Reference]) -> list[tuple[Tree, list[reference.Reference]]]:
        """The indexes that some of `names` stand for, with those; of an image without names those that have none either."""
        if not names:
            return [(each, []) for each, own in self._names if not own]
        found = [(each, [name for name in own if name in names]) for each, own in self._names]
        return [(each, own) for each, own in found if own]

    @cached_property
    def _names(self) -> list[tuple[Tree, list[reference.Reference]]]:
        """What stands for each index."""
        return [(each, _annotated(each.top.descriptor)) for each in self._indexes]

    def _fits(self, config: Blob) -> bool:
        """Whether an image is for the platform that is wanted."""
        if self.wanted is None:
            return True
        own = oci.decoded(config.read(oci.LARGEST_DOCUMENT), oci.Platform, "invalid image config")
        return bool(platforms.best([oci.Descriptor(platform=own)], self.wanted))

    def _instead(self, found: Found) -> Found:
        """The image for the platform that is wanted, from an index that a name of `found` stands for."""
        for each, _ in self._standing_for(found.names):
            listed = [child for branch in each.branches for child in branch.children if child.platform]
            for descriptor in platforms.best(listed, self.wanted):
                if self._look(descriptor):
                    image = self._of_descriptor(descriptor)
                    image.names = found.names
                    return image
        raise self._absent(found)

    def _absent(self, found: Found) -> NotFound:
        name = found.names[0].familiar if found.names else found.config.digest
        shown = platforms.shown(self.wanted or platforms.host())
        return NotFound(f"image with reference {name} was found but does not provide the specified platform ({shown})")

    def _kept(self, config: Blob) -> tuple[Blob, list[Blob]] | None:
        """The manifest of a config with its layers, if it is here and complete."""
        for document, manifest in self._manifests.get(config.digest, ()):
            try:
                return document, [self._described(layer) for layer in manifest.layers]
            except InvalidParameter:
                continue  # an archive for old clients is not refused for what only new ones read
        return None

    @cached_property
    def _manifests(self) -> dict[str, list[tuple[Blob, oci.Manifest]]]:
        """Of the OCI form, by the config they name: the manifests of index.json, and those below its indexes."""
        found: dict[str, list[tuple[Blob, oci.Manifest]]] = {}
        below = [branch.descriptor for each in self._indexes for branch in each.branches]
        for entry in filter(oci.is_manifest, [*self._top(), *below]):
            try:
                document = self._described(entry)
                manifest = oci.manifest(document.read(oci.LARGEST_DOCUMENT))
            except InvalidParameter:
                continue
            found.setdefault(manifest.config.digest, []).append((document, manifest))
        return found

    def _top(self) -> list[oci.Descriptor]:
        if "/" + INDEX not in self.members:
            return []
        try:
            return oci.index(self.blob(INDEX).read(oci.LARGEST_DOCUMENT)).manifests
        except InvalidParameter:
            return []

    @cached_property
    def _indexes(self) -> list[Tree]:
        """The indexes index.json names; a broken one is none, as for `_kept`."""
        found = []
        for entry in self._top():
            try:
                each = tree(entry, self._look) if entry.media_type in oci.INDEX_TYPES else None
            except InvalidParameter:
                continue
            found += [each] if each else []
        return found

    def _look(self, descriptor: oci.Descriptor) -> Blob | None:
        """The blob of a descriptor, if the archive has it."""
        path = "/" + oci.member(descriptor.digest)
        return self._described(descriptor) if path in self.members or path in self.links else None

    # OCI layout

    def _of_index(self) -> list[Found]:
        index = oci.index(self.blob(INDEX).read(oci.LARGEST_DOCUMENT))
        found: dict[str, Found] = {}
        for entry in self._chosen(index.manifests):
            image = self._of_descriptor(entry)
            known = found.setdefault(image.config.digest, image)
            names = [name for name in _annotated(entry) if name not in known.names]
            known.names += names
            if not self._fits(image.config):
                raise self._absent(known)
            came = tree(entry, self._look) if (names or not _annotated(entry)) and not self.wanted else None
            known.trees += [(came, names)] if came else []
        return list(found.values())

    def _chosen(self, entries: list[oci.Descriptor]) -> Iterator[oci.Descriptor]:
        """Every image the top index names; of those without a name only the best for the platform."""
        named = [entry for entry in entries if _annotated(entry)]
        yield from named
        if not named or len(entries) == 1:
            plain = [entry for entry in entries if entry not in named and not oci.is_attestation(entry)]
            yield from plain if len(plain) == 1 else platforms.best(plain, self.wanted)[:1]

    def _of_descriptor(self, descriptor: oci.Descriptor) -> Found:
        for _ in range(DEEPEST):
            blob = self._described(descriptor)
            data = blob.read(oci.LARGEST_DOCUMENT)
            if not oci.is_index(descriptor, data):
                manifest = oci.manifest(data, descriptor.media_type)
                layers = [self._described(layer) for layer in manifest.layers]
                return Found(self._described(manifest.config), layers, [], blob)
            descriptor = self._present(oci.index(data, descriptor.media_type))
        raise InvalidParameter(f"indexes are nested more than {DEEPEST} deep")

    def _present(self, index: oci.Index) -> oci.Descriptor:
        """The best platform of an index among those the archive has."""
        present = [entry for entry in index.manifests if "/" + oci.member(entry.digest) in self.members]
        best = platforms.best(present, self.wanted)
        if not best:
            shown = platforms.shown(self.wanted or platforms.host())
            raise InvalidParameter(f"no matching manifest for {shown} in the manifest list entries")
        return best[0]


def _tag(text: str) -> reference.Reference:
    """A name of manifest.json, which must have a tag."""
    try:
        parsed = reference.parse(text)
    except InvalidParameter:
        raise InvalidParameter(f'invalid tag "{text}"') from None
    if not parsed.tag or parsed.digest:
        raise InvalidParameter(f'invalid tag "{text}"')
    return parsed


def _leads(index: Tree, config: str) -> bool:
    """Whether an index lists the image of a config."""
    return any(child.digest == config for branch in index.branches for child in branch.children)


def _annotated(descriptor: oci.Descriptor) -> list[reference.Reference]:
    """The name an index gives an image: containerd's whole one, else a ref.name that is more than a bare tag."""
    annotations = descriptor.annotations or {}
    text = annotations.get(NAME, "")
    if not text and (":" in annotations.get(REF_NAME, "") or "/" in annotations.get(REF_NAME, "")):
        text = annotations[REF_NAME]
    if not text:
        return []
    parsed = reference.parse(text).tagged()
    return [] if parsed.digest else [parsed]
