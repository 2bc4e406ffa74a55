"""Pushing: an image goes to a registry, with Docker's progress lines."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from dockwright.base.errors import EngineError, Internal, InvalidParameter, NotFound
from dockwright.base.ids import SHORT
from dockwright.events import EventBus
from dockwright.grammar.reference import TAG, Reference, parse
from dockwright.images import blobrows, oci, store
from dockwright.images.assembly import Assembler
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.load import Loader, explained
from dockwright.images.outgoing import Gatherer, Outgoing, Piece, pack
from dockwright.images.progress import Emit, Line, Meter, lines
from dockwright.images.rebuilding import Rebuilder
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.endpoints import PUSH
from dockwright.images.registry.failures import RegistryError, Unadmitted
from dockwright.images.registry.repository import Repository
from dockwright.images.upload import PREPARING, PUSHING, WAITING, Tell, Upload
from dockwright.images.workers import together
from dockwright.metadata import Database


@dataclass(frozen=True)
class PushRequest:
    """What a client wants.

    Attributes:
        reference: without a tag all tags are meant. platform: only the image for this one.
    """

    reference: Reference
    platform: oci.Platform | None = None
    caller: Caller = field(default_factory=Caller)


def push_request(name: str, tag: str, platform: oci.Platform | None, caller: Caller) -> PushRequest:
    """The wish of a client. Raises InvalidParameter in Docker's words."""
    parsed = parse(name)
    if parsed.digest:
        raise InvalidParameter("cannot push a digest reference")
    if tag and not TAG.fullmatch(tag):
        raise InvalidParameter("invalid tag format")
    return PushRequest(Reference(parsed.domain, parsed.path, tag or parsed.tag), platform, caller)


