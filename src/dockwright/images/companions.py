"""The rest of an index, on request: images for other platforms and attestations, kept as blobs beside the one that is unpacked.

With it the whole index can be pushed as it came.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from dockwright.base.errors import InvalidParameter
from dockwright.grammar.reference import Reference
from dockwright.images import blobrows, oci
from dockwright.images.arrival import Arrivals, Coming, Remote
from dockwright.images.content import Blob, Ingest, checked
from dockwright.images.download import Lane
from dockwright.images.load import Loader
from dockwright.images.manifests import DEEPEST_INDEX, Document, Resolved, described, is_index
from dockwright.images.registry.repository import Repository

MOST = 200  # documents of one index


@dataclass(frozen=True)
class Described:
    """A document of an index, and what it describes."""

    document: Document
    children: tuple[oci.Descriptor, ...]
    is_index: bool


class Companions:
    """Keeps the rest of indexes."""

    def __init__(self, loader: Loader, arrivals: Arrivals) -> None:
        self._loader, self._arrivals = loader, arrivals

    async def keep(self, resolved: Resolved, reference: Reference, ident: str, ingest: Ingest, lane: Lane) -> None:
        """Bring everything below the index that led to the image `ident`.

        Raises:
            RegistryError, InvalidParameter, OSError: something of it is not to be had; the image itself stays.
        """
        if len(resolved.chain) < 2:
            return
        found = await self._documents(resolved.repository, resolved.top)
        own = {descriptor.digest for descriptor in (resolved.manifest.config, *resolved.manifest.layers)}
        blobs = {
            child.digest: child for each in found if not each.is_index for child in each.children if child.digest not in own
        }
        wanted = [lane.remote(resolved.repository, descriptor) for descriptor in blobs.values()]
        documents = [await asyncio.to_thread(ingest.write, [each.document.data]) for each in found]
        async with self._brought(wanted) as arrived:
            await self._loader.keep([*documents, *arrived], partial(_note, reference, found), ident)

    async def _documents(self, repository: Repository, top: Document) -> list[Described]:
        """All documents below `top`, with it."""
        level, found, seen = [top], [], {top.digest}
        for _ in range(DEEPEST_INDEX):
            below: list[Document] = []
            for document in level:
                each = _read(document)
                found.append(each)
                for entry in each.children if each.is_index else ():
                    if entry.digest not in seen:
                        seen.add(entry.digest)
                        below.append(await described(repository, entry))
                if len(seen) > MOST:
                    raise InvalidParameter(f"an index of more than {MOST} documents")
            level = below
        if level:
            raise InvalidParameter(f"indexes are nested more than {DEEPEST_INDEX} deep")
        return found

    @contextlib.asynccontextmanager
    async def _brought(self, remotes: Sequence[Remote]) -> AsyncIterator[list[Blob]]:
        """The blobs, here."""
        works: list[Coming] = []
        try:
            works += [self._arrivals.join(remote) for remote in remotes]
            yield list(await asyncio.gather(*(work.result() for work in works)))
        finally:
            for work in works:
                await self._arrivals.leave(work)


def _read(document: Document) -> Described:
    if is_index(document):
        return Described(document, tuple(oci.index(document.data).manifests), is_index=True)
    manifest = oci.manifest(document.data)
    for descriptor in (manifest.config, *manifest.layers):
        checked(descriptor.digest)
    return Described(document, (manifest.config, *manifest.layers), is_index=False)


def _note(reference: Reference, found: Sequence[Described], connection: sqlite3.Connection, ident: str) -> None:
    for each in found:
        digests = [child.digest for child in each.children]
        blobrows.add_children(connection, each.document.digest, digests)
        for digest in () if each.is_index else digests:
            blobrows.add_source(connection, digest, reference.domain, reference.path)
