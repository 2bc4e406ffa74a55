"""What registries are asked beside pulls and pushes: whether credentials are good, what a name means there, what they have."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from dockwright.base.errors import EngineError, Internal, InvalidParameter, NotFound, Unauthorized
from dockwright.grammar.reference import DEFAULT_DOMAIN, parse
from dockwright.images import oci
from dockwright.images.manifests import Document, document_at, is_index, manifest
from dockwright.images.registry.client import Caller, Registries
from dockwright.images.registry.credentials import Credentials, host_of
from dockwright.images.registry.endpoints import Endpoint, plain
from dockwright.images.registry.failures import Refused, RegistryError, Unadmitted, Unreachable
from dockwright.images.registry.repository import Repository
from dockwright.images.registry.transport import limited

LARGEST_RESULT = 4 << 20
MOST_RESULTS, USUAL_RESULTS = 100, 25
INDEX = "https://index.docker.io/v1"
_TRUE, _FALSE = ("1", "true", "t", "T", "TRUE", "True"), ("0", "false", "f", "F", "FALSE", "False")
Filters = Mapping[str, Sequence[str]]


class _Result(msgspec.Struct):
    """One repository of a search."""

    name: str = ""
    description: str | None = None
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Results(msgspec.Struct):
    results: list[_Result] | None = None


class Inquirer:
    """Asks registries."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    async def login(self, credentials: Credentials, upstream: str) -> dict[str, str]:
        """POST /auth: whether a registry lets somebody in; with a token to use from now on, if it gives one.

        Raises:
            Unauthorized: it does not. EngineError: nothing could be learnt.
        """
        domain = host_of(credentials.server) or DEFAULT_DOMAIN
        try:
            token = await self._registries.at_each(domain, "", Caller(credentials, upstream), _let_in)
        except RegistryError as error:
            raise _explained(error) from error
        return {"IdentityToken": token, "Status": "Login Succeeded"}

    async def distribution(self, name: str, caller: Caller) -> dict[str, Any]:
        """GET /distribution/{name}/json: what a name means at its registry, and for which platforms it has images.

        Raises:
            InvalidParameter: no name. EngineError: in Docker's words.
        """
        if len(name) == 64:
            raise Internal("no manifest found for full image ID")
        reference = parse(name).tagged()
        try:
            return await self._registries.at_each(
                reference.domain, reference.path, caller, partial(_distribution, name=reference.digest or reference.tag)
            )
        except RegistryError as error:
            raise _explained(error) from error

    async def search(self, term: str, limit: int, filters: Filters, caller: Caller) -> list[dict[str, Any]]:
        """GET /images/search: repositories whose name or description has `term`.

        Args:
            limit: 0 is the usual number.

        Raises:
            InvalidParameter: a limit or filter that is none. EngineError: in Docker's words.
        """
        if not 0 <= limit <= MOST_RESULTS:
            raise InvalidParameter(f"limit {limit} is outside the range of [1, {MOST_RESULTS}]")
        wanted = _Wanted(filters)
        domain, words = _split(term)
        bases = [INDEX] if domain == DEFAULT_DOMAIN else await self._indexes(domain)
        try:
            found = await self._searched(bases[0], words, limit or USUAL_RESULTS, caller)
        except RegistryError as error:
            raise Internal(error.text) from error
        return [msgspec.to_builtins(result) for result in found if wanted.has(result)]

    async def _indexes(self, domain: str) -> list[str]:
        """Where the old index of a registry answers.

        Raises:
            Internal: nowhere.
        """
        failures: dict[str, str] = {}
        for endpoint in plain(domain, self._registries.settings):
            base = f"{endpoint.scheme}://{endpoint.host}/v1"
            try:
                async with self._registries.transport.request("GET", f"{base}/_ping", endpoint.trust, {}):
                    return [base]
            except RegistryError as error:
                failures[endpoint.scheme] = error.text
        last = "http" if "http" in failures else "https"
        texts = f"HTTPS attempt: {failures['https']}" + (f". HTTP attempt: {failures['http']}" if last == "http" else "")
        raise Internal(f'invalid registry endpoint "{last}://{domain}/v1/". {texts}')

    async def _searched(self, base: str, words: str, limit: int, caller: Caller) -> list[_Result]:
        scheme, _, host = base.removesuffix("/v1").partition("://")
        trust = plain(host, self._registries.settings)[0].trust
        repository = self._registries.repository(Endpoint(scheme, host, "/v1", trust), "", caller, host)
        url = f"{base}/search?q={urlencode({'': words})[1:]}&n={limit}"
        try:
            async with repository.asked("GET", url, {"X-Docker-Token": "true"}) as response:
                body = await limited(response, LARGEST_RESULT)
            return msgspec.json.decode(body, type=_Results).results or []
        except Refused as error:
            raise Refused(f"Unexpected status code {error.status}", error.status) from error
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise RegistryError(f"error reading the results: {error}") from None


