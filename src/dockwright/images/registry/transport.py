"""Requests to registries: connections, TLS, proxies, redirects, deadlines; what fails is said as Go's net/http says it."""

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from dockwright.images.registry import proxies
from dockwright.images.registry.endpoints import Trust
from dockwright.images.registry.failures import RegistryError, Unreachable
from dockwright.images.registry.settings import RegistrySettings

if TYPE_CHECKING:
    from aiohttp import ClientConnectorError, ClientResponse, ClientSession

CONNECT, SILENCE = 30.0, 60.0  # seconds
BUFFER = 1 << 20  # bytes read ahead of whoever takes them, for each connection
MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_SECRET = ("authorization", "cookie")


class Transport:
    """One pool of connections.

    Args:
        agent: the User-Agent.
    """

    def __init__(self, settings: RegistrySettings, agent: str) -> None:
        self.settings, self._agent = settings, agent
        self._session: ClientSession | None = None
        self._contexts: dict[Trust, ssl.SSLContext] = {}

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, url: str, trust: Trust, headers: Mapping[str, str], data: Any = None, upstream: str = ""
    ) -> AsyncIterator["ClientResponse"]:
        """An answer, whose body is still to be read. GET and HEAD follow redirects, without credentials to other hosts.

        Args:
            upstream: the client we do this for, noted in the User-Agent.

        Raises:
            Unreachable: nobody answered. RegistryError: a redirect nobody should follow.
        """
        agent = f"{self._agent} UpstreamClient({upstream})" if upstream else self._agent
        sent = {"User-Agent": agent, **headers}
        for _ in range(MOST_REDIRECTS):
            response = await self._once(method, url, trust, sent, data)
            target = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not target or method not in ("GET", "HEAD"):
                try:
                    yield response
                finally:
                    response.release() if response.content.is_eof() else response.close()
                return
            response.close()
            moved = urljoin(url, target)
            if await _elsewhere(url, moved):
                sent = {name: value for name, value in sent.items() if name.lower() not in _SECRET}
                trust = Trust(verify=trust.verify)
            url = moved
        raise RegistryError(f'{method.title()} "{url}": stopped after {MOST_REDIRECTS} redirects')

    async def _once(
        self, method: str, url: str, trust: Trust, headers: Mapping[str, str], data: Any
    ) -> "ClientResponse":
        import aiohttp
        from yarl import URL

        session = self._opened()
        context = await self._context(trust) if url.startswith("https:") else None
        through = proxies.proxy(url, self.settings.proxies) or None
        try:
            return await session.request(
                method, URL(url, encoded=True), headers=headers, data=data, ssl=context or True, proxy=through,
                allow_redirects=False,
            )  # fmt: skip
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(method, url, error) from error

    def _opened(self) -> "ClientSession":
        if self._session is None:
            import aiohttp

            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=0), timeout=timeout, auto_decompress=False,
                read_bufsize=BUFFER, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("Accept-Encoding",),
            )  # fmt: skip
        return self._session

    async def _context(self, trust: Trust) -> ssl.SSLContext:
        if trust not in self._contexts:
            self._contexts[trust] = await asyncio.to_thread(_context, trust)
        return self._contexts[trust]


async def pieces(response: "ClientResponse") -> AsyncIterator[bytes]:
    """A body as it comes.

    Raises:
        Unreachable: it broke off, or nothing came for a minute.
    """
    import aiohttp

    try:
        while piece := await response.content.readany():
            yield piece
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise unreachable(response.method, str(response.url), error) from error


async def limited(response: "ClientResponse", limit: int) -> bytes:
    """A whole body.

    Raises:
        RegistryError: it is longer than `limit` bytes. Unreachable: it broke off.
    """
    found, size = [], 0
    async for piece in pieces(response):
        found.append(piece)
        size += len(piece)
        if size > limit:
            raise RegistryError(f'{response.method.title()} "{response.url}": an answer of more than {limit} bytes')
    return b"".join(found)


