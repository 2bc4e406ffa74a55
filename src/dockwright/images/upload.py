"""Sending one blob to a registry: not at all if it is there, taken over from a repository beside, or sent piece by piece."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from dockwright.images.content import Blob
from dockwright.images.inflate import CHUNK
from dockwright.images.registry.failures import Refused, RegistryError
from dockwright.images.registry.patience import wait
from dockwright.images.registry.repository import Repository

PREPARING, WAITING, PUSHING, PUSHED = "Preparing", "Waiting", "Pushing", "Pushed"
EXISTS, MOUNTED = "Layer already exists", "Mounted from {}"
Tell = Callable[[str, int], None]  # status in Docker's words, bytes sent


@dataclass
class Upload:
    """One blob on its way out.

    Attributes:
        blob: its file, None where only the registry could still have it. digest: of it. origins: repositories of that registry
            which are known to have it.
        attempts: at sending it. pause: seconds before the second one.
    """

    repository: Repository
    digest: str
    blob: Blob | None
    origins: Sequence[str]
    attempts: int
    pause: float

    async def send(self, tell: Tell) -> None:
        """See that the registry has it.

        Raises:
            RegistryError: it will not take it.
        """
        there, session = await self._offered()
        if not there:
            await self._tried(session, tell)
        tell(there or PUSHED, 0)

    async def _offered(self) -> tuple[str, str]:
        """Whether the registry has it already, and how; else perhaps an upload that it began instead."""
        if await self.repository.has_blob(self.digest):
            return EXISTS, ""
        session = ""
        for origin in self.origins:
            try:
                session = await self.repository.begin(self.digest, origin)
            except Refused:
                continue  # that repository may not be read: the blob is sent as if nobody had it
            if not session:
                return MOUNTED.format(origin), ""
        return "", session

    async def _tried(self, session: str, tell: Tell) -> None:
        if self.blob is None:
            raise RegistryError(f"blob {self.digest} is neither here nor at the registry")
        for attempt in range(1, self.attempts + 1):
            try:
                await self._sent(session, self.blob, tell)
                break
            except RegistryError as error:
                if error.lasting or attempt == self.attempts:
                    raise
                await wait(attempt * self.pause, error, lambda text: tell(text, 0))
                session = ""

    async def _sent(self, session: str, blob: Blob, tell: Tell) -> None:
        """One attempt: the whole blob, going on once where the connection breaks."""
        session = session or await self.repository.begin()
        start = 0
        try:
            session = await self.repository.append(session, lambda: _read(blob, 0, tell))
        except RegistryError as error:
            if error.lasting:
                raise
            session, start = await self.repository.received(session)
            session = await self.repository.append(session, lambda: _read(blob, start, tell))
        await self.repository.finish(session, self.digest)


async def _read(blob: Blob, start: int, tell: Tell) -> AsyncIterator[bytes]:
    """The bytes of a blob, told of as they go."""
    fd = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while data := await asyncio.to_thread(os.pread, fd, CHUNK, start):
            yield data
            start += len(data)
            tell(PUSHING, start)
    finally:
        os.close(fd)
