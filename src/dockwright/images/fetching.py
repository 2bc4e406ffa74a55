"""`docker import URL`: an archive that a web server has."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from dockwright.base.errors import EngineError, Forbidden, Internal, InvalidParameter, NotFound, Unauthorized
from dockwright.images.progress import Emit, Meter
from dockwright.images.registry.endpoints import Trust
from dockwright.images.registry.failures import RegistryError
from dockwright.images.registry.transport import Transport, limited, pieces

LARGEST_TEXT = 1 << 16  # bytes of what a server says when it refuses
_KINDS: dict[int, type[EngineError]] = {400: InvalidParameter, 401: Unauthorized, 403: Forbidden, 404: NotFound}


def address(source: str) -> str:
    """The URL a user means; without a scheme it is http.

    Raises:
        Internal: none that could be asked, in the words of Go's net/http.
    """
    url = source if "://" in source else f"http://{source}"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Internal(f'Get "{url}": {error}') from error
    if parts.scheme not in ("http", "https"):
        raise Internal(f'Get "{url}": unsupported protocol scheme "{parts.scheme}"')
    if not parts.netloc:
        raise Internal(f'Get "{parts.scheme}:": http: no Host in request URL')
    return url


@contextlib.asynccontextmanager
async def fetched(transport: Transport, url: str, emit: Emit) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body of what is at `url`, as it comes; its progress goes to `emit`.

    Raises:
        EngineError: the server refuses, or there is none; also while the body is read.
    """
    try:
        async with transport.request("GET", url, Trust(), {}) as response:
            if response.status >= 400:
                said = (await limited(response, LARGEST_TEXT)).decode(errors="replace").strip()
                text = f"failed to GET {url} with status {response.status} {response.reason}: {said}"
                raise _KINDS.get(response.status, Internal)(text)
            emit({"status": f"Downloading from {url}"})
            yield _metered(pieces(response), Meter(emit, "Importing", "", response.content_length or 0))
    except RegistryError as error:
        raise Internal(error.text) from error


async def _metered(body: AsyncIterator[bytes], meter: Meter) -> AsyncIterator[bytes]:
    count = 0
    async for piece in body:
        yield piece
        count += len(piece)
        meter.report(count)
