"""Being let in: what a 401 asks for is fetched once and sent along from then on.

Sources: RFC 9110, section 11 (challenges); distribution's "Token Authentication Specification" and "OAuth2 Token
Authentication". Credentials are sent to the registry they were given for, and to a token server of the same site or one that
the daemon was told to trust.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import msgspec

from dockwright.images.registry.credentials import ANONYMOUS, Credentials
from dockwright.images.registry.endpoints import Endpoint
from dockwright.images.registry.failures import LARGEST_BODY, Unadmitted, json_problem, refusal
from dockwright.images.registry.sites import advice, trusted
from dockwright.images.registry.transport import Transport, limited

log = logging.getLogger("dockwright.images")
CLIENT = "docker"
LARGEST_TOKEN = 64 << 10
SHORTEST_LIFE = 60.0  # seconds: what a token lives that says nothing or less
_EARLY = 10.0  # seconds before its end a token is renewed


@dataclass(frozen=True)
class Challenge:
    """One way in: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class _Token(msgspec.Struct):
    """What a token server answers."""

    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None
    refresh_token: str | None = None


def challenges(values: Sequence[str]) -> list[Challenge]:
    """The challenges of WWW-Authenticate headers."""
    return [challenge for value in values if (challenge := _challenge(value))]


def _challenge(text: str) -> Challenge | None:
    scheme, _, rest = text.strip().partition(" ")
    parameters: dict[str, str] = {}
    while rest := rest.lstrip(" ,"):
        name, equals, rest = rest.partition("=")
        if not equals:
            break
        if rest.startswith('"'):
            value, rest = _quoted(rest[1:])
        else:
            value, _, rest = rest.partition(",")
        parameters[name.strip().lower()] = value.strip()
    return Challenge(scheme.lower(), parameters) if scheme else None


def _quoted(text: str) -> tuple[str, str]:
    """The value of a quoted string whose first quote has been read, and what follows it."""
    value, position = [], 0
    while position < len(text) and text[position] != '"':
        position += text[position] == "\\"
        value.append(text[position : position + 1])
        position += 1
    return "".join(value), text[position + 1 :]


class Authorizer:
    """Keeps the way into one registry for certain scopes.

    Args:
        scopes: `repository:NAME:pull`, ...; what the challenge asks for is added.
    """

    def __init__(
        self, transport: Transport, endpoint: Endpoint, credentials: Credentials = ANONYMOUS, scopes: Sequence[str] = ()
    ) -> None:
        self._transport, self._endpoint, self._credentials = transport, endpoint, credentials
        self.scopes = list(scopes)
        self._challenge: Challenge | None = None
        self._header = f"Bearer {credentials.token}" if credentials.token else ""
        self._expires = 0.0
        self._turn = asyncio.Lock()
        self.identity = ""  # a refresh token that was issued, for those who asked for one
        self.withheld = ""  # why credentials were not used, and what to do about it

    async def headers(self) -> dict[str, str]:
        """What goes along with a request."""
        async with self._turn:
            if self._challenge and self._challenge.scheme == "bearer" and time.monotonic() > self._expires:
                await self._fetch(self._challenge)
        return {"Authorization": self._header} if self._header else {}

    async def answer(self, found: Sequence[Challenge], offline: bool = False) -> bool:
        """Prepare for what a 401 asks for; False if there is nothing (more) we could show.

        Args:
            offline: ask for a refresh token, too.

        Raises:
            Unadmitted: no credentials, or those we have are wrong.
        """
        for challenge in found:
            if challenge.scheme == "bearer" and not self._credentials.token:
                await self._fetch(challenge, offline)
                return True
        if any(challenge.scheme == "basic" for challenge in found):
            if not self._credentials.username:
                raise Unadmitted("no basic auth credentials")
            fresh = _basic(self._credentials)
            changed, self._header = fresh != self._header, fresh
            return changed
        return False

    def add(self, scope: str) -> None:
        """From now on, this as well."""
        if scope not in self.scopes:
            self.scopes.append(scope)
            self._expires = 0.0

    async def _fetch(self, challenge: Challenge, offline: bool = False) -> None:
        """Get a token.

        Raises:
            Unadmitted: none is to be had.
        """
        self._challenge = challenge
        realm = challenge.parameters.get("realm", "")
        credentials = self._trusted(realm)
        if self.withheld and (offline or any(scope.endswith("push") for scope in self.scopes)):
            raise Unadmitted(self.withheld)  # as nobody, there is nothing to be had
        scopes = self.scopes or [s for s in [challenge.parameters.get("scope", "")] if s]
        service = challenge.parameters.get("service", "")
        if credentials.identity:
            answer = await self._ask(realm, {}, self._refresh(credentials, service, scopes))
        else:
            query: list[tuple[str, str]] = [("account", credentials.username)] if credentials.username else []
            query += [("client_id", CLIENT), ("offline_token", "true")] if offline else []
            query += [("scope", scope) for scope in scopes] + ([("service", service)] if service else [])
            separator = "&" if urlsplit(realm).query else "?"
            url = realm + (separator + urlencode(query) if query else "")
            answer = await self._ask(url, {"Authorization": _basic(credentials)} if credentials.username else {}, None)
        token = answer.token or answer.access_token or ""
        if not token:
            raise Unadmitted("authorization server did not include a token in the response")
        if len(token) > LARGEST_TOKEN or not token.isascii() or not token.isprintable():
            raise Unadmitted("unable to decode token response: no token")
        self._header, self.identity = f"Bearer {token}", answer.refresh_token or ""
        self._expires = time.monotonic() + max(answer.expires_in or 0.0, SHORTEST_LIFE) - _EARLY

    def _trusted(self, realm: str) -> Credentials:
        """The credentials a token server may see.

        Raises:
            Unadmitted: no address, or one without TLS for a registry that has it.
        """
        parts = urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Unadmitted(f'unsupported realm in the challenge: "{realm[:200]}"')
        if self._endpoint.scheme == "https" and parts.scheme == "http":
            raise Unadmitted(f"the token server {parts.netloc} of a registry with TLS has none: refused")
        own, secure = self._endpoint.host, parts.scheme == "https" == self._endpoint.scheme
        if not self._credentials or trusted(own, parts.netloc, secure, self._transport.settings.token_servers):
            return self._credentials
        self.withheld = advice(own, parts.netloc)
        log.warning("%s", self.withheld)
        return ANONYMOUS

    def _refresh(self, credentials: Credentials, service: str, scopes: Sequence[str]) -> bytes:
        form = {
            "client_id": CLIENT, "grant_type": "refresh_token", "refresh_token": credentials.identity,
            "scope": " ".join(scopes), "service": service,
        }  # fmt: skip
        return urlencode(form).encode()

    async def _ask(self, url: str, headers: dict[str, str], form: bytes | None) -> _Token:
        method = "GET" if form is None else "POST"
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        async with self._transport.request(method, url, self._endpoint.trust, headers, form) as response:
            body = await limited(response, LARGEST_BODY * 4)
            if response.status >= 300:
                failure = refusal(response.status, response.reason or "", response.headers, body)
                raise Unadmitted(failure.text, status=response.status)
        try:
            return msgspec.json.decode(body, type=_Token)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise Unadmitted(f"unable to decode token response: {json_problem(body) or error}") from None


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
