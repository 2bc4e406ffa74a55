"""What registries are asked for: login, search, distribution; and on whose behalf."""

import msgspec

from dockwright.api.answers import Answer, document
from dockwright.api.exchange import Exchange
from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images.registry import credentials
from dockwright.images.registry.client import Caller


def caller(exchange: Exchange) -> Caller:
    """Who asks a registry. Credentials that cannot be read are none, as Docker has it."""
    fields = exchange.fields
    try:
        given = credentials.decoded(fields.get("x-registry-auth", ""))
    except InvalidParameter:
        given = credentials.ANONYMOUS
    extra = {name: value for name, value in fields.items() if name.startswith("x-meta-")}
    return Caller(given, fields.get("user-agent", ""), extra)


async def auth(exchange: Exchange) -> Answer:
    """POST /auth."""
    try:
        given = await exchange.body.json(credentials.Document)
    except InvalidParameter as error:
        if not error.message.startswith("invalid JSON: "):
            raise
        raise Internal(error.message.removeprefix("invalid JSON: ")) from None  # Docker's error has no class
    upstream = exchange.fields.get("user-agent", "")
    return document(await exchange.managers.images.login(credentials.of(given), upstream))


async def search(exchange: Exchange) -> Answer:
    """GET /images/search."""
    query = exchange.query
    try:
        limit = query.number("limit") or 0
    except InvalidParameter as error:
        raise InvalidParameter(f"invalid limit specified: {error.message.replace('ParseInt', 'Atoi')}") from None
    return document(await exchange.managers.images.search(query.text("term"), limit, query.filters(), caller(exchange)))


async def distribution(exchange: Exchange) -> Answer:
    """GET /distribution/{name}/json."""
    return document(await exchange.managers.images.distribution(exchange.name, caller(exchange)))


class Trusted(msgspec.Struct):
    """The body of a request to verify: keys and certificates as PEM."""

    Keys: list[str] = []


async def verify(exchange: Exchange) -> Answer:
    """POST /dockwright/v1/images/{name}/verify: whose signatures an image has; `offline` asks no registry."""
    given = await exchange.body.json(Trusted)
    offline = exchange.query.flag("offline")
    return document(await exchange.managers.images.verify(exchange.name, given.Keys, caller(exchange), offline))
