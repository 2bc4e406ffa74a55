"""One repository at one endpoint: manifests, tags and blobs, by the requests of the distribution spec."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from dockwright.images.registry.authorization import Authorizer, Challenge, challenges
from dockwright.images.registry.credentials import ANONYMOUS, Credentials
from dockwright.images.registry.endpoints import Endpoint
from dockwright.images.registry.failures import LARGEST_BODY, Refused, RegistryError, Unadmitted, Unreachable, refusal
from dockwright.images.registry.sites import same_site
from dockwright.images.registry.transport import Transport, limited

if TYPE_CHECKING:
    from aiohttp import ClientResponse

LARGEST_MANIFEST = 4 << 20  # bytes, as registries themselves have it
LARGEST_PAGE = 1 << 20
MOST_PAGES = 1000
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a registry says of a manifest: type, digest and size; "" and -1 for what it does not say."""

    media_type: str
    digest: str
    size: int


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class Repository:
    """A repository.

    Args:
        path: its name at the registry. actions: what is to be done there: "pull" or "pull,push".
        upstream: the client this is done for. extra: headers it wants to be passed on.
    """

    def __init__(
        self, transport: Transport, endpoint: Endpoint, path: str, credentials: Credentials = ANONYMOUS,
        actions: str = "pull", upstream: str = "", extra: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._transport, self.endpoint, self.path, self._upstream = transport, endpoint, path, upstream
        self._base = {**endpoint.headers, **(extra or {})}
        scopes = [f"repository:{path}:{actions}"] if path else []
        self.authorizer = Authorizer(transport, endpoint, credentials, scopes)

    @property
    def url(self) -> str:
        """Where everything of it is below."""
        return f"{self.endpoint.url}/{self.path}"

    @contextlib.asynccontextmanager
    async def asked(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, data: Any = None,
        good: Sequence[int] = (200,), offline: bool = False,
    ) -> AsyncIterator["ClientResponse"]:
        """An answer with one of the statuses hoped for; a challenge is answered first.

        Args:
            data: the body, or what makes one: it may have to be sent twice. offline: if a token is needed, ask for one that
                gets others, too.

        Raises:
            RegistryError: another one, or none.
        """
        for last in (False, True):
            own = urlsplit(url)[:2] == urlsplit(self.endpoint.url)[:2]
            sent = {**self._base, **(headers or {}), **(await self.authorizer.headers() if own else {})}
            body = data() if callable(data) else data
            async with self._transport.request(method, url, self.endpoint.trust, sent, body, self._upstream) as response:
                if response.status in good:
                    yield response
                    return
                at_home = urlsplit(str(response.url))[:2] == urlsplit(self.endpoint.url)[:2]
                found = challenges(response.headers.getall("WWW-Authenticate", ())) if response.status == 401 else []
                if last or not found or not at_home or not await self._admitted(method, url, found, offline):
                    answer = b"" if method == "HEAD" else await limited(response, LARGEST_BODY)
                    raise self._advised(refusal(response.status, response.reason or "", response.headers, answer))

    def _advised(self, error: Refused) -> Refused:
        """A refusal that may come of credentials that were not sent says so."""
        advice = self.authorizer.withheld
        if not advice or error.status not in (401, 403):
            return error
        return Refused(f"{error.text} ({advice})", error.status, error.code, error.reason, error.wait)

    async def _admitted(self, method: str, url: str, found: Sequence[Challenge], offline: bool = False) -> bool:
        try:
            return await self.authorizer.answer(found, offline)
        except Unadmitted as error:
            if error.cause == self.authorizer.withheld:
                raise
            raise Unadmitted(error.cause, f'{method.title()} "{url}"', error.status) from error

    async def greet(self) -> None:
        """See whether anybody is there, and get a token if one is needed; whoever is not let in hears it later on.

        Raises:
            Unreachable: nobody is there.
        """
        url = f"{self.endpoint.url}/"
        async with self._transport.request("GET", url, self.endpoint.trust, self._base, upstream=self._upstream) as response:
            if response.status == 401:
                with contextlib.suppress(Unadmitted):
                    await self._admitted("GET", url, challenges(response.headers.getall("WWW-Authenticate", ())))

    # manifests

    async def head(self, reference: str) -> Found:
        """What a tag or digest leads to, without the manifest itself.

        Raises:
            RegistryError: in the registry's words: a refused HEAD, which has no body, is asked again by GET. Where nobody
                answers, the text is about the registry as a whole, as Docker's is, which greets it first.
        """
        url = f"{self.url}/manifests/{reference}"
        try:
            async with self.asked("HEAD", url, {"Accept": ", ".join(MANIFEST_TYPES)}) as response:
                return _found(response)
        except Unreachable as error:
            raise Unreachable(f'Get "{self.endpoint.url}/"', error.cause, error.spoke_tls) from error
        except Refused:
            async with self.asked("GET", url, {"Accept": ", ".join(MANIFEST_TYPES)}) as response:
                return _found(response)

    async def manifest(self, reference: str) -> tuple[bytes, Found]:
        """A manifest or index, as it is.

        Raises:
            RegistryError: refused, or larger than any manifest.
        """
        url = f"{self.url}/manifests/{reference}"
        async with self.asked("GET", url, {"Accept": ", ".join(MANIFEST_TYPES)}) as response:
            return await limited(response, LARGEST_MANIFEST), _found(response)

    async def tags(self) -> list[str]:
        """Every tag, page by page.

        Raises:
            RegistryError: refused, or pages without end.
        """
        found: list[str] = []
        url = f"{self.url}/tags/list"
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) >= MOST_PAGES:
                raise RegistryError(f'Get "{url}": the list of tags never ends')
            seen.add(url)
            async with self.asked("GET", url) as response:
                found += _tags(await limited(response, LARGEST_PAGE))
                following = response.links.get("next")
                url = urljoin(url, str(following["url"])) if following else ""
            if url and urlsplit(url)[:2] != urlsplit(self.endpoint.url)[:2]:
                raise RegistryError(f'the list of tags goes on at another server, "{url[:200]}": refused')
        return found

    async def referrers(self, digest: str, artifact_type: str) -> bytes | None:
        """The index of what refers to a manifest, perhaps only of one type; None from a registry that keeps no such list.

        Source: OCI distribution spec 1.1, "Listing Referrers".

        Raises:
            RegistryError: refused.
        """
        url = f"{self.url}/referrers/{digest}?{urlencode({'artifactType': artifact_type})}"
        try:
            async with self.asked("GET", url, {"Accept": INDEX_TYPE}) as response:
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
                return await limited(response, LARGEST_MANIFEST) if media_type == INDEX_TYPE else None
        except Refused as error:
            if error.status in (400, 404, 405):
                return None
            raise

    # blobs

    @contextlib.asynccontextmanager
    async def blob(self, digest: str, offset: int = 0) -> AsyncIterator["ClientResponse"]:
        """The bytes of a blob from `offset` on: status 206, or 200 from a server that begins at the first byte all the same."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with contextlib.AsyncExitStack() as stack:
            try:
                asked = self.asked("GET", f"{self.url}/blobs/{digest}", headers, good=(200, 206))
                response = await stack.enter_async_context(asked)
            except Refused as error:
                if error.status == 404:
                    raise Refused("unknown blob", 404, error.code, error.reason) from error
                raise
            yield response


    async def has_blob(self, digest: str) -> bool:
        """Whether a blob is there. Raises RegistryError where that is not to be learnt."""
        try:
            async with self.asked("HEAD", f"{self.url}/blobs/{digest}"):
                return True
        except Refused as error:
            if error.status == 404:
                return False
            raise

    async def begin(self, digest: str = "", origin: str = "") -> str:
        """Begin an upload; where it goes on, "" if there is nothing to upload.

        Args:
            digest, origin: a blob that another repository here has: perhaps it can be taken from there.
        """
        url = f"{self.url}/blobs/uploads/"
        if origin:
            self.authorizer.add(f"repository:{origin}:pull")
            url += f"?{urlencode({'mount': digest, 'from': origin})}"
        async with self.asked("POST", url, data=b"", good=(201, 202)) as response:
            return "" if response.status == 201 and origin else self._next(url, response)

    async def append(self, session: str, data: Callable[[], AsyncIterator[bytes]]) -> str:
        """Send bytes of a blob, after those that are there; where it goes on."""
        headers = {"Content-Type": "application/octet-stream"}
        async with self.asked("PATCH", session, headers, data, good=(202, 204)) as response:
            return self._next(session, response)

    async def received(self, session: str) -> tuple[str, int]:
        """Where an upload that broke off goes on, and how many bytes are there."""
        async with self.asked("GET", session, good=(204,)) as response:
            last = response.headers.get("Range", "").rpartition("-")[2]
            return self._next(session, response), int(last) + 1 if last.isdecimal() and last != "0" else 0

    async def finish(self, session: str, digest: str) -> None:
        """All bytes are there. Raises RegistryError: it is another blob than was sent."""
        separator = "&" if "?" in session else "?"
        url = f"{session}{separator}{urlencode({'digest': digest})}"
        async with self.asked("PUT", url, {"Content-Type": "application/octet-stream"}, b"", good=(201, 204)) as response:
            self._same(response, digest)

    async def put_manifest(self, reference: str, data: bytes, media_type: str, digest: str) -> None:
        """Send a manifest or index under a tag or its digest."""
        url = f"{self.url}/manifests/{reference}"
        async with self.asked("PUT", url, {"Content-Type": media_type}, data, good=(201, 202)) as response:
            self._same(response, digest)

    def _same(self, response: "ClientResponse", digest: str) -> None:
        found = response.headers.get("Docker-Content-Digest", "")
        if found and found != digest:
            raise RegistryError(f"the registry stored {found[:80]} where {digest} was sent")

    def _next(self, url: str, response: "ClientResponse") -> str:
        """Where an upload goes on. Raises RegistryError: nowhere, or at a stranger's."""
        location = response.headers.get("Location", "")
        moved = urljoin(url, location)
        old, new = urlsplit(self.endpoint.url), urlsplit(moved)
        trusted = new.scheme == old.scheme and same_site(old.netloc, new.netloc)
        if not location or not trusted:
            raise RegistryError(f'the registry sends the upload elsewhere, to "{location[:200]}": refused')
        return moved


def _found(response: "ClientResponse") -> Found:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    size = response.content_length if response.content_length is not None else -1
    return Found(media_type, response.headers.get("Docker-Content-Digest", ""), size)


def _tags(body: bytes) -> list[str]:
    try:
        return msgspec.json.decode(body, type=_Tags).tags or []
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise RegistryError(f"invalid list of tags: {error}") from None
