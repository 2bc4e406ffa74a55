"""Pulling: a name at a registry becomes an image here, with Docker's progress lines."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial

from dockwright.base.errors import EngineError, Forbidden, Internal, InvalidParameter, NotFound
from dockwright.base.ids import SHORT
from dockwright.events import EventBus
from dockwright.grammar.reference import TAG, Reference, parse
from dockwright.images import oci, platforms, store
from dockwright.images.archive import Found
from dockwright.images.content import Blob, Content, Ingest, checked
from dockwright.images.load import Loader, explained
from dockwright.images.manifests import Resolved, resolve
from dockwright.images.progress import Emit, Line, Meter, lines
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.failures import Refused, RegistryError
from dockwright.images.registry.repository import Repository
from dockwright.metadata import Database

SCRATCH = "'scratch' is a reserved name"


@dataclass(frozen=True)
class PullRequest:
    """What a client wants.

    Attributes:
        reference: with a tag or digest, but for `all_tags`. platform: None for this host's.
    """

    reference: Reference
    platform: oci.Platform | None = None
    all_tags: bool = False
    caller: Caller = field(default_factory=Caller)


class Puller:
    """Brings images from registries."""

    def __init__(
        self, database: Database, content: Content, loader: Loader, events: EventBus, registries: Registries
    ) -> None:
        self._database, self._content, self._loader = database, content, loader
        self._events, self._registries = events, registries
        self._slots = asyncio.Semaphore(registries.settings.downloads)

    def pull(self, request: PullRequest) -> AsyncIterator[Line]:
        """Progress documents.

        Raises:
            EngineError: in Docker's words; before the first document if nothing could be found out.
        """
        if request.reference.familiar_name == "scratch":
            raise Forbidden(SCRATCH)
        return lines(partial(self._pull, request))

    async def _pull(self, request: PullRequest, emit: Emit) -> None:
        reference = request.reference
        try:
            changed = await self._registries.at_each(
                reference.domain, reference.path, request.caller, partial(self._from, request=request, emit=emit)
            )
        except RegistryError as error:
            raise explained_pull(error, reference) from error
        except OSError as error:
            raise explained(error) from error
        shown = reference.familiar_name if request.all_tags else reference.familiar
        newer = "Downloaded newer image for" if changed else "Image is up to date for"
        emit({"status": f"Status: {newer} {shown}"})

    async def _from(self, repository: Repository, request: PullRequest, emit: Emit) -> bool:
        """Everything that is asked for, from one endpoint; whether something is new."""
        if not request.all_tags:
            return await self._one(repository, request.reference, request.platform, emit)
        changed = False
        for tag in await repository.tags():
            changed |= await self._one(repository, replace(request.reference, tag=tag), request.platform, emit)
        return changed

    async def _one(self, repository: Repository, reference: Reference, platform: oci.Platform | None, emit: Emit) -> bool:
        resolved = await resolve(repository, reference, platform)
        emit({"status": f"Pulling from {reference.path}", "id": str(reference) if reference.digest else reference.tag})
        ident = checked(resolved.manifest.config.digest)
        if not store.exists(self._database.read(), ident):
            await self._make(resolved, emit)
        changed = await self._database.write(lambda c: _named(c, reference, resolved, ident))
        emit({"status": f"Digest: {resolved.top.digest}"})
        labels = store.load(self._database.read(), ident).container_config.get("Labels") or {}
        self._events.publish("image", "pull", reference.familiar, {**labels, "name": reference.familiar_name})
        return changed

    async def _make(self, resolved: Resolved, emit: Emit) -> None:
        ingest = self._content.ingest()
        try:
            await self._loader.make(await self._found(resolved, ingest, emit))
        finally:
            await asyncio.to_thread(ingest.close)

    async def _found(self, resolved: Resolved, ingest: Ingest, emit: Emit) -> Found:
        config = await self._blob(resolved.repository, resolved.manifest.config, ingest, lambda line: None)
        for layer in resolved.manifest.layers:
            emit({"status": "Pulling fs layer", "progressDetail": {}, "id": layer.digest[7 : 7 + SHORT]})
        layers = await asyncio.gather(
            *(self._blob(resolved.repository, layer, ingest, emit) for layer in resolved.manifest.layers)
        )
        return Found(config, layers, [], ingest.write([resolved.document.data]))

    async def _blob(self, repository: Repository, descriptor: oci.Descriptor, ingest: Ingest, emit: Emit) -> Blob:
        ident = descriptor.digest[7 : 7 + SHORT]
        pieces = []
        meter = Meter(emit, "Downloading", ident, descriptor.size)
        async with self._slots, repository.blob(descriptor.digest) as response:
            size = 0
            while piece := await response.content.readany():
                size += len(piece)
                pieces.append(piece)
                meter.report(size)
        blob = await asyncio.to_thread(ingest.write, pieces)
        if blob.digest != descriptor.digest:
            raise InvalidParameter(f"filesystem layer verification failed for digest {descriptor.digest}")
        emit({"status": "Download complete", "progressDetail": {}, "id": ident})
        emit({"status": "Pull complete", "progressDetail": {}, "id": ident})
        return blob


def _named(connection: sqlite3.Connection, reference: Reference, resolved: Resolved, ident: str) -> bool:
    """The image gets the name it was pulled by, and its digest there; whether that changed anything."""
    before = store.named(connection, reference)
    store.set_digest(connection, reference.name, resolved.top.digest, ident)
    if not reference.digest:
        store.set_tag(connection, str(reference), ident, resolved.top.digest)
    for descriptor in (resolved.manifest.config, *resolved.manifest.layers):
        store.add_source(connection, descriptor.digest, reference.domain, reference.path)
    return before != ident


def pull_request(name: str, tag: str, platform: str, caller: Caller, all_platforms: bool) -> PullRequest:
    """The wish of a client. Raises InvalidParameter in Docker's words."""
    reference = parse(name.removesuffix(":"))
    if tag.partition(":")[1]:
        reference = replace(reference, tag="", digest=checked(tag))
    elif tag:
        if not TAG.fullmatch(tag):
            raise InvalidParameter("invalid tag format")
        reference = replace(reference, tag=tag, digest="")
    wanted = platforms.parse(platform) if platform else None
    everything = not (reference.tag or reference.digest)
    return PullRequest(reference, wanted, everything, caller)


def explained_pull(error: RegistryError, reference: Reference) -> EngineError:
    """A registry's refusal, as Docker passes it on."""
    code = error.code if isinstance(error, Refused) else ""
    if code == "DENIED":
        text = f"pull access denied for {reference.familiar_name}, repository does not exist or may require 'docker login'"
        return NotFound(f"{text}: {error.text}")
    if code == "MANIFEST_UNKNOWN":
        return NotFound(f"manifest for {reference.familiar} not found: {error.text}")
    if code == "NAME_UNKNOWN":
        return NotFound(f"repository {reference.familiar_name} not found: {error.text}")
    return Internal(error.text)
