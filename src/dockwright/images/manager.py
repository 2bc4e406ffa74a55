"""The image manager: what each request of the API does to an image; and the layers containers stand on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.base.findings import Place
from dockwright.base.paths import Paths
from dockwright.events import EventBus
from dockwright.grammar import reference
from dockwright.images import documents, listing, owned, progress, recovery, snapshotters, store
from dockwright.images.assembly import Assembler
from dockwright.images.attestations import Attestations
from dockwright.images.checking import Checker
from dockwright.images.committing import Committer, Wanted
from dockwright.images.content import Content
from dockwright.images.deleting import Deleter
from dockwright.images.importing import Importer
from dockwright.images.inquiry import Inquirer
from dockwright.images.layers import Layers, chain_ids
from dockwright.images.load import Loader
from dockwright.images.oci import Platform
from dockwright.images.prune import Pruner
from dockwright.images.pull import Puller, pull_request
from dockwright.images.push import Pusher, push_request
from dockwright.images.rebuilding import Rebuilder
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.credentials import Credentials
from dockwright.images.registry.settings import RegistrySettings
from dockwright.images.save import Saver
from dockwright.images.seeing import Seeing
from dockwright.images.store import Image
from dockwright.images.trash import Trash
from dockwright.images.variants import Variants
from dockwright.images.verifying import Verifier
from dockwright.metadata import Database, references

Rows = list[dict[str, Any]]
Names = list[str]


def _tagged(connection: sqlite3.Connection, source: str, name: str, ident: str) -> None:
    manifest = store.load(connection, ident).manifest
    came_as = store.target(connection, source) if source else store.index_beside(connection, manifest)
    store.set_tag(connection, name, ident, came_as)
    store.mark_tagged(connection, ident)


class ImageManager:
    """All images of one data root.

    Args:
        driver: name of the storage driver, "" to choose. trusted: see `recovery.recover`.
        options: of the storage driver. policy: see `verifying.Verifier`. keep_blobs: see `Assembler`.

    Raises:
        InvalidParameter: no such driver, or option of it.
    """

    def __init__(
        self, database: Database, paths: Paths, events: EventBus, driver: str = "", trusted: bool = False,
        registry: RegistrySettings | None = None,
        options: dict[str, str] | None = None, policy: str = "", keep_blobs: bool = True,
    ) -> None:  # fmt: skip
        self._database, self._events = database, events
        database.migrate("images", store.MIGRATIONS)
        trash = Trash(paths.trash)
        self._drivers = drivers = snapshotters.Drivers(paths.snapshotter, paths.trash, driver, options or {})
        self._driver = drivers.chosen
        self._content = content = Content(paths.content, trash)
        self._assembler = Assembler(database, self._driver, content, trash, keep_blobs)
        rebuilder = Rebuilder(database, self._driver, content, self._assembler)
        self.layers = Layers(database, drivers, self._assembler)
        self._loader = Loader(database, content, self._assembler, events)
        self._saver = Saver(database, content, self._assembler, rebuilder, events)
        self._owned = partial(owned.owned, drivers=drivers, content=content, trash=trash)
        self.findings = Checker(database, drivers, content, self._assembler, trash).findings
        self._committer = Committer(database, content, self.layers, self._loader, events)
        seeing = Seeing(database, self._driver, self._assembler)
        self.layer_contents, self.diff = seeing.layers, seeing.diff
        self._deleter = Deleter(database, self._assembler, events)
        self._pruner = Pruner(database, events)
        self._registries = Registries(registry or RegistrySettings())
        self._verifier = Verifier(database, content, self._loader, self._registries, policy)
        self._puller = Puller(
            database, content, self._loader, self._assembler.arrivals, events, self._registries, self._verifier
        )
        self._pusher = Pusher(database, content, self._assembler, rebuilder, self._loader, events, self._registries)
        self._inquirer = Inquirer(self._registries)
        self._importer = Importer(content, self._loader, events, self._registries.transport)
        database.write_now(lambda c: recovery.recover(c, self._driver, content, self._assembler, trash, trusted))

    @property
    def driver_name(self) -> str:
        """Name of the storage driver."""
        return self._driver.name

    def driver_status(self) -> list[list[str]]:
        """DriverStatus of info."""
        return self._driver.status()

    def resolve(self, name: str) -> Image:
        """The image a user means. Raises NotFound in Docker's words."""
        return store.find(self._database.read(), name)

    def chain_of(self, image: Image) -> str:
        """The chain ID of an image's topmost layer, "" if it has none."""
        return (chain_ids(image.diff_ids) or [""])[-1]

    async def list(
        self, *, all: bool, filters: dict[str, Names], shared_size: bool, manifests: bool = False
    ) -> Rows:  # fmt: skip
        """GET /images/json."""
        connection = self._database.read()
        sizes = documents.shared_sizes(connection) if shared_size else None
        rows = documents.summaries(listing.every(connection), all, filters, self.resolve, sizes)
        if manifests:
            variants = Variants(connection, self._content)
            for row in rows:
                users = [owner for kind, owner in references.users(connection, "image", row["Id"]) if kind == "container"]
                row["Manifests"] = variants.of(row["Id"], row["Size"], users)
        return rows

    def owned(self) -> Sequence[Place]:
        """Every place of the room on the disk, with what it is and whose."""
        return list(self._owned(self._database.read()))

    def layers_size(self) -> int:
        """Bytes of all image layers, each of them once."""
        return store.layers_size(self._database.read(), self._driver.name)

    async def inspect(self, name: str) -> dict[str, Any]:
        """GET /images/{name}/json."""
        image = self.resolve(name)
        graph = self.layers.image_graph_driver(self.chain_of(image))
        return documents.inspect(image, graph)

    async def attestations(
        self, name: str, platform: Platform | None = None, types: Collection[str] = (), statements: bool = False
    ) -> Rows:
        """GET /images/{name}/attestations; see `Attestations.of`."""
        image = self.resolve(name)

        def read() -> Rows:
            return Attestations(self._database.read(), self._content).of(image, platform, types, statements)

        return await asyncio.to_thread(read)

    async def history(self, name: str) -> Rows:
        """GET /images/{name}/history."""
        connection = self._database.read()
        ancestry = store.ancestry(connection, self.resolve(name))
        return documents.history(ancestry, [row.size for row in store.layers(connection, ancestry[0].id)])

    async def tag(self, name: str, repo: str, tag: str) -> None:
        """Give an image another name; a name in use moves."""
        image = self.resolve(name)
        parsed = reference.parse(repo)
        if tag and not reference.TAG.fullmatch(tag):
            raise InvalidParameter("invalid tag format")
        if parsed.digest:
            raise InvalidParameter("refusing to create a tag with a digest reference")
        if parsed.familiar_name == "sha256":
            raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
        target = reference.Reference(parsed.domain, parsed.path, tag or parsed.tag or reference.DEFAULT_TAG)
        await self._database.write(partial(_tagged, source=store.meant(image, name), name=str(target), ident=image.id))
        self._publish("tag", image, target.familiar)

    async def delete(self, name: str, force: bool, noprune: bool, running: Collection[str] = ()) -> Rows:
        """DELETE /images/{name}; see `Deleter.delete`."""
        return await self._deleter.delete(name, force, noprune, running)

    def descendants(self, ident: str) -> set[str]:
        """An image and all that were built on it here, by id."""
        return store.descendants(self._database.read(), ident)

    async def commit(self, wanted: Wanted) -> str:
        """POST /commit: an image of a container; returns its id."""
        return await self._committer.commit(wanted)

    async def prune(self, filters: dict[str, Names], running: Collection[str] = ()) -> dict[str, Any]:
        """POST /images/prune; see `Pruner.prune`."""
        return await self._pruner.prune(filters, lambda name: self.delete(name, False, False, running))

    def load(
        self, body: AsyncIterator[bytes], quiet: bool, platform: Platform | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """POST /images/load: progress documents."""
        return self._loader.load(body, quiet, platform)

    def save(self, names: Names, platform: Platform | None = None) -> AsyncIterator[bytes]:
        """GET /images/get: a tar. Raises NotFound before its first byte."""
        return self._saver.save(names, platform)

    def import_(
        self, body: AsyncIterator[bytes], repo: str, tag: str, message: str, changes: Names, platform: str = "",
        source: str = "-",
    ) -> AsyncIterator[dict[str, Any]]:  # fmt: skip
        """POST /images/create?fromSrc=: progress documents. Raises EngineError at once for bad parameters."""
        return self._importer.import_(body, repo, tag, message, changes, platform, source)

    async def close(self) -> None:
        """End what is under way; what it did is undone. Then let go of the storage drivers."""
        await progress.end_all()
        await self._registries.close()
        await asyncio.to_thread(self._drivers.close)

    def pull(
        self, name: str, tag: str, platform: str, caller: Caller, all_platforms: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """POST /images/create?fromImage=: progress documents.

        Args:
            tag: a tag or digest; "" where `name` has neither means all tags.

        Raises:
            InvalidParameter: at once, for what cannot be. EngineError: what came of it, later.
        """
        return self._puller.pull(pull_request(name, tag, platform, caller, all_platforms))

    def configure(self, registry: RegistrySettings) -> None:
        """Follow other settings about registries from now on."""
        self._registries.configure(registry)

    def push(self, name: str, tag: str, platform: Platform | None, caller: Caller) -> AsyncIterator[dict[str, Any]]:
        """POST /images/{name}/push: progress documents.

        Args:
            tag: "" where `name` has none means all tags. platform: only the image for this one.

        Raises:
            InvalidParameter: at once, for what cannot be. EngineError: what came of it, later.
        """
        return self._pusher.push(push_request(name, tag, platform, caller))

    async def verify(self, name: str, keys: Names, caller: Caller, offline: bool) -> dict[str, Any]:
        """POST /dockwright/v1/images/{name}/verify; see `Verifier.verify`."""
        return await self._verifier.verify(name, keys, caller, offline)

    async def login(self, credentials: Credentials, upstream: str) -> dict[str, str]:
        """POST /auth; see `Inquirer.login`."""
        return await self._inquirer.login(credentials, upstream)

    async def distribution(self, name: str, caller: Caller) -> dict[str, Any]:
        """GET /distribution/{name}/json; see `Inquirer.distribution`."""
        return await self._inquirer.distribution(name, caller)

    async def search(self, term: str, limit: int, filters: dict[str, Names], caller: Caller) -> Rows:
        """GET /images/search; see `Inquirer.search`."""
        return await self._inquirer.search(term, limit, filters, caller)

    def _publish(self, action: str, image: Image, name: str) -> None:
        labels = dict(image.container_config.get("Labels") or {})
        self._events.publish("image", action, image.id, {**labels, "name": name})

