"""ping, version, info, events, auth, disk usage."""

from dockwright.api.answers import Answer, document
from dockwright.api.encoding import line
from dockwright.api.exchange import Exchange
from dockwright.api.query import Query
from dockwright.api.shapes import container, shaped
from dockwright.api.shapes import image as summary
from dockwright.api.shapes import system as shapes
from dockwright.base.errors import Internal, InvalidParameter

CACHE_FILTERS = ("until", "id", "parent", "type", "description", "inuse", "shared", "private", "label", "label!")
PING_FIELDS = {
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}


async def ping(exchange: Exchange) -> Answer:
    """HEAD and GET /_ping: what a client negotiates by."""
    return Answer(200, b"OK", "text/plain; charset=utf-8", PING_FIELDS)


async def version(exchange: Exchange) -> Answer:
    """GET /version."""
    return document(shaped(await exchange.managers.system.version(), exchange.version, shapes.VERSION))


async def info(exchange: Exchange) -> Answer:
    """GET /info."""
    return document(shaped(await exchange.managers.system.info(), exchange.version, shapes.INFO))


async def events(exchange: Exchange) -> None:
    """GET /events: the head first, then one document a line until `until` or the client's end."""
    query = exchange.query
    since, until = _moment(query, "since"), _moment(query, "until")
    if since is not None and until is not None and until < since:
        raise InvalidParameter(
            f"`since` time ({query.text('since')}) cannot be after `until` time ({query.text('until')})"
        )
    with exchange.managers.events.subscribe(since, until, query.filters()) as subscription:
        exchange.begin()
        async for event in subscription:
            if shapes.event_exists(event, exchange.version):
                await exchange.send(line(event))
        exchange.end()


def _moment(query: Query, name: str) -> int | None:
    try:
        return query.timestamp(name)
    except InvalidParameter:  # here Docker's error has no class
        raise Internal(f'strconv.ParseInt: parsing "{query.text(name)}": invalid syntax') from None


async def plugins(exchange: Exchange) -> Answer:
    """GET /plugins: there are no managed plug-ins."""
    return document([])


async def usage(exchange: Exchange) -> Answer:
    """GET /system/df; `type` chooses since 1.42."""
    types = exchange.query.all("type") if exchange.version >= (1, 42) else []
    measured = await exchange.managers.usage.measure(types)
    images = [shaped(dict(row), exchange.version, summary.USAGE) for row in measured["Images"] or ()]
    containers = [shaped(dict(row), exchange.version, container.LIST) for row in measured["Containers"] or ()]
    parts = {"Images": images, "Containers": containers}
    return document({name: parts.get(name, value) if value is not None else None for name, value in measured.items()})


async def build_prune(exchange: Exchange) -> Answer:
    """POST /build/prune: there is no cache before there is a builder."""
    for name in exchange.query.filters():
        if name not in CACHE_FILTERS:
            raise InvalidParameter(f"failed to prune build cache: invalid filter '{name}'")
    return document({"CachesDeleted": None, "SpaceReclaimed": 0})


async def disk(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/system/disk: whose every block of the data root is."""
    return document(await exchange.managers.disk.account())


async def check(exchange: Exchange) -> Answer:
    """POST /dockwright/v1/system/check: whether rows and disk agree; `repair` does what can be done, `quick` reads no blob."""
    query = exchange.query
    return document(await exchange.managers.disk.check(not query.flag("quick"), query.flag("repair")))