class Pusher:
    """Sends images to registries."""

    def __init__(
        self, database: Database, content: Content, assembler: Assembler, rebuilder: Rebuilder, loader: Loader,
        events: EventBus, registries: Registries,
    ) -> None:  # fmt: skip
        self._database, self._content, self._assembler, self._loader = database, content, assembler, loader
        self._rebuilder, self._events, self._registries = rebuilder, events, registries

    def push(self, request: PushRequest) -> AsyncIterator[Line]:
        """Progress documents; what goes wrong is told in them.

        Raises:
            EngineError: in Docker's words.
        """
        return lines(partial(self._push, request))

    async def _push(self, request: PushRequest, emit: Emit) -> None:
        reference = request.reference
        emit({"status": f"The push refers to repository [{reference.name}]"})
        chosen = self._chosen(reference)
        try:
            await self._registries.at_each(
                reference.domain, reference.path, request.caller,
                partial(self._all, request=request, chosen=chosen, emit=emit), PUSH,
            )  # fmt: skip
        except RegistryError as error:
            raise explained_push(error) from error
        except OSError as error:
            raise explained(error) from error
        self._tell(reference, chosen)

    def _tell(self, reference: Reference, chosen: list[tuple[str, str, str]]) -> None:
        """The event: one for all tags."""
        labels: dict[str, str] = {}
        if reference.tag and store.exists(self._database.read(), chosen[0][1]):
            labels = store.load(self._database.read(), chosen[0][1]).container_config.get("Labels") or {}
        self._events.publish("image", "push", reference.familiar, {**labels, "name": reference.familiar_name})

    def _chosen(self, reference: Reference) -> list[tuple[str, str, str]]:
        """(tag, image, target) of what is to be sent.

        Raises:
            NotFound: in Docker's words.
        """
        known = store.tags(self._database.read(), reference.name)
        if not known:
            raise NotFound(f"An image does not exist locally with the tag: {reference.familiar_name}")
        chosen = [entry for entry in known if not reference.tag or entry[0] == reference.tag]
        if not chosen:
            raise NotFound(f"tag does not exist: {reference.familiar}")
        return chosen

    async def _all(
        self, repository: Repository, request: PushRequest, chosen: list[tuple[str, str, str]], emit: Emit
    ) -> None:
        await repository.greet()
        for tag, ident, target in chosen:
            await self._one(repository, request, tag, ident, target, emit)

    async def _one(
        self, repository: Repository, request: PushRequest, tag: str, ident: str, target: str, emit: Emit
    ) -> None:
        """One tag."""
        reference = Reference(request.reference.domain, request.reference.path, tag)
        ingest = self._content.ingest()
        try:
            async with self._assembler.lease() as lease:
                await self._assembler.protect(lease, await self._database.write(lambda c: _all_blobs(c, ident, target)))
                await self._rebuilder.restore(lease, [ident])
                image = store.load(self._database.read(), ident)
                out = await asyncio.to_thread(self._gathered, ingest, image, target, request.platform)
                await self._sent(repository, reference, out, ingest, emit)
                digest, data, _ = out.documents[-1]
                keeping = [await asyncio.to_thread(ingest.write, [data])]
                await self._loader.keep(keeping, partial(_note, reference, out), ident)
        finally:
            await asyncio.to_thread(ingest.close)
        emit({"status": f"{tag}: digest: {digest} size: {len(data)}"})
        emit({"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": len(data)}})

    def _gathered(self, ingest: Ingest, image: store.Image, target: str, platform: oci.Platform | None) -> Outgoing:
        return Gatherer(self._database.read(), self._content, ingest).gather(image, target, platform)

    async def _sent(
        self, repository: Repository, reference: Reference, out: Outgoing, ingest: Ingest, emit: Emit
    ) -> None:
        """Layers, topmost first; then configs; then documents."""
        pieces = list({piece.digest: piece for piece in reversed(out.layers)}.values())
        for piece in pieces:
            _line(emit, PREPARING, piece)
        for piece in pieces[self._registries.settings.uploads :]:
            _line(emit, WAITING, piece)
        await together(
            [self._piece(repository, reference, piece, ingest, _teller(emit, piece)) for piece in pieces]
        )
        for piece in out.configs:
            await self._piece(repository, reference, piece, ingest, lambda status, count: None)
        for digest, data, media_type in out.documents[:-1]:
            await repository.put_manifest(digest, data, media_type, digest)
        digest, data, media_type = out.documents[-1]
        await repository.put_manifest(reference.tag, data, media_type, digest)

    async def _piece(
        self, repository: Repository, reference: Reference, piece: Piece, ingest: Ingest, tell: Tell
    ) -> None:
        settings = self._registries.settings
        async with self._registries.uploads:
            known = blobrows.sources(self._database.read(), piece.digest, reference.domain)
            origins = [path for path in known if path != reference.path]
            upload = Upload(repository, piece.digest, piece.blob, origins, settings.attempts, settings.pause)
            if piece.blob is None and piece.plain and not await repository.has_blob(piece.digest):
                upload.blob = await asyncio.to_thread(self._packed, piece.plain, piece.digest, ingest)
            await upload.send(tell)

    def _packed(self, plain: Blob, digest: str, ingest: Ingest) -> Blob:
        """A compressed blob made again. Raises Internal: it has become another one."""
        packed = pack(plain, ingest)
        if packed.digest != digest:
            raise Internal(f"the layer {plain.digest} cannot be compressed to {digest} again")
        return packed


def _line(emit: Emit, status: str, piece: Piece) -> None:
    emit({"status": status, "progressDetail": {}, "id": piece.shown[7 : 7 + SHORT]})


def _teller(emit: Emit, piece: Piece) -> Tell:
    """How one blob goes, as lines."""
    meter = Meter(emit, PUSHING, piece.shown[7 : 7 + SHORT], piece.size)

    def tell(status: str, count: int) -> None:
        if status == PUSHING:
            meter.report(count)
        else:
            _line(emit, status, piece)

    return tell


def _all_blobs(connection: sqlite3.Connection, ident: str, target: str) -> Sequence[str]:
    """Everything that a push of an image may read."""
    image = store.load(connection, ident)
    roots = [ident, image.manifest, target, *(row.blob for row in store.layers(connection, ident))]
    return [digest for digest in [*roots, *blobrows.below(connection, roots)] if digest]


def _note(reference: Reference, out: Outgoing, connection: sqlite3.Connection, ident: str) -> None:
    """The registry has the image now: its digest there, where its blobs can be had, what plain layers became."""
    digest = out.documents[-1][0]
    store.set_digest(connection, reference.name, digest, ident)
    store.set_target(connection, str(reference), ident, digest)
    for piece in (*out.layers, *out.configs):
        blobrows.add_source(connection, piece.digest, reference.domain, reference.path)
        if piece.plain:
            blobrows.add_packed(connection, piece.plain.digest, piece.digest, piece.size)


def explained_push(error: RegistryError) -> EngineError:
    """A registry's refusal, as Docker passes it on."""
    return Internal(error.cause if isinstance(error, Unadmitted) else error.text)
