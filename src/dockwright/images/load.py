"""Loading and importing: bytes of a request become blobs, layers, an image and its names, or nothing at all.

A load is received into an ingest first, as manifest.json mostly comes last. Then, image by image: rows for its blobs and
layers (`creating`, under a lease), layers unpacked and verified, everything synced, blobs moved to their place, and one
transaction that makes all of it an image. Whatever ends earlier leaves rows that the lease's end, or the next start, undoes.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.base.ids import SHORT
from dockwright.events import EventBus
from dockwright.grammar.reference import Reference
from dockwright.images import blobrows, oci, store
from dockwright.images.archive import Archive, Found
from dockwright.images.assembly import EXTRACTING, Assembler, Part
from dockwright.images.bridge import Bridge, across
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.inflate import CHUNK, opened
from dockwright.images.layers import chain_ids
from dockwright.images.progress import Emit, Line, Meter, lines
from dockwright.images.trees import Tree
from dockwright.kernel.sync import syncfs
from dockwright.metadata import Database

Naming = Callable[[sqlite3.Connection, str], None]  # in the writer's transaction; the image's id
LayerReport = Callable[[int, str, int, int], None]  # index of the layer; see `works.Report`
RECEIVED = 16  # archives at once; more wait, and their clients with them
DEEPEST = 125  # layers of an image, as with Docker's layer store


def _nameless(connection: sqlite3.Connection, ident: str) -> None:
    """For what is complete without more."""


def _silent(index: int, status: str, current: int, total: int) -> None:
    """For whom nobody listens."""


@dataclass
class Made:
    """An image that has been stored: its id, its labels, and the ids that lost a name to it."""

    id: str
    labels: dict[str, str]
    moved: dict[Reference, str]


class Loader:
    """Brings images in."""

    def __init__(self, database: Database, content: Content, assembler: Assembler, events: EventBus) -> None:
        self._database, self._content, self._assembler, self._events = database, content, assembler, events
        self._pool = ThreadPoolExecutor(RECEIVED, "receive")

    def load(self, body: AsyncIterator[bytes], quiet: bool, wanted: oci.Platform | None = None) -> AsyncIterator[Line]:
        """An image archive of any compression; progress documents.

        Args:
            wanted: the platform whose images are loaded, alone; None for this host's, with what their indexes list beside.

        Raises:
            InvalidParameter: hostile, broken, contradictory. NotFound: nothing for that platform. Internal: the disk is full.
            Nothing of the image that failed is left; those before it in the archive are.
        """
        return lines(partial(self._load, body, quiet, wanted))

    async def mark_tagged(self, ident: str) -> None:
        """Note that a user has given the image `ident` a name now."""
        await self._database.write(lambda c: store.mark_tagged(c, ident))

    async def _load(self, body: AsyncIterator[bytes], quiet: bool, wanted: oci.Platform | None, emit: Emit) -> None:
        ingest = self._content.ingest()
        try:
            images = await across(self._pool, body, lambda bridge: Archive.read(opened(bridge), ingest).images(wanted))
            for found in images:
                await self._one(found, quiet, emit)
        except OSError as error:
            raise explained(error) from error
        finally:
            await asyncio.to_thread(ingest.close)

    async def received_tar(self, body: AsyncIterator[bytes], ingest: Ingest) -> Blob:
        """A single tar of any compression, as a blob of its inflated bytes."""
        return await across(self._pool, body, lambda bridge: ingest.write(_chunks(bridge)))

    async def _one(self, found: Found, quiet: bool, emit: Emit) -> None:
        made = await self.make(found, _silent if quiet else _meters(found, emit))
        for tree, names in found.trees if self._assembler.keeps_blobs else ():
            await self.keep(tree.blobs, partial(_stands_for, tree, names), made.id)
        for name, loser in made.moved.items():
            text = f"The image {name.familiar} already exists, renaming the old one with ID {loser} to empty string\n"
            emit({"stream": text})
        for name in found.names:
            emit({"stream": f"Loaded image: {name.familiar}\n"})
        if not found.names:
            emit({"stream": f"Loaded image ID: {made.id}\n"})
        self._events.publish("image", "load", made.id, {**made.labels, "name": made.id})

    async def make(self, found: Found, report: LayerReport = _silent, naming: Naming = _nameless) -> Made:
        """Store one image; layers that are elsewhere are brought meanwhile.

        Args:
            report: hears how each layer goes; from any thread. naming: what else belongs into the transaction that makes it
                an image.

        Raises:
            InvalidParameter: hostile, broken, contradictory. OSError: from the file system. What a layer's `fetch` raises.
            Nothing is left then, but for what has come of blobs that are elsewhere.
        """
        config = found.config.read(oci.LARGEST_DOCUMENT)
        parsed = oci.config(config)
        parts = _parts(_layers_of(parsed, found), found, report)
        async with self._assembler.lease() as lease:
            made = await self._assembler.unpack(lease, parts, [blob.digest for blob in found.documents()])
            await asyncio.to_thread(syncfs, self._content.root)
            held = [*found.documents(), *(layer.blob for layer in made if layer.blob)]
            blobs = {blob.digest: blob for blob in held}  # an image may have the same layer twice
            rows = [
                store.LayerRow(part.chain, part.diff, layer.blob.digest if layer.blob else part.diff, layer.size)
                for part, layer in zip(parts, made, strict=True)
            ]
            async with self._assembler.turn:
                sizes = [(blob.digest, blob.size) for blob in blobs.values()]
                fresh = await self._database.write(lambda c: blobrows.claim_blobs(c, found.config.digest, sizes), durable=False)
                await asyncio.to_thread(self._content.place, [blobs[digest] for digest in fresh])
                moved = await self._database.write(lambda c: _insert(c, found, config, rows, naming), grows=True)
        return Made(found.config.digest, dict((parsed.config and parsed.config.Labels) or {}), moved)

    async def keep(self, documents: Sequence[Blob], naming: Naming, ident: str) -> None:
        """Store documents beside the image `ident`, which is there already; `naming` says what refers to them."""
        digests = [blob.digest for blob in documents]
        async with self._assembler.lease() as lease:
            await self._assembler.protect(lease, digests)
            await asyncio.to_thread(syncfs, self._content.root)
            async with self._assembler.turn:
                sizes = [(blob.digest, blob.size) for blob in documents]
                fresh = await self._database.write(lambda c: blobrows.claim_blobs(c, "", sizes), durable=False)
                await asyncio.to_thread(self._content.place, [blob for blob in documents if blob.digest in fresh])
                await self._database.write(lambda c: _kept(c, digests, naming, ident))


def _stands_for(tree: Tree, names: Sequence[Reference], connection: sqlite3.Connection, ident: str) -> None:
    """What the documents of an index describe is noted, and that `names` mean the index; without names the image keeps it."""
    for branch in tree.branches:
        blobrows.add_children(connection, branch.document.digest, [child.digest for child in branch.children])
    top = tree.top.document.digest
    for name in names:
        store.set_target(connection, str(name), ident, top)
    manifest = store.load(connection, ident).manifest
    if not names and any(branch.document.digest == manifest for branch in tree.branches):
        blobrows.add_children(connection, manifest, [top])  # it goes with the image: see `store.index_beside`


def _kept(connection: sqlite3.Connection, digests: Sequence[str], naming: Naming, ident: str) -> None:
    store.ready_blobs(connection, digests)
    naming(connection, ident)


def _chunks(bridge: Bridge) -> Iterator[bytes]:
    source = opened(bridge)
    while data := source.read(CHUNK):
        yield data


def explained(error: OSError) -> Internal:
    """What the file system said, as Go's errors read."""
    what = f"{error.filename}: " if error.filename else ""
    return Internal(f"Error processing tar file: {what}{(error.strerror or str(error)).lower()}")


