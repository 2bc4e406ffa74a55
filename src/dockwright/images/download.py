"""Bringing one blob from a registry: one of a few at a time, continued where it broke off, tried again a few times."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from dockwright.base.errors import InvalidParameter
from dockwright.images import oci
from dockwright.images.arrival import Arrival, Remote
from dockwright.images.registry.failures import RegistryError, Unreachable
from dockwright.images.registry.patience import wait
from dockwright.images.registry.repository import Repository
from dockwright.images.registry.transport import limited, pieces

WAITING = "Waiting"
SMALLER = 20  # a document is asked for again so many times as soon as a layer
PROGRESS = 100  # a connection that brought one of so many parts of a blob counts as one that worked


@dataclass(frozen=True)
class Lane:
    """Where downloads queue up: so many at a time, so many attempts each.

    Attributes:
        pause: seconds before the second attempt; before the third it is twice that, and so on.
    """

    slots: asyncio.Semaphore
    attempts: int
    pause: float

    def remote(self, repository: Repository, descriptor: oci.Descriptor) -> Remote:
        """A blob of a repository, for the unpacker."""
        return Remote(descriptor.digest, descriptor.size, Download(self, repository, descriptor.digest).fetch)


    async def document(self, repository: Repository, descriptor: oci.Descriptor) -> bytes:
        """A small blob, in memory, not verified.

        Raises:
            RegistryError: the registry refused, broke off too often, or sends more than was said.
        """
        attempt = 1
        while True:
            try:
                async with repository.blob(descriptor.digest) as response:
                    return await limited(response, descriptor.size)
            except RegistryError as error:
                if error.lasting or attempt >= self.attempts:
                    raise RegistryError(f"download failed after attempts={attempt}: {error.text}") from error
            await asyncio.sleep(self.pause * attempt / SMALLER)
            attempt += 1


class Download:
    """One blob."""

    def __init__(self, lane: Lane, repository: Repository, digest: str) -> None:
        self._lane, self._repository, self._digest = lane, repository, digest
        self._ranges = True

    async def fetch(self, arrival: Arrival) -> None:
        """Bring all of it.

        Raises:
            RegistryError: the registry refused, or broke off too often. InvalidParameter: there is more than was said.
            OSError: from the file system.
        """
        if self._lane.slots.locked():
            arrival.reports(WAITING)
        async with self._lane.slots:
            failures = 0
            while arrival.offset < arrival.size:
                before = arrival.offset
                try:
                    await arrival.fill(self._pieces(arrival))
                    if arrival.offset < arrival.size:
                        raise Unreachable(f'Get "{self._repository.url}/blobs/{self._digest}"', "unexpected EOF")
                except InvalidParameter as error:  # there is more than was said
                    arrival.discard()
                    raise InvalidParameter(f"filesystem layer verification failed for digest {self._digest}") from error
                except RegistryError as error:
                    worked = (arrival.offset - before) * PROGRESS > arrival.size
                    failures = 0 if worked else failures + 1
                    if error.lasting or failures >= self._lane.attempts:
                        raise
                    await wait(failures * self._lane.pause, error, arrival.reports)

    async def _pieces(self, arrival: Arrival) -> AsyncIterator[bytes]:
        """The bytes from where the arrival is."""
        skipped = offset = arrival.offset
        async with self._repository.blob(self._digest, offset if self._ranges else 0) as response:
            if response.status == 206:
                skipped = 0
                if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                    self._ranges = False
                    raise Unreachable(f'Get "{response.url}"', "a range that was not asked for")
            async for piece in pieces(response):
                rest = piece[skipped:]
                skipped -= len(piece) - len(rest)
                if rest:
                    yield rest
