"""The server: sockets in, connections, and the serving of one exchange."""

import asyncio
import contextlib
import logging
import socket
import ssl

from dockwright.api.answers import announce, failure
from dockwright.api.authorization import Authorizer
from dockwright.api.connection import Connection
from dockwright.api.errors import ClientGone, StreamBroken, translate
from dockwright.api.exchange import Exchange
from dockwright.api.hosts import check_host
from dockwright.api.managers import Managers
from dockwright.api.router import Route, Router
from dockwright.api.routes import ROUTES
from dockwright.api.secured import Secured
from dockwright.base.errors import EngineError

_log = logging.getLogger("dockwright.api")


class ApiServer:
    """The Engine API on any number of listening sockets.

    Args:
        managers: what it serves.
        config: the daemon's configuration; `hosts` names that TCP clients may use are taken from it.
        secure: TLS of what does not come over a Unix socket; None: none.
        authorizer: asks plug-ins about each request; None: nobody is asked.
    """

    def __init__(
        self, managers: Managers, config: object = None, secure: ssl.SSLContext | None = None,
        authorizer: Authorizer | None = None,
    ) -> None:  # fmt: skip
        self._managers = managers
        self._config = config
        self._secure, self._authorizer = secure, authorizer
        announce(bool(getattr(config, "experimental", False)))
        self._router = Router(ROUTES)
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Accept on `sockets` (bound and listening) from now on; returns at once."""
        for sock in sockets:
            await self._listen(sock)

    async def close(self, seconds: float = 5.0) -> None:
        """Accept no more, let running requests end for up to `seconds`, then cut what is left."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.finish_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._connections:
                    await asyncio.sleep(0.02)
        for connection in tuple(self._connections):
            connection.abort()

    async def _listen(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        remote = sock.family != socket.AF_UNIX

        secure = self._secure if remote else None

        def connection() -> Connection:
            return Connection(self._managers, self._serve, remote, self._connections, secured=bool(secure))

        def protocol() -> asyncio.Protocol:
            return Secured(secure, connection) if secure else connection()

        if remote:
            self._servers.append(await loop.create_server(protocol, sock=sock, backlog=1024))
        else:
            self._servers.append(await loop.create_unix_server(connection, sock=sock, backlog=1024))

    async def _serve(self, exchange: Exchange) -> None:
        """Answer one exchange; whatever goes wrong becomes an answer, or the end of the connection."""
        try:
            await self._dispatch(exchange)
        except ClientGone:
            exchange.connection.abort()
        except StreamBroken as error:
            _log.warning("Stream of %s broke off: %s", exchange.what, error)
            exchange.connection.abort()
        except asyncio.CancelledError:
            exchange.connection.abort()
        except Exception as error:  # noqa: BLE001 - the API's border: every error gets its status here
            self._fail(exchange, error)

    async def _dispatch(self, exchange: Exchange) -> None:
        if exchange.connection.remote:
            check_host(exchange.fields, exchange.connection.secured)
        route = self._router.find(exchange)
        if self._authorizer and self._authorizer.active:
            await self._authorized(self._authorizer, exchange, route)
        else:
            await self._handle(exchange, route)

    async def _handle(self, exchange: Exchange, route: Route) -> None:
        exchange.connection.cancellable = route.streams
        if answer := await route.handler(exchange):
            exchange.answer(answer)

    async def _authorized(self, authorizer: Authorizer, exchange: Exchange, route: Route) -> None:
        """Serve what plug-ins have nothing against; of errors, and of what has been streamed, they only get to know."""
        question = await authorizer.request(exchange)
        exchange.connection.cancellable = route.streams
        try:
            answer = await route.handler(exchange)
        except EngineError:
            await authorizer.told(question)
            raise
        exchange.connection.cancellable = False
        if answer:
            await authorizer.answer(question, answer)
            exchange.answer(answer)
        else:
            await authorizer.told(question)

    def _fail(self, exchange: Exchange, error: Exception) -> None:
        status, message = translate(error, exchange.what)
        if exchange.begun:
            exchange.connection.abort()
        else:
            exchange.answer(failure(status, message))