def _context(trust: Trust) -> ssl.SSLContext:
    """The TLS settings of a trust.

    Raises:
        RegistryError: a certificate file that is none.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not trust.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        for path in trust.authorities:
            context.load_verify_locations(path)
        for certificate, key in trust.clients:
            context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(f"could not use the certificates of certs.d: {error}") from error
    return context


async def _elsewhere(url: str, moved: str) -> bool:
    """Whether a redirect leads to another server.

    Raises:
        RegistryError: to a scheme that is no web server's, from TLS to none, or from the network to this host's own addresses.
    """
    old, new = urlsplit(url), urlsplit(moved)
    if new.scheme not in ("http", "https") or not new.hostname:
        raise RegistryError(f'Get "{url}": unsupported protocol scheme "{new.scheme}"')
    if old.scheme == "https" and new.scheme == "http":
        raise RegistryError(f'Get "{url}": redirected from https to http: refused')
    if (old.scheme, old.netloc) == (new.scheme, new.netloc):
        return False
    if await _is_internal(new.hostname) and not await _is_internal(old.hostname or ""):
        raise RegistryError(f'Get "{url}": redirected to the local address {new.hostname}: refused')
    return True


async def _is_internal(host: str) -> bool:
    """Whether any address of `host` is this machine's own or of its link (metadata services have such)."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return any(address.is_loopback or address.is_link_local or address.is_unspecified for address in addresses)


def unreachable(method: str, url: str, error: BaseException) -> Unreachable:
    """An error of the connection, in Go's words."""
    return Unreachable(f'{method.title()} "{url}"', *_told(url, error))


def _told(url: str, error: BaseException) -> tuple[str, bool]:
    import aiohttp

    parts = urlsplit(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_certificate(error.certificate_error)}", True
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        if "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER" in str(error):
            return "http: server gave HTTP response to HTTPS client", False
        return f"tls: {getattr(error, 'reason', None) or error}", True
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {parts.hostname}{_lookup(error.os_error)}", False
    if isinstance(error, asyncio.TimeoutError):
        return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)", False
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"dial tcp {_dialled(parts.port or proxies.PORTS[parts.scheme], error)}", False
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF", False
    if isinstance(error, OSError) and error.strerror:
        return _reason(error), False
    return f"net/http: HTTP/1.x transport connection broken: {str(error) or type(error).__name__}"[:512], False


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)


def _certificate(error: BaseException) -> str:
    """What is wrong with a certificate."""
    message = getattr(error, "verify_message", "") or str(error)
    if ("self" in message and "signed" in message) or "local issuer" in message:
        return "certificate signed by unknown authority"
    if "expired" in message or "not yet valid" in message:
        return "certificate has expired or is not yet valid"
    return message


def _dialled(port: int, error: "ClientConnectorError") -> str:
    """The address that was tried first, and what became of it; asyncio tells both in its text only."""
    found = re.findall(r"\[Errno (\d+)\] Connect call failed \('([^']+)'", str(error.os_error)) or [("", error.host)]
    number, address = next((each for each in found if ":" not in each[1]), found[0])
    reason = os.strerror(int(number)).lower() if number else _reason(error.os_error)
    return f"{f'[{address}]' if ':' in address else address}:{port}: connect: {reason}"


def _lookup(error: OSError) -> str:
    """` on ADDRESS:53: ...`: the name server asked first, and why it did not help."""
    try:
        with open("/etc/resolv.conf", encoding="ascii", errors="replace") as file:
            servers = [line.split()[1] for line in file if line.startswith("nameserver") and len(line.split()) > 1]
    except OSError:
        servers = []
    if not servers:
        return ": no such host"
    if error.errno != socket.EAI_AGAIN:
        return f" on {servers[0]}:53: no such host"
    try:
        with socket.socket(socket.AF_INET6 if ":" in servers[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((servers[0], 53))  # sends nothing: it tells whether there is a way
    except OSError as failure:
        return f" on {servers[0]}:53: dial udp {servers[0]}:53: connect: {_reason(failure)}"
    return f" on {servers[0]}:53: server misbehaving"
