"""The registries of the world, as this engine asks for them: which endpoint is tried after which."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dockwright import __version__
from dockwright.host.system import go_architecture
from dockwright.images.registry.credentials import ANONYMOUS, Credentials
from dockwright.images.registry.endpoints import PULL, Endpoint, endpoints
from dockwright.images.registry.failures import RegistryError, Unreachable
from dockwright.images.registry.repository import Repository
from dockwright.images.registry.settings import RegistrySettings
from dockwright.images.registry.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """On whose behalf a registry is asked.

    Attributes:
        credentials: for the registry. upstream: the User-Agent of the client. extra: its X-Meta-* headers.
    """

    credentials: Credentials = ANONYMOUS
    upstream: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class Registries:
    """All of them.

    Attributes:
        settings: what the daemon was told. downloads, uploads: how many there may be at once.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        system = f"kernel/{os.uname().release} os/linux arch/{go_architecture(os.uname().machine)}"
        self.transport = Transport(settings, f"dockwright/{__version__} {system}")
        self.configure(settings)

    def configure(self, settings: RegistrySettings) -> None:
        """Follow other settings from now on; what is under way goes on by those it began with."""
        self.settings = self.transport.settings = settings
        self.downloads, self.uploads = asyncio.Semaphore(settings.downloads), asyncio.Semaphore(settings.uploads)

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()

    async def at_each(
        self, domain: str, path: str, caller: Caller, work: Callable[[Repository], Awaitable[T]], purpose: str = PULL
    ) -> T:
        """`work` at the first endpoint where it succeeds.

        A mirror's failure of any kind leads on to the next endpoint; an endpoint that cannot be reached to the one
        without TLS, if there is one and this one has not shown a certificate.

        Raises:
            RegistryError: the last one's. InvalidParameter, Internal: the registry's configuration is broken.
        """
        failure: RegistryError | None = None
        spoke_tls: set[str] = set()
        for endpoint in endpoints(domain, self.settings, purpose):
            if endpoint.scheme == "http" and endpoint.host in spoke_tls:
                continue
            try:
                return await work(self.repository(endpoint, path, caller, domain, purpose))
            except RegistryError as error:
                failure = error
                unreachable = isinstance(error, Unreachable)
                if isinstance(error, Unreachable) and error.spoke_tls:
                    spoke_tls.add(endpoint.host)
                if not endpoint.mirror and not unreachable:
                    raise
        raise failure or RegistryError(f"no endpoint of {domain} may be used to {purpose}")

    def repository(self, endpoint: Endpoint, path: str, caller: Caller, domain: str, purpose: str = PULL) -> Repository:
        """A repository at one endpoint; a mirror sees no credentials but those that were given for it."""
        credentials = caller.credentials if caller.credentials.serve(endpoint.host if endpoint.mirror else domain) else ANONYMOUS
        if endpoint.mirror and not credentials.server:
            credentials = ANONYMOUS
        actions = "pull" if purpose == PULL else "pull,push"
        return Repository(self.transport, endpoint, path, credentials, actions, caller.upstream, caller.extra)