class _Wanted:
    """The filters of a search. Raises InvalidParameter in Docker's words."""

    def __init__(self, filters: Filters) -> None:
        for name in filters:
            if name not in ("stars", "is-official", "is-automated"):
                raise InvalidParameter(f"invalid filter '{name}'")
        self._official = _flag(filters, "is-official")
        self._automated = _flag(filters, "is-automated")
        self._stars = max((_stars(value) for value in filters.get("stars", ())), default=0)

    def has(self, result: _Result) -> bool:
        """Whether a result passes."""
        return (
            (self._official is None or result.is_official == self._official)
            and (self._automated is None or result.is_automated == self._automated)
            and result.star_count >= self._stars
        )


def _flag(filters: Filters, name: str) -> bool | None:
    values = filters.get(name, ())
    if not values:
        return None
    if len(values) > 1 or values[0] not in _TRUE + _FALSE:
        raise InvalidParameter(f"invalid filter '{name}=[{' '.join(values)}]'")
    return values[0] in _TRUE


def _stars(value: str) -> int:
    if not value.removeprefix("-").isdecimal():
        raise InvalidParameter(f"invalid filter 'stars={value}': strconv.Atoi: parsing \"{value}\": invalid syntax")
    return int(value)


def _split(term: str) -> tuple[str, str]:
    """The registry a search goes to, and what is looked for there. Raises InvalidParameter."""
    if "://" in term:
        raise InvalidParameter("invalid repository name: repository name should not have a scheme")
    first, slash, rest = term.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return DEFAULT_DOMAIN, term.removeprefix("library/") if term.count("/") == 1 else term
    return host_of(first), rest


async def _let_in(repository: Repository) -> str:
    """A token that stands for the credentials, "" if there is none. Raises RegistryError."""
    url = f"{repository.endpoint.url}/"
    try:
        async with repository.asked("GET", url, offline=True):
            return repository.authorizer.identity
    except Unreachable as error:
        raise Unreachable(f'Get "{url}"', error.cause, error.spoke_tls) from error
    except Refused as error:
        text = f"login attempt to {url} failed with status: {error.status} {error.reason}"
        raise Refused(text.rstrip(), error.status) from error


async def _distribution(repository: Repository, name: str) -> dict[str, Any]:
    top = await document_at(repository, name)
    media_type = top.media_type if top.media_type.startswith("application/vnd.") else oci.MANIFEST_TYPE
    descriptor = {"mediaType": media_type, "digest": top.digest, "size": len(top.data)}
    return {"Descriptor": descriptor, "Platforms": await _platforms(repository, top)}


async def _platforms(repository: Repository, top: Document) -> list[dict[str, Any]]:
    if is_index(top):
        entries = [entry.platform for entry in oci.index(top.data).manifests if entry.platform]
        return [_shown(platform) for platform in entries]
    descriptor = manifest(top, parse("image")).config
    if descriptor.size > oci.LARGEST_DOCUMENT:
        raise InvalidParameter(f"a config of {descriptor.size} bytes is too large")
    async with repository.blob(descriptor.digest) as response:
        return [_shown(oci.decoded(await limited(response, descriptor.size), oci.Platform, "invalid image config"))]


def _shown(platform: oci.Platform) -> dict[str, Any]:
    """A platform without what it does not say, keys in Docker's order."""
    pairs = {
        "architecture": platform.architecture, "os": platform.os, "os.version": platform.os_version,
        "variant": platform.variant,
    }  # fmt: skip
    return {key: value for key, value in pairs.items() if value or key in ("architecture", "os")}


def _explained(error: RegistryError) -> EngineError:
    """A registry's answer with the status Docker gives it."""
    if isinstance(error, Refused) and error.status == 404:
        return NotFound(error.text)
    if isinstance(error, Unadmitted) and error.status == 401:
        return Unauthorized(error.text)
    if isinstance(error, Refused) and error.status == 401:
        return Unauthorized(error.text)
    return Internal(error.text)


