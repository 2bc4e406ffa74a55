"""Pulling: a name at a registry becomes an image here, with Docker's progress lines."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from dockwright.base.errors import EngineError, Forbidden, Internal, InvalidParameter, NotFound
from dockwright.events import EventBus
from dockwright.grammar.reference import TAG, Reference, parse
from dockwright.images import blobrows, oci, platforms, store
from dockwright.images.archive import Found
from dockwright.images.arrival import Arrivals, Remote
from dockwright.images.assembly import WrongDiff
from dockwright.images.companions import Companions
from dockwright.images.content import DIGEST, Blob, Content, Ingest, checked
from dockwright.images.download import Lane
from dockwright.images.layerlines import LayerLines
from dockwright.images.load import Loader, Naming, explained
from dockwright.images.manifests import Resolved, resolve
from dockwright.images.progress import Emit, Line, lines
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.failures import Refused, RegistryError
from dockwright.images.registry.repository import Repository
from dockwright.images.signatures.finding import Attached
from dockwright.images.verifying import Verifier, note, written
from dockwright.metadata import Database

SCRATCH = "'scratch' is a reserved name"
NO_CONFIG = "error pulling image configuration"
MISMATCH = "layers from manifest don't match image configuration"


@dataclass(frozen=True)
class PullRequest:
    """What a client wants.

    Attributes:
        reference: with a tag or digest, but for `all_tags`. platform: None for this host's. all_platforms: keep the
            whole index, not only the image that is unpacked.
    """

    reference: Reference
    platform: oci.Platform | None = None
    all_tags: bool = False
    all_platforms: bool = False
    caller: Caller = field(default_factory=Caller)


class Puller:
    """Brings images from registries."""

    def __init__(
        self, database: Database, content: Content, loader: Loader, arrivals: Arrivals, events: EventBus,
        registries: Registries, verifier: Verifier,
    ) -> None:  # fmt: skip
        self._database, self._content, self._loader = database, content, loader
        self._events, self._registries, self._verifier = events, registries, verifier
        self._companions = Companions(loader, arrivals)

    @property
    def _lane(self) -> Lane:
        """Where downloads that begin now queue up."""
        settings = self._registries.settings
        return Lane(self._registries.downloads, settings.attempts, settings.pause)

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
        except WrongDiff as error:
            raise InvalidParameter(MISMATCH) from error
        shown = reference.familiar_name if request.all_tags else reference.familiar
        newer = "Downloaded newer image for" if changed else "Image is up to date for"
        emit({"status": f"Status: {newer} {shown}"})
        if request.platform and not request.all_tags:
            self._check_platform(reference, request.platform)

    def _check_platform(self, reference: Reference, wanted: oci.Platform) -> None:
        """A single manifest is pulled whatever it is for; who asked for something else is told. Raises NotFound."""
        image = store.find(self._database.read(), str(reference))
        found = oci.Platform(*(str(image.config.get(key) or "") for key in ("architecture", "os", "variant")))
        if not platforms.best([oci.Descriptor(platform=found)], wanted):
            raise NotFound(
                f"image with reference {reference.familiar} was found but does not match the specified platform: "
                f"wanted {platforms.shown(wanted)}, actual: {platforms.shown(found)}"
            )

    async def _from(self, repository: Repository, request: PullRequest, emit: Emit) -> bool:
        """Everything that is asked for, from one endpoint; whether something is new."""
        if not request.all_tags:
            return await self._one(repository, request.reference, request, emit)
        changed = False
        for tag in await repository.tags():
            changed |= await self._one(repository, _tagged(request.reference, tag), request, emit)
        return changed

    async def _one(self, repository: Repository, reference: Reference, request: PullRequest, emit: Emit) -> bool:
        line = {"status": f"Pulling from {reference.path}", "id": str(reference) if reference.digest else reference.tag}
        there: list[bool] = []
        try:
            resolved = await resolve(repository, reference, request.platform, lambda: there.append(True))
        except EngineError:
            if there:
                emit(line)  # Docker has said so before it looks for a platform, and at what the manifest is made of
            raise
        signatures = await self._verifier.admit(resolved, reference)
        emit(line)
        ident = checked(resolved.manifest.config.digest)
        before = store.named(self._database.read(), reference)
        await self._bring(resolved, reference, ident, emit, signatures, request.all_platforms)
        emit({"status": f"Digest: {resolved.top.digest}"})
        labels = store.load(self._database.read(), ident).container_config.get("Labels") or {}
        self._events.publish("image", "pull", reference.familiar, {**labels, "name": reference.familiar_name})
        return before != ident

    async def _bring(
        self, resolved: Resolved, reference: Reference, ident: str, emit: Emit, signatures: list[Attached], everything: bool
    ) -> None:  # fmt: skip
        """The image, with the whole index it came by if `everything` is wanted."""
        naming = partial(_name, reference, resolved, signatures)
        ingest = self._content.ingest()
        try:
            await self._image(resolved, ident, naming, ingest, emit, signatures)
            if everything:
                await self._companions.keep(resolved, reference, ident, ingest, self._lane)
        finally:
            await asyncio.to_thread(ingest.close)

    async def _image(
        self, resolved: Resolved, ident: str, naming: Naming, ingest: Ingest, emit: Emit, signatures: list[Attached]
    ) -> None:  # fmt: skip
        """The image and its documents; of an image that is here already only the documents."""
        beside = [await asyncio.to_thread(ingest.write, [document.data]) for document in resolved.chain]
        kept = await written(ingest, signatures)
        if store.exists(self._database.read(), ident):
            await self._loader.keep([*beside, *kept], naming, ident)
            return
        config, layers = await self._config(resolved, ingest), self._layers(resolved)
        found = Found(config, layers, [], beside[-1], beside=[*beside[:-1], *kept])
        report = LayerLines(resolved.manifest.layers, emit)
        await self._loader.make(found, report, naming)

    async def _config(self, resolved: Resolved, ingest: Ingest) -> Blob:
        """The config, checked against its descriptor.

        Raises:
            RegistryError, InvalidParameter: it is not to be had, or it is something else.
        """
        descriptor = resolved.manifest.config
        if not 0 <= descriptor.size <= oci.LARGEST_DOCUMENT:
            raise InvalidParameter(f"a config of {descriptor.size} bytes is too large")
        try:
            data = await self._lane.document(resolved.repository, descriptor)
        except RegistryError as error:
            raise RegistryError(f"{NO_CONFIG}: {error.text}") from error
        blob = await asyncio.to_thread(ingest.write, [data])
        if blob.digest != descriptor.digest:
            raise InvalidParameter(f"{NO_CONFIG}: image config verification failed for digest {descriptor.digest}")
        if len(resolved.manifest.layers) != len(_diffs(data)):
            raise InvalidParameter(MISMATCH)
        return blob

    def _layers(self, resolved: Resolved) -> list[Remote]:
        return [self._lane.remote(resolved.repository, layer) for layer in resolved.manifest.layers]


def _name(
    reference: Reference, resolved: Resolved, signatures: list[Attached], connection: sqlite3.Connection, ident: str
) -> None:  # fmt: skip
    """The image gets the name it was pulled by and its digest there; what belongs together is noted."""
    note(connection, signatures)
    store.set_digest(connection, reference.name, resolved.top.digest, ident)
    if not reference.digest:
        store.set_tag(connection, str(reference), ident, resolved.top.digest)
    for parent, child in pairwise(document.digest for document in resolved.chain):
        blobrows.add_children(connection, parent, [child])
    blobs = [descriptor.digest for descriptor in (resolved.manifest.config, *resolved.manifest.layers)]
    blobrows.add_children(connection, resolved.document.digest, blobs)
    for digest in blobs:
        blobrows.add_source(connection, digest, reference.domain, reference.path)


def _diffs(config: bytes) -> list[str]:
    rootfs = oci.config(config).rootfs
    return (rootfs and rootfs.diff_ids) or []


def _tagged(reference: Reference, tag: str) -> Reference:
    """`reference` with a tag its registry told us of. Raises InvalidParameter."""
    if not TAG.fullmatch(tag):
        raise InvalidParameter("invalid tag format")
    return replace(reference, tag=tag)


def pull_request(name: str, tag: str, platform: str, caller: Caller, all_platforms: bool) -> PullRequest:
    """The wish of a client. Raises InvalidParameter in Docker's words."""
    reference = parse(name.removesuffix(":"))
    if DIGEST.fullmatch(tag):
        reference = replace(reference, tag="", digest=tag)
    elif tag:
        reference = replace(_tagged(reference, tag), digest="")
    wanted = platforms.parse(platform) if platform else None
    everything = not (reference.tag or reference.digest)
    return PullRequest(reference, wanted, everything, all_platforms, caller)


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