def _layers_of(config: oci.Config, found: Found) -> list[str]:
    """The diff IDs of a config that fits its layers."""
    diffs = (config.rootfs.diff_ids if config.rootfs else None) or []
    if len(diffs) != len(found.layers):
        text = f"invalid manifest, layers length mismatch: expected {len(diffs)}, got {len(found.layers)}"
        raise InvalidParameter(text)
    if len(diffs) > DEEPEST:
        raise InvalidParameter("max depth exceeded")
    return diffs


def _parts(diffs: list[str], found: Found, report: LayerReport) -> list[Part]:
    chains = chain_ids(diffs)
    return [
        Part(index, chain, parent, diff, blob, report=partial(report, index))
        for index, (chain, parent, diff, blob) in enumerate(
            zip(chains, ["", *chains], diffs, found.layers, strict=False)
        )
    ]


def _meters(found: Found, emit: Emit) -> LayerReport:
    """How far layers are unpacked, as progress lines; layers that are here already are passed over."""
    diffs = oci.config(found.config.read(oci.LARGEST_DOCUMENT)).rootfs
    meters = [
        Meter(emit, "Loading layer", diff[7 : 7 + SHORT], blob.size)
        for diff, blob in zip((diffs and diffs.diff_ids) or (), found.layers, strict=False)
    ]

    def report(index: int, status: str, current: int, total: int) -> None:
        if status == EXTRACTING:
            meters[index].report(current)

    return report


def _insert(
    connection: sqlite3.Connection, found: Found, config: bytes, rows: list[store.LayerRow], naming: Naming
) -> dict[Reference, str]:
    """The image with its names; returns who lost a name to it."""
    ident = found.config.digest
    store.insert(connection, ident, config, found.manifest.digest if found.manifest else "", rows, found.parent)
    store.ready_blobs(connection, [blob.digest for blob in found.beside])
    moved = {name: store.set_tag(connection, str(name), ident) for name in found.names}
    naming(connection, ident)
    return {name: loser for name, loser in moved.items() if loser}
