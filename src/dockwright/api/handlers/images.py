"""images: list, inspect, history, tag, delete, load, save, import, pull, push, what is seen in them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.exchange import Exchange
from dockwright.api.handlers.registries import caller
from dockwright.api.shapes import image as shapes
from dockwright.api.shapes import shaped
from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.images import platforms
from dockwright.images.oci import Platform

TAR = "application/x-tar"


async def list_(exchange: Exchange) -> Answer:
    """GET /images/json; `filter=` is the reference filter of clients before 1.25."""
    query, filters = exchange.query, exchange.query.filters()
    if query.text("filter") and exchange.version < (1, 25):
        filters.setdefault("reference", []).append(query.text("filter"))
    rows = await exchange.managers.images.list(
        all=query.flag("all"), filters=filters, shared_size=query.flag("shared-size") and exchange.version >= (1, 42),
        manifests=query.flag("manifests") and exchange.version >= (1, 47),
    )  # fmt: skip
    return document([shaped(row, exchange.version, shapes.SUMMARY) for row in rows])


async def inspect(exchange: Exchange) -> Answer:
    """GET /images/{name}/json."""
    image = await exchange.managers.images.inspect(exchange.name)
    return document(shaped(image, exchange.version, shapes.INSPECT))


async def history(exchange: Exchange) -> Answer:
    """GET /images/{name}/history."""
    return document(await exchange.managers.images.history(exchange.name))


async def tag(exchange: Exchange) -> Answer:
    """POST /images/{name}/tag."""
    query = exchange.query
    await exchange.managers.images.tag(exchange.name, query.text("repo"), query.text("tag"))
    return nothing(201)


async def delete(exchange: Exchange) -> Answer:
    """DELETE /images/{name}."""
    if not exchange.name.strip():
        raise InvalidParameter("image name cannot be blank")
    query, managers = exchange.query, exchange.managers
    running = {row["Id"] for row in await managers.containers.list(False, 0, False, {})}
    rows = await managers.images.delete(exchange.name, query.flag("force"), query.flag("noprune"), running)
    return document(rows)


async def prune(exchange: Exchange) -> Answer:
    """POST /images/prune."""
    managers = exchange.managers
    running = {row["Id"] for row in await managers.containers.list(False, 0, False, {})}
    return document(await managers.images.prune(exchange.query.filters(), running))


async def load(exchange: Exchange) -> None:
    """POST /images/load: a tar of any compression, answered by progress."""
    quiet = exchange.query.flag("quiet", default=True)
    wanted = _one_platform(exchange)
    async with aclosing(exchange.managers.images.load(aiter(exchange.body), quiet, wanted)) as documents:
        await exchange.progress(_errors_inside(documents))


async def _errors_inside(documents: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Docker answers a load by 200 whatever becomes of it: an early error goes into the stream, too."""
    try:
        async for document_ in documents:
            yield document_
    except EngineError as error:
        yield {"errorDetail": {"message": error.message}, "error": error.message}


async def save_one(exchange: Exchange) -> None:
    """GET /images/{name}/get."""
    await _save(exchange, [exchange.name])


async def save_many(exchange: Exchange) -> None:
    """GET /images/get?names=a&names=b."""
    names = [name for value in exchange.query.all("names") for name in value.split(",") if name]
    await _save(exchange, names)


async def _save(exchange: Exchange, names: list[str]) -> None:
    async with aclosing(exchange.managers.images.save(names, _one_platform(exchange))) as pieces:
        await exchange.stream(pieces, TAR)


async def create(exchange: Exchange) -> Answer | None:
    """POST /images/create: pull from a registry, or import from the body or a URL."""
    query = exchange.query
    if query.text("fromImage"):
        await _pull(exchange)
        return None
    imported = exchange.managers.images.import_(
        aiter(exchange.body), query.text("repo"), query.text("tag"), query.text("message"), query.all("changes"),
        query.text("platform"), query.text("fromSrc"),
    )  # fmt: skip
    async with aclosing(imported) as documents:
        await exchange.progress(documents)
    return None


async def _pull(exchange: Exchange) -> None:
    """POST /images/create?fromImage=: whoever hangs up ends it."""
    exchange.connection.cancellable = True
    query = exchange.query
    pulled = exchange.managers.images.pull(
        query.text("fromImage"), query.text("tag"), query.text("platform"), caller(exchange),
        query.flag("all-platforms"),
    )  # fmt: skip
    async with aclosing(pulled) as documents:
        await exchange.progress(documents)


async def push(exchange: Exchange) -> None:
    """POST /images/{name}/push: whoever hangs up ends it."""
    exchange.connection.cancellable = True
    query = exchange.query
    platform = _platform(query.text("platform")) if exchange.version >= (1, 46) else None
    pushed = exchange.managers.images.push(exchange.name, query.text("tag"), platform, caller(exchange))
    async with aclosing(pushed) as documents:
        await exchange.progress(documents)


def _platform(text: str) -> Platform | None:
    """A platform as JSON, as newer parameters have it."""
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Platform)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidParameter(f"failed to parse platform: {error}") from None


async def layers(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/images/{name}/layers: what each layer adds, changes, removes, and what later ones hide of it."""
    return document(await exchange.managers.images.layer_contents(exchange.name))


async def diff(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/images/{name}/diff?with=OTHER: files and config of the other image against this one."""
    return document(await exchange.managers.images.diff(exchange.name, exchange.query.text("with")))


async def attestations(exchange: Exchange) -> Answer:
    """GET /images/{name}/attestations (Docker has it from 1.55 on), also below /dockwright/v1: what its index says of an image.

    `platform` is JSON, as Docker has it, or `os/arch`.
    """
    query = exchange.query
    types = [kind for kind in query.all("type") if kind]
    wanted = _one_platform(exchange)
    return document(await exchange.managers.images.attestations(exchange.name, wanted, types, query.flag("statement")))


def _one_platform(exchange: Exchange) -> Platform | None:
    """The parameter `platform` as newer versions have it for save, load and attestations; taken at any version."""
    given = [text for text in exchange.query.all("platform") if text]
    if len(given) > 1:
        raise InvalidParameter("only one platform value is currently supported")
    if not given:
        return None
    return _platform(given[0]) if given[0].startswith("{") else platforms.parse(given[0])
