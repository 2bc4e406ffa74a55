"""What a client sends along to be let in: X-Registry-Auth and X-Registry-Config.

Sources: Docker's API documentation ("Authentication"); base64url, but what other clients send is read as well.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from dockwright.base.errors import InvalidParameter
from dockwright.images.registry.settings import HUB, HUB_HOST

LARGEST = 64 << 10


class Credentials(msgspec.Struct, frozen=True):
    """Who somebody is for one registry; all empty is anonymous. Secrets are never shown by repr().

    Attributes:
        username, password: for Basic, and to get tokens. identity: a refresh token that stands for both.
        token: sent as it is, as a Bearer token. server: the registry it was given for.
    """

    username: str = ""
    password: str = ""
    identity: str = ""
    token: str = ""
    server: str = ""

    def __repr__(self) -> str:
        return f"Credentials(server={self.server!r})"

    def __bool__(self) -> bool:
        return bool(self.username or self.password or self.identity or self.token)

    def serve(self, domain: str) -> bool:
        """Whether they are meant for the registry `domain`; those that name none are for the one that is asked."""
        return not self.server or host_of(self.server) == canonical(domain)


ANONYMOUS = Credentials()


class Document(msgspec.Struct):
    """The JSON as Docker's clients write it."""

    username: str | None = None
    password: str | None = None
    auth: str | None = None
    email: str | None = None
    serveraddress: str | None = None
    identitytoken: str | None = None
    registrytoken: str | None = None


def canonical(domain: str) -> str:
    """One name for the names Docker Hub goes by."""
    return HUB if domain in (HUB, HUB_HOST, f"index.{HUB}", f"registry.{HUB}") else domain


def host_of(server: str) -> str:
    """The registry of a server address: a host, or a URL as older configurations have it."""
    return canonical(server.partition("://")[2].partition("/")[0] if "://" in server else server.partition("/")[0])


def decoded(header: str) -> Credentials:
    """The credentials of an X-Registry-Auth header; "" is anonymous.

    Raises:
        InvalidParameter: no base64, or no such JSON.
    """
    if not header:
        return ANONYMOUS
    try:
        return of(msgspec.json.decode(_unpacked(header), type=Document))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidParameter(f"invalid X-Registry-Auth header: {error}") from None


def by_host(header: str) -> Mapping[str, Credentials]:
    """X-Registry-Config: credentials for several registries, by canonical host.

    Raises:
        InvalidParameter: as `decoded`.
    """
    if not header:
        return {}
    try:
        found = msgspec.json.decode(_unpacked(header), type=dict[str, Document])
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidParameter(f"invalid X-Registry-Config header: {error}") from None
    return {host_of(server): of(entry, server) for server, entry in found.items()}


def _unpacked(header: str) -> bytes:
    if len(header) > LARGEST:
        raise InvalidParameter("invalid X-Registry-Auth header: too long")
    text = header.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidParameter(f"invalid X-Registry-Auth header: {error}") from None


def of(found: Document, server: str = "") -> Credentials:
    """The credentials a document holds.

    Args:
        server: the registry they are for, where the document does not say.

    Raises:
        InvalidParameter: unreadable.
    """
    username, password = found.username or "", found.password or ""
    if found.auth and not (username or password):
        try:
            username, _, password = base64.b64decode(found.auth).decode().partition(":")
        except (binascii.Error, ValueError):
            raise InvalidParameter("invalid X-Registry-Auth header: illegal base64 data in auth") from None
    address = found.serveraddress or server
    return Credentials(username, password.rstrip("\0"), found.identitytoken or "", found.registrytoken or "", address)
